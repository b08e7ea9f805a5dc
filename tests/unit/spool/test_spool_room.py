"""What a disk has room for: warned early, clips stop first, then stills, and records can always be written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFull
from gateway.spool.disk import room
from gateway.spool.disk.room import FLOOR, MB, Level, Room, Typical
from gateway.spool.disk.space import judge
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.forward.bench import open_exam, still
from tests.small_disk import SmallDisk, small_disk

STILL = Typical(still=3 * MB, largest_still=6 * MB, clip_second=3 * MB)
DISK = 64_000 * MB
RESERVE = 512 * MB


def disk(usable: int, *, held: int = RESERVE) -> Room:
    return Room(total=DISK, free=usable + RESERVE - held, reserve=RESERVE, held=held)


@pytest.mark.parametrize(
    ("usable", "level"),
    [
        (DISK - RESERVE, Level.OK),
        (DISK * 20 // 100, Level.OK),
        (DISK * 20 // 100 - 1, Level.LOW),
        (DISK * 15 // 100, Level.LOW),
        (DISK * 15 // 100 - 1, Level.NO_CLIPS),
        (2 * STILL.largest_still + FLOOR, Level.NO_CLIPS),
        (2 * STILL.largest_still + FLOOR - 1, Level.FULL),
        (0, Level.FULL),
        (-RESERVE, Level.FULL),
    ],
)
def test_a_filling_disk_warns_then_ends_clips_then_stills(usable: int, level: Level) -> None:
    assert room.level(disk(usable), STILL) is level
    given_up = disk(usable, held=100 * MB)
    assert room.level(given_up, STILL) is level, "giving up the reserve makes no room for pictures"


@pytest.mark.parametrize(("usable", "level"), [(14_000, Level.OK), (13_999, Level.LOW), (9_999, Level.NO_CLIPS)])
def test_a_large_disk_keeps_thousands_of_stills_free_and_not_a_share_of_itself(usable: int, level: Level) -> None:
    assert room.level(Room(total=1_000_000 * MB, free=usable * MB), STILL) is level


def test_a_disk_that_became_read_only_takes_nothing_whatever_its_room() -> None:
    found = Room(total=DISK, free=DISK, read_only=True)
    assert room.level(found, STILL) is Level.FAILED
    assert not room.still_fits(found, STILL)
    assert not room.clip_fits(found)


def test_the_room_that_is_promised_is_there() -> None:
    found = disk(DISK * 18 // 100)
    taken = 0
    left = found.usable
    while left >= 2 * STILL.largest_still + FLOOR:  # as presses are taken one after the other
        left -= STILL.still
        taken += 1
    assert abs(room.stills_left(found, STILL) - taken) <= 2
    recorded, usable = 0, found.usable
    while room.clip_fits(disk(usable), recorded):
        usable -= STILL.clip_second
        recorded += STILL.clip_second
    assert abs(room.clip_seconds_left(found, STILL) - recorded // STILL.clip_second) <= 1
    assert usable - recorded >= DISK * 14 // 100, "its DICOM copy fits as well, and stills after it"


def test_presses_that_wait_for_the_disk_are_counted() -> None:
    found = disk(2 * STILL.largest_still + FLOOR)
    assert room.still_fits(found, STILL)
    assert not room.still_fits(found, STILL, waiting=1)


def test_the_words_name_stills_and_minutes() -> None:
    seen = judge(disk(DISK * 18 // 100), STILL)
    assert seen.code == "disk-low"
    assert f"room for about {seen.stills} stills" in seen.what
    assert f"{seen.clip_seconds // 60} minutes of clip" in seen.what
    assert (seen.stills, seen.clip_seconds) == (3836, 320)
    assert judge(disk(DISK // 2), STILL).what == ""
    assert judge(disk(0), STILL).stills == 0


def test_the_reserve_never_takes_more_than_an_eighth_of_a_small_disk() -> None:
    assert room.reserve_for(64_000 * MB, 512 * MB) == 512 * MB
    assert room.reserve_for(220 * MB, 512 * MB) == 27_500_000


def test_what_a_still_takes_is_measured_from_the_last_ones(spool: Spool) -> None:
    assert spool.captures.typical() == Typical()
    exam = open_exam(spool)
    taken = [still(spool, exam, rows=rows) for rows in (16, 16, 64)]
    found = spool.captures.typical()
    assert found.largest_still == max(each.bytes for each in taken)
    assert found.still == sum(each.bytes for each in taken) // 3
    assert found.clip_second == Typical().clip_second


# --- a real small disk ---------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "data", 220) as made:
        yield made


def test_on_a_full_disk_exams_end_and_pictures_are_removed_and_it_is_audited(
    small: SmallDisk, clock: FakeClock
) -> None:
    spool = open_spool(small.place, clock=clock, reserve_mb=64)
    exam = open_exam(spool)
    capture = still(spool, exam)
    spool.reserve.renew()
    held = spool.reserve.room().held
    assert held == room.reserve_for(220 * 2**20, 64 * MB)
    assert (small.place / "reserve").stat().st_blocks * 512 >= held, "it is not sparse"
    for number in range(3):  # whatever is given up is taken by somebody else at once
        small.fill()
        spool.audit.note("test", by="test", number=number)
        small.fill()
        spool.captures.reject(capture.sop_instance_uid, "blurred")
        small.fill()
        spool.captures.restore(capture.sop_instance_uid)
        if number == 0:
            assert spool.reserve.room().held < held
            with pytest.raises(DiskFull):
                spool.captures.write_media(exam.id, "x.ljpg", [bytes(FLOOR * 2)])
        small.make_room()
        spool.reserve.renew()
    small.fill()
    spool.exams.finish(exam.id)
    small.make_room()
    spool.reserve.renew()
    assert spool.reserve.room().held == held, "it is made anew when there is room"
    spool.close()


def test_a_picture_is_not_taken_from_the_room_that_records_were_given(small: SmallDisk, clock: FakeClock) -> None:
    spool = open_spool(small.place, clock=clock, reserve_mb=64)
    spool.reserve.renew()
    small.fill()
    spool.reserve.ease()
    found = spool.reserve.room()
    assert found.free >= FLOOR
    assert found.usable < FLOOR
    assert not spool.space.still_fits()
    assert spool.space.view().level is Level.FULL
    spool.close()


def test_without_a_reserve_a_full_disk_refuses_and_says_so(small: SmallDisk, clock: FakeClock) -> None:
    spool = open_spool(small.place, clock=clock)
    exam = open_exam(spool)
    small.fill()
    with pytest.raises(DiskFull):
        spool.exams.finish(exam.id)
    spool.close()
