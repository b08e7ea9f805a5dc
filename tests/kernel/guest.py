"""Runs inside the virtual machine, sent there as text: does what the other end of the port asks, one by one.

Requests are lines of JSON: {"unpack": bytes, "into": folder}, followed by so many bytes of a tar; {"run": [words],
"folder": folder, "environment": {...}}. Each has an "id", which its answers bear. A command's output goes to the
console as well; what it writes to the file descriptor named by SCOPEGATE_REPORT is passed on line by line as it
comes. Standard library only.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

TAIL = 20_000  # bytes of a command's output that are told


def say(port: BinaryIO, **what: Any) -> None:
    port.write(json.dumps(what).encode() + b"\n")


def take(port: BinaryIO, count: int) -> bytes:
    taken = bytearray()
    while len(taken) < count:
        piece = port.read(min(count - len(taken), 1 << 16))
        if not piece:
            time.sleep(0.1)  # the other end is away: it may come back, as a machine that stays
        taken += piece
    return bytes(taken)


def take_line(port: BinaryIO) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        line += take(port, 1)
    return bytes(line)


def unpack(port: BinaryIO, request: dict[str, Any]) -> None:
    Path(request["into"]).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["tar", "-x", "--no-same-owner", "-C", request["into"]],
        input=take(port, request["unpack"]),
        capture_output=True,
        check=False,
    )
    say(port, id=request["id"], exit=done.returncode, output=done.stderr.decode(errors="replace"))


def run(port: BinaryIO, request: dict[str, Any]) -> None:
    reports, report_end = os.pipe()
    name = json.dumps(request["id"]).encode()
    process = subprocess.Popen(
        request["run"],
        cwd=request.get("folder"),
        env={**os.environ, **request.get("environment", {}), "SCOPEGATE_REPORT": str(report_end)},
        pass_fds=[report_end],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.close(report_end)
    output = bytearray()
    assert process.stdout
    reader = threading.Thread(target=collect, args=(process.stdout, output))
    reader.start()
    with os.fdopen(reports, "rb") as lines:
        port.writelines(b'{"id": ' + name + b', "report": ' + line.strip() + b"}\n" for line in lines)
    code = process.wait()
    reader.join(5)  # a child that lives on may hold the pipe
    say(port, id=request["id"], exit=code, output=output[-TAIL:].decode(errors="replace"))


def collect(pipe: BinaryIO, output: bytearray) -> None:
    for line in pipe:
        output += line
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def main(port: BinaryIO) -> None:
    say(port, hello=os.uname().release)
    while True:
        request = json.loads(take_line(port))
        if "unpack" in request:
            unpack(port, request)
        else:
            run(port, request)


main(globals()["port"])
