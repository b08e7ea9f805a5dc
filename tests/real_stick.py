"""A memory stick with the file system that clinics have on theirs, on a file: NTFS or exFAT.

Both are drivers that run as a process of their own (FUSE). When that process is killed, the operating system tells
whoever uses the stick that it is gone, in the middle of whatever it does: as when a stick is pulled out.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

_LOOP = 7  # the major number of loop devices
_MOUNTED_S = 30
FILE_SYSTEMS = ("ntfs", "exfat")


class RealStick:
    """A stick of `megabytes`, mounted at `place` between `plug` and `pull` or `unmount`."""

    def __init__(self, folder: Path, kind: str, megabytes: int) -> None:
        self.place = folder / "stick"
        self.place.mkdir()
        self._kind = kind
        self._image = folder / "image"
        with self._image.open("wb") as image:
            image.truncate(megabytes << 20)
        self._device = folder / "device"  # of the exFAT driver, which takes no file
        self._loop = ""
        self._driver: subprocess.Popen[bytes] | None = None
        _run("mkfs.ntfs", "-q", "-F", "-Q", self._image) if kind == "ntfs" else _run("mkfs.exfat", self._image)

    def plug(self) -> None:
        if self._kind == "ntfs":
            words = ["ntfs-3g", "-o", "no_detach", str(self._image), str(self.place)]
        else:
            words = ["mount.exfat-fuse", "-d", str(self._attached()), str(self.place)]
        self._driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + _MOUNTED_S
        while not self.place.is_mount():
            if self._driver.poll() is not None or time.monotonic() > end:
                _none(f"{words[0]} mounts nothing")
            time.sleep(0.01)

    def pull(self) -> None:
        """Take it away at once, whoever uses it."""
        assert self._driver
        self._driver.kill()
        self._driver.wait()
        self._let_go()

    def unmount(self) -> None:
        """Take it away as one should."""
        assert self._driver
        _run("umount", self.place)
        self._driver.wait()
        self._let_go()

    def throw_away(self) -> None:
        if self._driver:
            self.pull()

    def _attached(self) -> Path:
        done = subprocess.run(["losetup", "--find"], capture_output=True, text=True, check=False)
        self._loop = next(iter(done.stdout.split()), "")  # "/dev/loop0 (lost)" where the node is missing
        if not self._loop:
            _none(f"no loop device: {done.stderr.strip()}")
        try:
            number = int(self._loop.removeprefix("/dev/loop"))
            os.mknod(self._device, 0o60600, os.makedev(_LOOP, number))
        except OSError as error:
            _none(f"no device node: {error.strerror}")
        _run("losetup", self._device, self._image)
        return self._device

    def _let_go(self) -> None:
        self._driver = None
        subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True, check=False)
        if self._loop:
            subprocess.run(["losetup", "--detach", str(self._device)], capture_output=True, check=False)
            self._device.unlink()
            self._loop = ""


@contextmanager
def real_stick(folder: Path, kind: str, *, megabytes: int = 64) -> Iterator[RealStick]:
    """Make one and plug it in; where this machine allows no such thing, the test is skipped."""
    stick = RealStick(folder, kind, megabytes)
    try:
        stick.plug()
        yield stick
    finally:
        stick.throw_away()


def _run(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        _none(f"{words[0]}: {done.stderr.strip()}")


def _none(why: str) -> NoReturn:
    pytest.skip(f"no such stick here: {why}")
