"""A disk is asked to give back what it was given; one that does not is found out, and nothing is left on it."""

import os
from pathlib import Path

import pytest

from gateway.clock import Clock, FakeClock
from gateway.errors import DiskFailed, DiskFull
from gateway.spool.disk.trial import try_disk
from gateway.spool.files import Files
from tests.memory import folder_in_memory


class Slow(Files):
    """A disk that takes two seconds to flush."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def _sync(self, fd: int) -> None:
        super()._sync(fd)
        self._clock.move(2)


class Forgetful(Files):
    """A disk that loses one byte."""

    def _sync(self, fd: int) -> None:
        os.pwrite(fd, b"?" * 9, 70)  # of random ones, nine are not all alike
        super()._sync(fd)


class Full(Files):
    """A disk without room."""

    def _sync(self, fd: int) -> None:
        del fd
        raise OSError(28, "No space left on device")


def test_a_disk_that_gives_everything_back_has_a_speed_and_keeps_nothing(tmp_path: Path) -> None:
    speed = try_disk(tmp_path, files=Files(), clock=Clock(), size_mb=2)
    assert min(speed.written, speed.read) > 0
    assert list(tmp_path.iterdir()) == []


def test_the_time_until_it_is_flushed_counts() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder:
        assert try_disk(folder, files=Slow(clock), clock=clock, size_mb=4).written == 2.0


@pytest.mark.parametrize(("files", "error"), [(Forgetful(), DiskFailed), (Full(), DiskFull)])
def test_a_disk_that_loses_a_byte_or_is_full_is_found_out(
    tmp_path: Path, files: Files, error: type[Exception]
) -> None:
    with pytest.raises(error):
        try_disk(tmp_path, files=files, clock=Clock(), size_mb=1)
    assert list(tmp_path.iterdir()) == []
