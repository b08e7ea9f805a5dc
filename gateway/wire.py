"""The language of capture's socket: message framing, calls, answers and errors. Knows no process.

A message is its length (4 bytes, big-endian, of what follows), the length of its header (4 bytes), the header as
JSON, and a body of bytes. The server speaks first: `{"hello": {"protocol": 1, "start_counter": N}}`.

call    `{"call": NAME, "arguments": {...}}`
answer  `{"result": {...}}` or `{"error": {"code": ..., "what": ..., "action": ...}}`
event   `{"event": NAME, ...}` with a body where it has one, after the call `state` or `preview`; and `pinned`
        before the answer of a press or a clip's start: its frame and number are fixed, the next one may be sent

One connection carries one call at a time; a subscription keeps its connection. After `preview` the subscriber
sends `{"call": "credit"}` for each picture that it has dealt with and gets the newest one then.
"""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import CaptureGone, CaptureSilent, ConfigurationError, ScopegateError, by_code

PROTOCOL = 1
SOCKET_NAME = "capture.sock"
PINNED = "pinned"
ANSWERS = ("stored", "clip-started", "clip-stopped", "not-stored")  # of lamps and tones
MAX_MESSAGE = 64 * 1024 * 1024
_LENGTHS = struct.Struct(">II")

Header = dict[str, Any]


class WireError(Exception):
    """The other side hung up, or what it sent is no message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message, whichever way it goes."""

    header: Header
    body: bytes = b""


def pack(header: Header, body: bytes = b"") -> bytes:
    """Return a message as bytes."""
    text = json.dumps(header).encode()
    return _LENGTHS.pack(_LENGTHS.size - 4 + len(text) + len(body), len(text)) + text + body


def receive(connection: socket.socket, *, limit: int = MAX_MESSAGE) -> Message:
    """Return the next message of at most `limit` bytes.

    Raises WireError at the end of the stream and for what is no message, TimeoutError as the socket says.
    """
    total, length = _lengths(_exactly(connection, _LENGTHS.size), limit)
    return _message(_exactly(connection, total), length)


async def receive_async(reader: asyncio.StreamReader) -> Message:
    """Return the next message. Raises WireError at the end of the stream."""
    try:
        total, length = _lengths(await reader.readexactly(_LENGTHS.size))
        return _message(await reader.readexactly(total), length)
    except asyncio.IncompleteReadError as error:
        raise WireError("The other side hung up.") from error


def error_header(error: ScopegateError) -> Header:
    return {"error": {"code": error.code, "what": error.what, "action": error.action}}


def result_of(message: Message) -> Header:
    """Return an answer's result, or raise the error that it carries as the same kind of error."""
    if "error" in message.header:
        error = message.header["error"]
        kind = by_code(error["code"])
        assert kind is not ConfigurationError
        raise kind(error["what"], code=error["code"], action=error["action"])
    result: Header = message.header["result"]
    return result


def call(path: Path, name: str, arguments: Header, *, timeout: float) -> Header:
    """Make one call on the socket at `path` and return its result.

    Raises the error that capture answered, CaptureGone when it is not there, or CaptureSilent when it says nothing
    for `timeout` seconds: whether the work was done is not known then, and the same request id asks again safely.
    """
    asked = False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            receive(connection)  # hello
            asked = True
            connection.sendall(pack({"call": name, "arguments": arguments}))
            answer = receive(connection)
            if answer.header.get("event") == PINNED:
                answer = receive(connection)
    except (OSError, WireError) as error:
        raise (CaptureSilent if asked else CaptureGone) from error
    return result_of(answer)


def _exactly(connection: socket.socket, count: int) -> bytes:
    buffer = bytearray(count)
    view = memoryview(buffer)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise WireError("The other side hung up.")
        view = view[got:]
    return bytes(buffer)


def _lengths(data: bytes, limit: int = MAX_MESSAGE) -> tuple[int, int]:
    total, length = _LENGTHS.unpack(data)
    if not 4 + length <= total <= limit:
        raise WireError("This is no message.")
    return total - 4, length


def _message(data: bytes, length: int) -> Message:
    try:
        header = json.loads(data[:length])
    except (ValueError, RecursionError) as error:  # the parser recurses as deep as the text nests
        raise WireError("This is no message.") from error
    if not isinstance(header, dict):
        raise WireError("This is no message.")
    return Message(header=header, body=data[length:])
