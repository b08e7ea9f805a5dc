"""Talks to the capture socket as other processes do, and worse."""

import socket
from pathlib import Path

from gateway import wire


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        return connection.connect_ex(str(path)) == 0


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(str(path))
    return connection


def dropped(connection: socket.socket) -> bool:
    """Say whether the server hung up; with unread bytes on its side that is a reset."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def greeted(path: Path) -> socket.socket:
    connection = connect(path)
    assert wire.receive(connection).header == {"hello": {"protocol": 1, "start_counter": 3}}
    return connection


def watch(path: Path, **arguments: object) -> socket.socket:
    connection = greeted(path)
    connection.sendall(wire.pack({"call": "preview", "arguments": arguments}))
    return connection
