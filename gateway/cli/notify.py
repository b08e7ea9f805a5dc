"""Tells systemd that a process is ready and that it lives (sd_notify(3)). Where nobody asked, nothing is told."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

_SIGNS = 3  # of life within the time allowed: two may be late


class ServiceManager:
    """What started this process, as its environment describes it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        asked = environ.get("WATCHDOG_USEC", "") if self._address and meant else ""
        self.sign_every_s = int(asked) / 1e6 / _SIGNS if asked.isdecimal() else 0.0  # 0: none is expected

    def ready(self) -> None:
        """Say that the start succeeded."""
        self._tell(b"READY=1")

    def alive(self) -> None:
        """Say that this process gets on with its work, or has none."""
        self._tell(b"WATCHDOG=1")

    def _tell(self, word: bytes) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as port:
            port.setblocking(False)  # a word that nobody takes is missed by the watchdog, which then does its work
            port.sendto(word, self._address)
