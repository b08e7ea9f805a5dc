"""QEMU's monitor (QMP): it presses keys and plugs things in, and knows how a machine ended."""

import json
import socket
import time
from pathlib import Path
from typing import Any, TextIO

from tests.kernel.machine import MachineFailed

OFF, RESTARTS = "guest-shutdown", "guest-reset"
_OPENS_S = 30


class Monitor:
    """That of one machine; `path`: of its socket."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._answers: TextIO | None = None
        self._end = ""

    def words(self) -> list[str]:
        """Return QEMU's words for it."""
        return ["-qmp", f"unix:{self._path},server=on,wait=off"]

    def open(self) -> None:
        self._end = ""
        self._socket = connected(self._path)
        self._answers = self._socket.makefile("r")
        json.loads(self._answers.readline())  # its greeting
        self.tell("qmp_capabilities")

    def close(self) -> None:
        for each in (self._answers, self._socket):
            if each:
                each.close()
        self._answers = self._socket = None

    def tell(self, command: str, **words: Any) -> None:
        """Return when it did that. Raises MachineFailed."""
        assert self._socket, "the box is not switched on"
        self._socket.sendall(json.dumps({"execute": command, "arguments": words}).encode())
        while "return" not in (answer := self._heard()):
            if "error" in answer:
                raise MachineFailed(f"{command}: {answer['error']}")

    def press(self, *keys: str) -> None:
        """Press keys together, by QEMU's names, and let them go."""
        self.tell("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    def how_it_ended(self) -> str:
        """Wait until the machine has ended, and return how, as QEMU calls it: OFF, RESTARTS or another word."""
        while self._answers and (line := self._answers.readline()):
            self._note(json.loads(line))
        return self._end

    def _heard(self) -> dict[str, Any]:
        assert self._answers
        line = self._answers.readline()
        if not line:
            raise MachineFailed("QEMU hung up")
        self._note(answer := dict(json.loads(line)))
        return answer

    def _note(self, said: dict[str, Any]) -> None:
        if said.get("event") == "SHUTDOWN":
            self._end = str(said["data"]["reason"])


def connected(path: Path) -> socket.socket:
    """Return a way to one of QEMU's sockets. Raises MachineFailed."""
    way = socket.socket(socket.AF_UNIX)
    end = time.monotonic() + _OPENS_S
    while way.connect_ex(str(path)):
        if time.monotonic() > end:
            raise MachineFailed(f"QEMU opens no {path.name}")
        time.sleep(0.1)
    return way
