"""A disk whose cache is lost with the power, as that of a real one is.

Killing QEMU alone is no power cut: this computer keeps what the machine wrote. Here nbdkit stands between both and
keeps every write to itself until the machine has the cache flushed; killed, it takes what was not with it, or some.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.kernel.machine import MachineFailed, mortal

OPENS_S = 20
BLOCK = 1 << 16  # what nbdkit's cache keeps in one piece (nbdkit-cache-filter(1), cache-min-block-size)
_CACHES = Path("/var/tmp")  # where its file lies
_KEPT = 0.5


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

    def cut(self, user: int, chance: random.Random | None = None) -> None:
        """Cut the power of the disk and of its user, the process of that number.

        The user stands still before its disk goes: it sees no error to react to, and says nothing more. chance: not
        all that was not flushed is lost: each of its blocks comes to the medium or does not, whatever came first.
        """
        assert self._process, "the disk is not switched on"
        ours = self._process.pid
        _tell(user, signal.SIGSTOP)
        if chance:
            _tell(ours, signal.SIGSTOP)
            self._keep_some(ours, chance)
        _tell(ours, signal.SIGKILL)
        _tell(user, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _keep_some(self, pid: int, chance: random.Random) -> None:
        """Write some blocks of the cache onto the medium: a disk writes in its own order."""
        (cache,) = (file for file in Path(f"/proc/{pid}/fd").iterdir() if _is_cache(file))
        with cache.open("rb") as blocks, self.medium.open("r+b") as medium:
            for place in _written(blocks.fileno()):
                if chance.random() < _KEPT:
                    size = min(BLOCK, os.fstat(medium.fileno()).st_size - place)
                    os.pwrite(medium.fileno(), os.pread(blocks.fileno(), size, place), place)

    def switch_off(self) -> None:
        """Let it go; what was not flushed is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None


def _tell(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_cache(file: Path) -> bool:
    """Say whether an open file is nbdkit's cache: without a name, blocks at their places."""
    return str(file.readlink()).startswith(str(_CACHES)) and file.stat().st_nlink == 0


def _written(file: int) -> Iterator[int]:
    """Yield the place of each block that a file with holes has."""
    end, place = os.fstat(file).st_size, 0
    while place < end:
        try:
            place = os.lseek(file, place, os.SEEK_DATA) // BLOCK * BLOCK
        except OSError:  # ENXIO: there is none any more
            return
        yield place
        place += BLOCK
