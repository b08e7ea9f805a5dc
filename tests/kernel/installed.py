"""The product as docs/it.md installs it on a box: systemd starts three services, each as its own user."""

import http.client
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.box import Panel, Refusal, configuration, until

SLOW_S = 400.0  # an emulated processor starts three processes
ROLES = ("capture", "forward", "panel")
DATA = Path("/var/lib/scopegate")
RUNTIME = Path("/run/scopegate")
CONFIGURATION = Path("/etc/scopegate/scopegate.toml")
_PORT = 8080


class Installed(Panel):
    """The services of this machine, with an empty data folder."""

    data = DATA

    def __init__(self, sources: list[dict[str, Any]], destinations: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(_PORT)
        self.began = run("date", "+%F %T").strip()
        tables = [("[panel]", {"listen": f"127.0.0.1:{_PORT}"}), *(("[[source]]", source) for source in sources)]
        tables += [("[[destination]]", destination) for destination in destinations]
        CONFIGURATION.write_text(configuration(tables))
        run("chown", "root:scopegate", str(CONFIGURATION))
        CONFIGURATION.chmod(0o640)

    def start(self) -> None:
        run("systemctl", "start", "scopegate.target")
        self.until_ready()

    def stop(self) -> None:
        """Stop the services and forget what they stored."""
        run("systemctl", "stop", "scopegate.target", *(f"scopegate-{role}" for role in ROLES))
        run("find", str(DATA), "-mindepth", "1", "-delete")
        print(self.journal()[-6000:])

    def pid(self, role: str) -> int:
        """Return the number of a service's process; 0 while it does not run."""
        return int(self.shown(role, "MainPID"))

    def shown(self, role: str, what: str) -> str:
        """Return what `systemctl show` says of a service."""
        return run("systemctl", "show", "--value", "-p", what, f"scopegate-{role}").strip()

    def kill(self, role: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a service's process; return the number that this has."""
        pid = until(f"{role} to run", lambda: self.pid(role), SLOW_S)
        os.kill(pid, number)
        return pid

    def until_another(self, role: str, before: int) -> None:
        """Wait until systemd has started another process of a service, and all answer."""
        until(f"another {role}", lambda: self.pid(role) not in {0, before}, SLOW_S)
        (RUNTIME / f"{role}.json").unlink(missing_ok=True)  # what the one before said would still count for 5 s
        self.until_ready()

    def until_ready(self) -> None:
        """Wait without keeping the processor from those who start."""
        until("the box to be ready", self.is_ready, SLOW_S, pause_s=1.0)

    def is_ready(self) -> bool:
        """Say whether the panel answers, and capture with a picture of every source."""
        try:
            health = self.get("/health")
        except (OSError, http.client.HTTPException, Refusal):
            return False
        return all(source["state"] == "live" for source in health["sources"])

    def captures(self, exam: str) -> list[dict[str, Any]]:
        return list(self.get(f"/exams/{exam}")["captures"])

    def recorded(self) -> int:
        """Return how many bytes of running clips are on the disk."""
        return sum(path.stat().st_size for path in DATA.glob("exams/*/*.frames.part"))

    def journal(self) -> str:
        """Return what systemd and the services have said."""
        return run("journalctl", "--no-pager", "-o", "cat", "--since", self.began, "-u", "scopegate-*")


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
