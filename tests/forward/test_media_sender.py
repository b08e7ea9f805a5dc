"""A media destination: waits without alarm, says "sent" when the medium was read back, and never before."""

import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Destination
from gateway.errors import SpoolError
from gateway.forward.media.sender import MediaSender
from gateway.forward.notices import Notices
from gateway.forward.proving.parts import Proving
from gateway.forward.status import Status
from gateway.model import DeliveryState, Exam
from gateway.spool.spool import Spool
from tests.forward.bench import Disk, deliveries, numbers, objects, sealed_exam
from tests.forward.media_bench import BadStick, Slot, holds, items, listed

NAME = "usb"


@pytest.fixture
def slot() -> Slot:
    return Slot()


def sender_of(
    spool: Spool,
    stick: Path,
    slot: Slot,
    *,
    files: Disk | None = None,
    stop: threading.Event | None = None,
    mb: int = 500,
) -> MediaSender:
    destination = Destination(name=NAME, kind="media", folder=stick, max_object_mb=mb)
    return MediaSender(spool=spool, destination=destination, files=files, present=slot, stop=stop)


def exam_for_stick(spool: Spool, *, stills: int = 2) -> Exam:
    return sealed_exam(spool, NAME, stills=stills)


def states(spool: Spool) -> list[DeliveryState]:
    return [each.state for each in deliveries(spool, NAME)]


def said(sender: MediaSender, spool: Spool, clock: FakeClock) -> dict[str, Any]:
    """What the live state says of this destination."""
    notices = Notices(
        destinations=spool.destinations, configured=(NAME,), steps=spool.steps, servers=(), clock=clock
    )
    proving = Proving(spool=spool, destinations=(), our_ae="SCOPEGATE", stop=threading.Event())
    status = Status(clock=clock, senders={NAME: sender}, tellers={}, followers={}, notices=notices, proving=proving)
    (destination,) = status.state()["destinations"]
    found: dict[str, Any] = destination
    return found


def drained(sender: MediaSender) -> None:
    while sender.step():
        pass


def test_what_waits_is_written_when_the_medium_is_there_and_is_sent_then(
    spool: Spool, stick: Path, slot: Slot
) -> None:
    exam, other = exam_for_stick(spool), exam_for_stick(spool, stills=1)
    drained(sender_of(spool, stick, slot))

    assert holds(stick, items(spool, exam, other))
    assert states(spool) == [DeliveryState.SENT] * 3
    assert all(each.attempts == 1 and each.code == "" for each in deliveries(spool, NAME))


def test_a_medium_that_is_away_is_waited_for_without_alarm_and_without_counting_tries(
    spool: Spool, stick: Path, slot: Slot, clock: FakeClock
) -> None:
    exam = exam_for_stick(spool)
    sender = sender_of(spool, stick, slot)
    slot.plugged = False
    for _ in range(100):
        assert not sender.step()
        clock.move(3600)
    later = exam_for_stick(spool, stills=1)
    assert not sender.step()

    assert states(spool) == [DeliveryState.QUEUED] * 3
    assert {(each.code, each.attempts) for each in deliveries(spool, NAME)} == {("media-absent", 0)}
    assert said(sender, spool, clock)["state"] == "absent"
    assert not list(stick.iterdir())

    slot.plugged = True
    drained(sender)
    assert holds(stick, items(spool, exam, later))
    assert states(spool) == [DeliveryState.SENT] * 3
    assert {each.code for each in deliveries(spool, NAME)} == {""}
    there = said(sender, spool, clock)
    assert there["state"] == "ok"
    assert there["medium"]["free"] <= there["medium"]["total"]
    assert there["medium"]["read_only"] is False


def test_nothing_is_sent_before_the_directory_is_complete_and_everything_was_read_back(
    spool: Spool, stick: Path, slot: Slot
) -> None:
    """The medium fails after any number of operations: what the queue calls sent is on it, whole and listed."""
    wanted = items(spool, exam_for_stick(spool))
    uids = {item.sealed.sop_instance_uid for item in wanted}
    disk = Disk()
    for after in range(200):
        folder = stick / str(after)
        folder.mkdir()
        disk.fail(errno.EIO, after=after)
        sender_of(spool, folder, slot, files=disk).step()
        if states(spool) == [DeliveryState.SENT] * 2:
            break
        assert states(spool) == [DeliveryState.QUEUED] * 2
        assert {each.code for each in deliveries(spool, NAME)} == {"media-gone"}
        assert set(listed(folder)) in (set(), uids)
        spool.deliveries.retry(destination=NAME)

    assert after > 15
    assert holds(folder, wanted)


@pytest.mark.parametrize("victim", ["I0000001", "DICOMDIR"])
def test_a_medium_that_keeps_something_else_never_makes_anything_sent(
    spool: Spool, stick: Path, slot: Slot, clock: FakeClock, victim: str
) -> None:
    exam_for_stick(spool)
    sender = sender_of(spool, stick, slot, files=BadStick(victim))
    assert not sender.step()

    assert states(spool) == [DeliveryState.QUEUED] * 2
    assert {each.code for each in deliveries(spool, NAME)} == {"media-damaged"}
    assert (said(sender, spool, clock)["state"], said(sender, spool, clock)["code"]) == ("paused", "media-damaged")


def test_a_full_medium_pauses_the_destination_and_holds_nothing(
    spool: Spool, stick: Path, slot: Slot, clock: FakeClock
) -> None:
    exam = exam_for_stick(spool)
    disk = Disk()
    disk.fail(errno.ENOSPC, after=6)
    sender = sender_of(spool, stick, slot, files=disk)
    assert not sender.step()
    assert states(spool) == [DeliveryState.QUEUED] * 2
    assert said(sender, spool, clock)["code"] == "media-full"
    assert not sender.step(), "it pauses"

    disk.heal()
    clock.move(60)
    drained(sender)
    assert holds(stick, items(spool, exam))
    there = said(sender, spool, clock)
    assert there["state"] == "ok"
    assert there["medium"]["free"] <= there["medium"]["total"]
    assert there["medium"]["read_only"] is False


def test_another_stick_is_tried_at_once(spool: Spool, stick: Path, slot: Slot) -> None:
    exam = exam_for_stick(spool)
    disk = Disk()
    disk.fail(errno.EROFS)
    sender = sender_of(spool, stick, slot, files=disk)
    sender.step()
    disk.heal()
    slot.plugged = False
    sender.step()
    slot.plugged = True
    drained(sender)

    assert holds(stick, items(spool, exam))


def test_a_persons_wish_ends_the_pause(spool: Spool, stick: Path, slot: Slot) -> None:
    exam = exam_for_stick(spool)
    disk = Disk()
    disk.fail(errno.EROFS)
    sender = sender_of(spool, stick, slot, files=disk)
    sender.step()
    disk.heal()
    assert not sender.step()
    spool.deliveries.retry(destination=NAME)
    drained(sender)

    assert holds(stick, items(spool, exam))


def test_one_damaged_object_is_held_and_the_others_are_sent(spool: Spool, stick: Path, slot: Slot) -> None:
    exam = exam_for_stick(spool, stills=3)
    bad = objects(spool, exam)[1]
    spool.objects.path(bad).write_bytes(b"spoiled")
    drained(sender_of(spool, stick, slot))

    by_uid = {each.sop_instance_uid: each for each in deliveries(spool, NAME)}
    held = by_uid.pop(bad.sop_instance_uid)
    assert (held.state, held.code) == (DeliveryState.HELD, "spool-damaged")
    assert {each.state for each in by_uid.values()} == {DeliveryState.SENT}
    assert holds(stick, [i for i in items(spool, exam) if i.sealed.sop_instance_uid in by_uid])
    assert numbers(spool)


def test_an_exam_of_which_nothing_can_be_written_leaves_the_medium_alone(
    spool: Spool, stick: Path, slot: Slot
) -> None:
    exam = exam_for_stick(spool, stills=1)
    spool.objects.path(objects(spool, exam)[0]).unlink()
    drained(sender_of(spool, stick, slot))

    assert [(d.state, d.code) for d in deliveries(spool, NAME)] == [(DeliveryState.HELD, "file-missing")]
    assert not (stick / "DICOMDIR").exists()


def test_what_is_larger_than_the_destination_gets_is_held(spool: Spool, stick: Path, slot: Slot) -> None:
    exam_for_stick(spool, stills=1)
    drained(sender_of(spool, stick, slot, mb=0))

    assert [(d.state, d.code) for d in deliveries(spool, NAME)] == [(DeliveryState.HELD, "too-large")]


def test_what_a_person_holds_stays_off_the_medium(spool: Spool, stick: Path, slot: Slot) -> None:
    exam = exam_for_stick(spool)
    first = deliveries(spool, NAME)[0]
    spool.deliveries.hold(first.id)
    drained(sender_of(spool, stick, slot))

    assert holds(stick, [i for i in items(spool, exam) if i.sealed.sop_instance_uid != first.sop_instance_uid])


def test_a_process_that_is_told_to_stop_sends_nothing_and_counts_no_failure(
    spool: Spool, stick: Path, slot: Slot
) -> None:
    exam = exam_for_stick(spool)
    stop = threading.Event()
    stop.set()
    sender = sender_of(spool, stick, slot, stop=stop)
    assert not sender.step()
    assert states(spool) == [DeliveryState.QUEUED] * 2
    assert sender.pause is None
    assert not (stick / "DICOMDIR").exists()

    stop.clear()
    drained(sender)
    assert holds(stick, items(spool, exam))


def test_what_a_killed_process_was_writing_goes_again_and_is_there_once(
    spool: Spool, stick: Path, slot: Slot
) -> None:
    exam = exam_for_stick(spool)
    drained(sender_of(spool, stick, slot))
    with spool.database.write() as connection:  # killed after the medium was complete, before the rows said so
        connection.execute("UPDATE delivery SET state = 'sending'")
    spool.deliveries.forget_leases()
    drained(sender_of(spool, stick, slot))

    assert states(spool) == [DeliveryState.SENT] * 2
    assert holds(stick, items(spool, exam))
    assert len(list((stick / "DICOM").rglob("I*"))) == 2


def test_half_a_file_of_a_killed_process_is_gone_with_the_next_session_and_nothing_else_is(
    spool: Spool, stick: Path, slot: Slot
) -> None:
    folder = stick / "DICOM" / "SG000000"
    folder.mkdir(parents=True)
    others = [folder / "I0000002.TXT", folder / "NOTES.part", stick / "I0000003.part"]
    for path in (half := folder / "I0000001.part", *others):
        path.write_bytes(bytes(100))
    exam = exam_for_stick(spool)
    drained(sender_of(spool, stick, slot))

    assert holds(stick, items(spool, exam))
    assert not half.exists()
    assert all(path.exists() for path in others)


class LosesIndex(Disk):
    """Lets SQLite refuse every write of this thread as soon as a DICOMDIR is written, once."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool: Spool | None = spool

    def _rename(self, old: Path, new: Path) -> None:
        super()._rename(old, new)
        if new.name == "DICOMDIR" and self._spool:
            with self._spool.database.read() as connection:
                connection.execute("PRAGMA query_only = ON")
            self._spool = None


def test_an_index_that_fails_in_between_makes_it_go_again(spool: Spool, stick: Path, slot: Slot) -> None:
    exam = exam_for_stick(spool)
    sender = sender_of(spool, stick, slot, files=LosesIndex(spool))
    with pytest.raises(SpoolError):
        sender.step()
    with spool.database.read() as connection:
        connection.execute("PRAGMA query_only = OFF")
    assert states(spool) == [DeliveryState.SENDING] * 2
    drained(sender)

    assert states(spool) == [DeliveryState.SENT] * 2
    assert holds(stick, items(spool, exam))


def test_the_audit_file_says_which_exam_went_to_which_medium(spool: Spool, stick: Path, slot: Slot) -> None:
    exam = exam_for_stick(spool)
    drained(sender_of(spool, stick, slot))

    lines = spool.layout.audit.read_text().splitlines()
    assert [line for line in lines if '"exported"' in line and exam.id in line and NAME in line]
