"""A start that the disk refuses is tried again and said; an index that is lost while processes run is made anew."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFailed, DiskFull, SpoolBusy, SpoolDamaged, SpoolError
from gateway.spool.files import Files
from gateway.spool.opening import keep_index
from gateway.spool.paths import Layout
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.locks import role
from gateway.spool.processes.patience import insist
from gateway.spool.spool import Spool
from tests.unit.spool.values import store, subject


def test_a_start_on_a_full_disk_is_tried_every_second_and_each_reason_is_said() -> None:
    reasons: list[SpoolError] = [DiskFull(), DiskFull(), SpoolBusy(), DiskFailed()]
    left, said, waited = list(reasons), [], []

    def begin() -> str:
        if left:
            raise left.pop(0)
        return "begun"

    assert insist(begin, stopped=lambda: False, say=said.append, wait=waited.append) == "begun"
    assert (said, waited) == (reasons, [1.0] * len(reasons))


def test_a_start_that_waits_ends_when_the_process_is_stopped() -> None:
    said: list[SpoolError] = []

    def full() -> None:
        raise DiskFull

    assert insist(full, stopped=lambda: len(said) > 2, say=said.append, wait=lambda _: None) is None


def test_a_damaged_spool_is_not_waited_for() -> None:
    def damaged() -> None:
        raise SpoolDamaged

    with pytest.raises(SpoolDamaged):
        insist(damaged, stopped=lambda: False, say=lambda _: None, wait=lambda _: None)


def test_a_process_that_waits_says_why_in_its_live_state(tmp_path: Path, clock: FakeClock) -> None:
    live = LiveState(folder=tmp_path, process="capture", files=Files(), clock=clock)
    live.waits(DiskFull())
    said = live.read()
    assert said
    assert (said["trouble"]["code"], said["trouble"]["what"]) == ("disk-full", "The box is full.")


def test_live_state_that_finds_no_room_ends_nothing(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveState(folder=tmp_path / "nowhere", process="capture", files=NoRoom(), clock=clock)
    for _ in range(3):
        live.write({})
    assert len(caplog.records) == 1, "said once, not every second"


class NoRoom(Files):
    def replace_quickly(self, path: Path, content: bytes) -> None:
        raise DiskFull(f"no room for {len(content)} bytes in {path.parent.name}")


def test_a_role_is_held_by_a_lock_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "panel.lock").mkdir()  # cannot be opened for writing, as on a read-only disk; a folder locks too
    with role(Layout(tmp_path), "panel"):
        pass


def test_a_role_without_room_for_its_lock_says_what_the_disk_says(tmp_path: Path) -> None:
    (tmp_path / "panel.lock").symlink_to("panel.lock")  # opens in no way
    with pytest.raises(DiskFailed), role(Layout(tmp_path), "panel"):
        pass


def lose(spool: Spool) -> None:
    for path in spool.layout.root.glob("scopegate.db*"):
        path.unlink()


def test_an_index_that_is_gone_is_made_anew_for_every_process(spool: Spool, opened: Callable[..., Spool]) -> None:
    other = opened()
    exam, _ = spool.exams.open(subject())
    capture = store(spool, exam, 1)
    lose(spool)
    with pytest.raises(SpoolBusy):
        spool.worklist.replace("ris", [])
    keep_index(spool, ("pacs",))
    keep_index(other, ("pacs",))
    for each in (spool, other):
        assert [listed.capture for listed in each.captures.of_exam(exam.id)] == [capture]
    spool.worklist.replace("ris", [])


def test_what_was_written_into_an_index_that_is_taken_away_meanwhile_does_not_count_as_written(
    spool: Spool,
) -> None:
    def write() -> None:
        with spool.database.write() as connection:
            connection.execute("DELETE FROM request")
            spool.layout.database.rename(spool.layout.root / "moved")

    with pytest.raises(SpoolBusy):
        write()


def test_who_looks_while_the_index_is_away_creates_no_empty_one(spool: Spool, opened: Callable[..., Spool]) -> None:
    other = opened()
    other.close()
    lose(spool)
    with pytest.raises(SpoolBusy):
        other.exams.open_one()
    assert not spool.layout.database.exists()


def test_an_index_found_damaged_is_made_anew_while_the_process_runs(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    with spool.layout.database.open("r+b") as file:
        file.write(bytes(spool.layout.database.stat().st_size))
    for suffix in ("-wal", "-shm"):
        path = spool.layout.database.with_name(spool.layout.database.name + suffix)
        path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(SpoolDamaged):
        spool.exams.open_one()
    keep_index(spool, ("pacs",))
    found = spool.exams.open_one()
    assert found
    assert found.id == exam.id
    assert not spool.database.damaged
