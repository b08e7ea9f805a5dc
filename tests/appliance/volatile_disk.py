"""A disk whose cache is lost with the power, as that of a real one is.

Killing QEMU alone is no power cut: this computer keeps what the machine wrote. Here nbdkit stands between both and
keeps every write to itself until the machine has the cache flushed; killed, it takes with it what was not.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.kernel.machine import MachineFailed, mortal

OPENS_S = 20


class VolatileDisk:
    """The cache and the medium of one disk; the medium is the file `medium`."""

    def __init__(self, medium: Path, folder: Path) -> None:
        self.medium = medium
        self.socket = folder / "disk"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def switch_on(self) -> None:
        """Return when the disk can be used. It ends with the thread that called this, however that ends."""
        self.socket.unlink(missing_ok=True)
        words = [
            "nbdkit", "--foreground", "--unix", str(self.socket), "--filter=cache", "file", str(self.medium),
            "cache=writeback",  # of the filter: flushes are honoured, and nothing else reaches the medium
        ]  # fmt: skip
        self._process = mortal(words, self._folder)
        end = time.monotonic() + OPENS_S
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise MachineFailed("nbdkit opens no socket")
            time.sleep(0.05)

    def words(self) -> list[str]:
        """Return QEMU's words for it: a disk that says that it has a cache."""
        return ["-drive", f"file=nbd+unix:///?socket={self.socket},if=virtio,format=raw,cache=writeback"]

    def cut(self, user: int) -> None:
        """Cut the power of the disk and of its user, the process of that number.

        The user stands still before its disk goes: it sees no error to react to, and says nothing more.
        """
        assert self._process, "the disk is not switched on"
        for pid, number in ((user, signal.SIGSTOP), (self._process.pid, signal.SIGKILL), (user, signal.SIGKILL)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        self._process.wait()
        self._process = None

    def switch_off(self) -> None:
        """Let it go; what was not flushed is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None
