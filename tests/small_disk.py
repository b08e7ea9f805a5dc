"""A small file system of its own for a test: full, or read-only, on demand."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MB = 1_000_000


class SmallDisk:
    """A tmpfs; everything in it is gone when it is unmounted."""

    def __init__(self, place: Path, megabytes: int) -> None:
        self.place = place
        place.mkdir(parents=True)
        self._mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place))

    @staticmethod
    def _mount(*words: str) -> None:
        done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no mount here: {done.stderr.strip()}")

    @property
    def free(self) -> int:
        state = os.statvfs(self.place)
        return state.f_bavail * state.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes."""
        with (self.place / "ballast").open("ab", buffering=0) as ballast:
            while self.free > leave:
                taken, piece = os.fstat(ballast.fileno()).st_size, min(self.free - leave, 4 * MB)
                try:
                    os.posix_fallocate(ballast.fileno(), taken, piece)
                except OSError:
                    return

    def make_room(self) -> None:
        (self.place / "ballast").unlink(missing_ok=True)

    def read_only(self, *, on: bool) -> None:
        self._mount("-o", "remount,ro" if on else "remount,rw", str(self.place))

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.place)], check=True)


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[SmallDisk]:
    disk = SmallDisk(place, megabytes)
    try:
        yield disk
    finally:
        disk.unmount()
