"""Starts a server program, waits until that very process listens, and ends it."""

import secrets
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

_PATIENCE = 15.0  # seconds until a server must listen
_LISTENING = "0A"  # state in /proc/net/tcp
_SERVED = range(10_000, 32_000)  # below Linux' ip_local_port_range


def free_port() -> int:
    """Return a port that nobody uses now, and that no outgoing connection is given while its server is stopped."""
    while True:
        port = _SERVED.start + secrets.randbelow(len(_SERVED))
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """A server program as a context manager; subclasses say what to run."""

    def __init__(self, *, folder: Path, ports: tuple[int, ...]) -> None:
        self.folder = folder
        self.ports = ports
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        try:
            for port in self.ports:
                self._await(port)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it at once: what it holds is the test's, and Orthanc takes seconds to say goodbye."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _await(self, port: int) -> None:
        assert self._process is not None
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise AssertionError(
                    f"{self.command()[0]} ended at once:\n{self.log.read_text('utf-8', 'replace')}"
                )
            listeners = _listening_inodes(port)
            if listeners:
                if not listeners <= _sockets(self._process.pid):
                    raise AssertionError(f"port {port} is served by another program than the one started")
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.command()[0]} does not listen on {port} after {_PATIENCE:.0f} s")


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _sockets(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            found.add(target.removeprefix("socket:[").removesuffix("]"))
    return found
