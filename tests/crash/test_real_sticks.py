"""Sticks with the file systems that clinics have on theirs, NTFS and exFAT, written by the real writer.

test_medium_pulled.py goes through every operation on a model of the disk; here a real driver is taken away.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import MediaError
from gateway.forward.media.forms import Item
from gateway.forward.media.medium import is_mounted
from gateway.forward.media.writer import Writing
from gateway.spool.files import Files
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.forward.bench import sealed_exam
from tests.forward.media_bench import holds, items
from tests.real_stick import FILE_SYSTEMS, RealStick, real_stick

PULLS = 9  # of each stick, over the operations of one writing


class Hand(Files):
    """Pulls the stick when `left` operations were done; counts them without a stick."""

    def __init__(self, stick: RealStick | None = None, left: int = -1) -> None:
        self._stick = stick
        self.left = left
        self.done = 0

    def _step(self) -> None:
        if self._stick and self.done == self.left:
            self._stick.pull()
        self.done += 1

    def _mkdir(self, path: Path) -> None:
        self._step()
        super()._mkdir(path)

    def _create(self, path: Path, *, keep: bool = False) -> int:
        self._step()
        return super()._create(path, keep=keep)

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        self._step()
        super()._write(fd, data)

    def _sync(self, fd: int) -> None:
        self._step()
        super()._sync(fd)

    def _rename(self, old: Path, new: Path) -> None:
        self._step()
        super()._rename(old, new)

    def _sync_folder(self, path: Path) -> None:
        self._step()
        super()._sync_folder(path)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = open_spool(tmp_path / "data", clock=FakeClock(), destinations=("pacs",))
    yield opened
    opened.close()


@pytest.fixture(params=FILE_SYSTEMS)
def stick(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RealStick]:
    (tmp_path / "plug").mkdir()
    with real_stick(tmp_path / "plug", request.param) as plugged:
        yield plugged


def write(place: Path, wanted: list[Item], files: Files) -> None:
    with Writing(place, wanted, files=files, clock=FakeClock(), jpeg=True) as writing:
        for item in wanted:
            writing.put(item)
        writing.finish()


def test_what_was_written_is_there_when_the_stick_is_plugged_in_elsewhere(stick: RealStick, spool: Spool) -> None:
    first = items(spool, sealed_exam(spool, stills=3, clips=1))
    second = items(spool, sealed_exam(spool, stills=2))
    assert is_mounted(stick.place, spool.layout.root)

    write(stick.place, first, Files())
    write(stick.place, second, Files())
    stick.unmount()
    assert not is_mounted(stick.place, spool.layout.root)

    stick.plug()
    assert holds(stick.place, first + second)


def test_a_stick_that_is_pulled_lists_what_it_listed_before_and_takes_the_rest_the_next_time(
    stick: RealStick, spool: Spool, tmp_path: Path
) -> None:
    listed = items(spool, sealed_exam(spool, stills=2))
    write(stick.place, listed, Files())
    operations = counted(spool, tmp_path / "folder")
    for pull in range(PULLS):
        new = items(spool, sealed_exam(spool, stills=1, clips=1))
        hand = Hand(stick, operations * pull // PULLS)
        with pytest.raises(MediaError) as refused:
            write(stick.place, new, hand)
        assert refused.value.code == "media-gone"
        stick.plug()
        assert holds(stick.place, listed), f"pulled at operation {hand.left}"
        write(stick.place, new, Files())
        listed += new
        assert holds(stick.place, listed)


def counted(spool: Spool, folder: Path) -> int:
    """Return how many operations it takes to add an exam to a medium that has one."""
    folder.mkdir()
    write(folder, items(spool, sealed_exam(spool, stills=2)), Files())
    hand = Hand()
    write(folder, items(spool, sealed_exam(spool, stills=1, clips=1)), hand)
    return hand.done
