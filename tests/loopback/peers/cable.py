"""Two machines with a cable between them: network namespaces of the kernel, and a pair of its virtual ports."""

import shutil
import subprocess
from types import TracebackType
from typing import Any, Self

BOX, CLINIC = "10.9.0.2", "10.9.0.1"
PORT = "port0"  # of both


def end(process: subprocess.Popen[Any]) -> None:
    """End a program that runs in one of them."""
    with process:
        process.kill()


class Cable:
    """`box` and `clinic` are prefixes: what follows them runs in that machine."""

    def __init__(self) -> None:
        self._sleepers: list[subprocess.Popen[bytes]] = []
        self.box: tuple[str, ...] = ()
        self.clinic: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self.box = self._machine("unshare", "--user", "--map-root-user", "--net")
        self.clinic = self._machine(*self.box, "unshare", "--net")
        peer = str(self._sleepers[1].pid)
        self.run(self.box, "ip", "link", "add", PORT, "type", "veth", "peer", "name", "other")
        self.run(self.box, "ip", "link", "set", "other", "netns", peer)
        self.run(self.clinic, "ip", "link", "set", "other", "name", PORT)
        for machine, address in ((self.box, BOX), (self.clinic, CLINIC)):
            self.run(machine, "ip", "address", "add", f"{address}/24", "dev", PORT)
            for port in (PORT, "lo"):
                self.run(machine, "ip", "link", "set", port, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._sleepers:
            end(each)

    def run(self, machine: tuple[str, ...], *words: str, given: str = "") -> str:
        """Run a program in one of them; return what it printed. Raises CalledProcessError."""
        done = subprocess.run(
            [*machine, *words], input=given, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def _machine(self, *how: str) -> tuple[str, ...]:
        """Begin a machine that lasts as long as its sleeper; return the prefix for programs in it."""
        sleeper = subprocess.Popen(
            [*how, "sh", "-c", "echo there; exec sleep infinity"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        self._sleepers.append(sleeper)
        assert sleeper.stdout
        assert sleeper.stdout.readline() == b"there\n"
        enter = shutil.which("nsenter")
        assert enter
        return (enter, "--preserve-credentials", "--user", "--net", "--target", str(sleeper.pid))
