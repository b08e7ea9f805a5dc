"""The product's own processes for bars that look at them from outside."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway import wire

_PATIENCE_S = 30.0
_LOOK_S = 0.002


@contextmanager
def capture_process(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start `scopegate capture` and end it."""
    words = [sys.executable, "-m", "gateway", "capture", "--config", str(config)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_until_live(path: Path) -> None:
    """Return when capture says on its socket that its source gives pictures."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _connect(connection, path)
        connection.settimeout(_PATIENCE_S)
        wire.receive(connection)
        connection.sendall(wire.pack({"call": "state", "arguments": {}}))
        while wire.receive(connection).header["sources"][0]["state"] != "live":
            pass


def _connect(connection: socket.socket, path: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > until:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def private_mb(pid: int) -> float:
    """Return the memory that only this process uses, in MiB."""
    kilobytes = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            kilobytes += int(line.split()[1])
    return kilobytes / 1024
