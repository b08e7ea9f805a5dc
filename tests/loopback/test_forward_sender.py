"""What every answer of an archive makes of a delivery: its state, code, words, and the destination's pause."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import Clock, FakeClock
from gateway.errors import DiskFailed
from gateway.forward.channel import connector
from gateway.forward.sender import Sender
from gateway.model import Delivery, DeliveryState
from gateway.net.peers import Timeouts
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.loopback.forward_archive import (
    ABORT,
    DROP,
    MUTE,
    Scripted,
    destination,
    memory_spool,
    pause_s,
    sender,
    stored,
)
from tests.loopback.peers import FaultArchive, RawServer, StoreScp, free_port
from tests.loopback.peers.faults import closes, silent, speaks_http
from tests.loopback.peers.items import data_set_bytes
from tests.unit.forward.bench import CANARY_WORDS, deliveries, delivery, objects, sealed_exam

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spool(clock: FakeClock) -> Iterator[Spool]:
    with memory_spool(clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def only_archive() -> Iterator[Scripted]:
    with Scripted() as peer:
        yield peer


@pytest.fixture
def archive(only_archive: Scripted) -> Scripted:
    """The scripted archive of this file, with nothing left of the test before."""
    only_archive.say, only_archive.reject, only_archive.takes_nothing = stored, None, False
    only_archive.hangs_up = False
    for kept in (only_archive.arrived, only_archive.calls, only_archive.of_call):
        kept.clear()
    return only_archive


def run(part: Sender) -> None:
    """Take steps until there is no more to do now."""
    steps = 0
    while part.step():
        steps += 1
        assert steps < 200, "the sender never comes to rest"


def always(status: int | str) -> Callable[[str], int | str]:
    return lambda _: status


def in_words(found: Delivery) -> str:
    """Check that a delivery's reason is for people and names nobody."""
    assert found.reason
    assert not any(word in found.reason for word in CANARY_WORDS)
    return found.reason


# --- answers to an object (dicom.md 5) ---------------------------------------------------------------------------


def test_an_object_that_was_taken_is_sent(spool: Spool, archive: Scripted, clock: FakeClock) -> None:
    sealed_exam(spool)
    part = sender(spool, archive)
    run(part)
    found = delivery(spool)
    assert (found.state, found.code, found.reason, found.status, found.attempts) == (SENT, "", "", "0000", 1)
    assert pause_s(part, clock) == 0
    run(part)
    assert len(archive.calls) == 1


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_is_sent_and_says_what_the_archive_did(spool: Spool, archive: Scripted, status: int) -> None:
    sealed_exam(spool)
    archive.say = always(status)
    run(sender(spool, archive))
    found = delivery(spool)
    assert (found.state, found.code, found.status) == (SENT, "stored-with-warning", f"{status:04X}")
    assert "stored it but" in in_words(found)


@pytest.mark.parametrize(
    ("status", "code", "seconds"),
    [
        (0xA700, "out-of-resources", 15),
        (0xA7FF, "out-of-resources", 15),
        (0x0213, "out-of-resources", 15),
        (0x0110, "processing-failure", 15),
        (0x0210, "duplicate-invocation", 15),
        (0x1234, "unknown-status", 15),
        (0x0124, "not-authorized", 900),
        (0x0214, "not-authorized", 900),
    ],
)
def test_an_archive_in_trouble_is_left_alone_for_a_while_and_gets_everything_later(
    spool: Spool, archive: Scripted, *, clock: FakeClock, status: int, code: str, seconds: int
) -> None:
    sealed_exam(spool, stills=3)
    archive.say = always(status)
    part = sender(spool, archive)
    run(part)
    assert len(archive.arrived) == 1
    assert pause_s(part, clock) == seconds
    assert {(d.state, d.code, d.status, d.attempts) for d in deliveries(spool)} == {(Q, code, f"{status:04X}", 1)}
    assert all(f"status {status:04X}" in in_words(d) for d in deliveries(spool))
    archive.say = always(0)
    clock.move(seconds - 1)
    run(part)
    assert len(archive.arrived) == 1
    clock.move(1)
    run(part)
    clock.move(15)  # the object at which it broke goes a little later than the others
    run(part)
    assert {d.state for d in deliveries(spool)} == {SENT}
    assert part.pause is None


@pytest.mark.parametrize("status", [0x0122, 0x0112])
def test_a_kind_of_object_that_is_not_taken_waits_for_a_person_and_the_others_go(
    spool: Spool, archive: Scripted, clock: FakeClock, status: int
) -> None:
    exam = sealed_exam(spool, stills=3)
    unwanted = objects(spool, exam)[0].sop_instance_uid
    archive.say = lambda uid: status if uid == unwanted else 0
    part = sender(spool, archive)
    run(part)
    first, *others = deliveries(spool)
    assert (first.state, first.code, first.status) == (HELD, "sop-class", f"{status:04X}")
    assert "Call IT" in in_words(first)
    assert {d.state for d in others} == {SENT}
    assert pause_s(part, clock) == 0
    assert len(archive.calls) == 1


def test_an_archive_that_refuses_one_kind_of_object_is_not_away_any_more(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.reject = (2, 3, 1)
    part = sender(spool, archive)
    run(part)
    archive.reject = None
    archive.say = always(0x0122)
    clock.move(15)
    run(part)
    assert delivery(spool).state is HELD
    assert part.pause is None


REFUSALS = [0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0106, 0x0115, 0x0117, 0x0119, 0x0120, 0x0121, 0x0211, 0x0212]


@pytest.mark.parametrize("status", REFUSALS)
def test_an_object_refused_for_itself_gets_one_more_try_then_waits_and_the_others_go(
    spool: Spool, archive: Scripted, clock: FakeClock, status: int
) -> None:
    exam = sealed_exam(spool, stills=3)
    bad = objects(spool, exam)[1].sop_instance_uid
    archive.say = lambda uid: status if uid == bad else 0
    part = sender(spool, archive)
    run(part)
    first, refused, last = deliveries(spool)
    assert (first.state, last.state) == (SENT, SENT)
    assert (refused.state, refused.code, refused.status) == (Q, "refused", f"{status:04X}")
    assert pause_s(part, clock) == 0
    clock.move(15)
    run(part)
    held = deliveries(spool)[1]
    assert (held.state, held.code, held.attempts) == (HELD, "refused", 2)
    assert "sending it again will not help" in in_words(held)
    for _ in range(5):
        clock.move(3600)
        run(part)
    assert archive.uids.count(bad) == 2


def test_another_object_of_the_same_identity_is_no_success(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.say = always(0x0111)
    part = sender(spool, archive)
    run(part)
    clock.move(15)
    run(part)
    found = delivery(spool)
    assert (found.state, found.code, found.status) == (HELD, "duplicate", "0111")


def test_refused_connections_are_no_transfer_that_a_duplicate_could_be_of(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.reject = (2, 3, 1)
    part = sender(spool, archive)
    for _ in range(3):
        run(part)
        clock.move(700)
    archive.reject = None
    archive.say = always(0x0111)
    for _ in range(3):
        run(part)
        clock.move(700)
    assert delivery(spool).state is HELD


@pytest.mark.parametrize("fault", [ABORT, DROP, MUTE])
def test_a_duplicate_after_a_transfer_of_unknown_outcome_is_that_very_object(
    spool: Spool, archive: Scripted, clock: FakeClock, fault: str
) -> None:
    sealed_exam(spool)
    archive.say = always(fault)
    part = sender(spool, archive)
    run(part)
    assert delivery(spool).in_doubt
    archive.say = always(0x0110)  # a clear answer in between takes nothing from the doubt
    clock.move(30)
    run(part)
    held = delivery(spool)
    assert (held.state, held.in_doubt) == (Q, True)
    archive.say = always(0x0111)
    clock.move(60)
    run(part)
    assert (delivery(spool).state, delivery(spool).status) == (SENT, "0111")


# --- no answer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "code"), [(ABORT, "aborted"), (DROP, "dropped"), (MUTE, "timeout")])
def test_an_object_that_got_no_answer_goes_again_byte_for_byte_and_the_rest_before_it(
    spool: Spool, archive: Scripted, clock: FakeClock, fault: str, code: str
) -> None:
    exam = sealed_exam(spool, stills=3)
    first, second, third = (each.sop_instance_uid for each in objects(spool, exam))
    archive.say = lambda uid: fault if uid == second else 0
    part = sender(spool, archive)
    run(part)
    assert [d.state for d in deliveries(spool)] == [SENT, Q, Q]
    assert {d.code for d in deliveries(spool)[1:]} == {code}
    assert all(in_words(d) for d in deliveries(spool)[1:])
    assert pause_s(part, clock) == 15
    archive.say = always(0)
    for _ in range(2):
        clock.move(15)
        run(part)
    assert archive.uids == [first, second, third, second]
    tries = [each.data_set for each in archive.arrived if each.sop_instance_uid == second]
    assert tries[0] == tries[1]
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_an_object_that_breaks_the_archive_each_time_keeps_no_other_from_it(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    poisoned, other = sealed_exam(spool, stills=3), sealed_exam(spool, stills=2)
    poison = objects(spool, poisoned)[0].sop_instance_uid
    archive.say = lambda uid: ABORT if uid == poison else 0
    part = sender(spool, archive)
    for _ in range(8):
        run(part)
        clock.move(15)
    wanted = {each.sop_instance_uid for exam in (poisoned, other) for each in objects(spool, exam)} - {poison}
    assert {d.sop_instance_uid for d in deliveries(spool) if d.state is SENT} == wanted
    assert archive.uids.count(poison) >= 2


# --- no association ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reject", "code", "seconds"),
    [
        ((2, 3, 1), "busy", 15),
        ((2, 3, 2), "busy", 15),
        ((2, 1, 1), "busy", 15),
        ((1, 1, 1), "rejected", 900),
        ((1, 1, 2), "rejected", 900),
        ((1, 1, 3), "rejected-title", 900),
        ((1, 1, 7), "rejected-title", 900),
        ((1, 2, 1), "rejected", 900),
        ((1, 2, 2), "rejected", 900),
    ],
)
def test_a_refused_connection_is_tried_again_for_ever(
    spool: Spool, archive: Scripted, *, clock: FakeClock, reject: tuple[int, int, int], code: str, seconds: int
) -> None:
    sealed_exam(spool, stills=2)
    archive.reject = reject
    part = sender(spool, archive)
    run(part)
    assert part.pause is not None
    assert (part.pause.error.code, pause_s(part, clock)) == (code, seconds)
    assert {(d.state, d.code) for d in deliveries(spool)} == {(Q, code)}
    assert all(in_words(d) for d in deliveries(spool))
    for _ in range(4):
        clock.move(1200)
        run(part)
    assert len(archive.calls) == 5
    assert {d.state for d in deliveries(spool)} == {Q}
    archive.reject = None
    clock.move(1000)
    run(part)
    assert {d.state for d in deliveries(spool)} == {SENT}


@pytest.mark.parametrize(("behave", "code"), [(silent, "silent"), (closes, "dropped"), (speaks_http, "garbage")])
def test_a_peer_that_is_no_archive_is_told_apart_and_tried_again(
    spool: Spool, clock: FakeClock, behave: Callable[..., None], code: str
) -> None:
    sealed_exam(spool)
    with RawServer(behave) as peer:
        part = sender(spool, peer)
        run(part)
    assert (delivery(spool).state, delivery(spool).code) == (Q, code)
    assert pause_s(part, clock) == 15


def test_a_destination_that_is_down_is_asked_less_and_less_often_and_never_given_up(
    spool: Spool, clock: FakeClock, archive: Scripted
) -> None:
    sealed_exam(spool, stills=2)
    part = sender(spool, archive, port=free_port())
    waits = []
    for _ in range(9):
        run(part)
        waits.append(pause_s(part, clock))
        clock.move(waits[-1])
    assert waits == [15, 30, 60, 120, 240, 480, 600, 600, 600]
    assert {(d.state, d.code, d.attempts) for d in deliveries(spool)} == {(Q, "unreachable", 9)}
    assert part.pause is not None
    assert part.pause.since.boottime_ns == 1_000_000_000
    part._connect = connector(destination(archive), our_ae="SCOPEGATE")  # as if it came back at its old address
    run(part)
    assert {d.state for d in deliveries(spool)} == {SENT}
    assert part.pause is None


def test_waits_vary_by_a_fifth_so_that_the_boxes_of_a_site_do_not_come_back_together(archive: Scripted) -> None:
    class Dice(FakeClock):
        def jitter(self, share: float) -> float:
            assert share == 0.2
            return 1 - share

    dice = Dice()
    with memory_spool(dice) as spool:
        sealed_exam(spool)
        part = sender(spool, archive, port=free_port())
        run(part)
        assert pause_s(part, dice) == 12


@pytest.mark.parametrize("years", [-40, -1, 1, 40])
def test_a_clock_that_is_set_stalls_nothing(spool: Spool, archive: Scripted, clock: FakeClock, years: int) -> None:
    sealed_exam(spool)
    archive.reject = (2, 3, 1)
    part = sender(spool, archive)
    run(part)
    clock.set(clock.utc() + timedelta(days=365 * years))
    archive.reject = None
    run(part)
    assert delivery(spool).state is Q
    clock.move(15)
    run(part)
    assert delivery(spool).state is SENT


def test_an_archive_that_accepts_and_hangs_up_at_once_is_left_alone_too(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.hangs_up = True
    part = sender(spool, archive)
    for number in range(1, 5):
        run(part)
        assert len(archive.calls) == number
        assert pause_s(part, clock) > 0
        clock.move(pause_s(part, clock) + 15)
    assert delivery(spool).state is Q
    assert archive.uids == []


# --- a person ----------------------------------------------------------------------------------------------------


def test_a_person_s_retry_goes_at_once_and_once(spool: Spool, archive: Scripted, clock: FakeClock) -> None:
    for _ in range(3):
        sealed_exam(spool)
    archive.reject = (2, 3, 1)
    part = sender(spool, archive)
    run(part)
    run(part)
    assert len(archive.calls) == 1
    assert spool.deliveries.retry(destination="pacs") == 3
    run(part)
    assert len(archive.calls) == 2
    assert pause_s(part, clock) == 30
    run(part)
    assert len(archive.calls) == 2
    archive.reject = None
    spool.deliveries.retry()
    run(part)
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_a_person_s_retry_of_what_was_never_tried_goes_at_once(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.reject = (1, 1, 7)
    part = sender(spool, archive)
    run(part)
    archive.reject = None
    sealed_exam(spool)
    run(part)
    assert pause_s(part, clock) == 900
    fresh = deliveries(spool)[1]
    assert fresh.attempts == 0
    assert spool.deliveries.retry(delivery=fresh.id) == 1
    run(part)
    assert spool.deliveries.get(fresh.id).state is SENT


def test_what_a_person_holds_is_not_sent_until_released(spool: Spool, archive: Scripted, clock: FakeClock) -> None:
    exam = sealed_exam(spool, stills=3)
    waiting = deliveries(spool)
    spool.deliveries.hold(waiting[0].id)

    def say(uid: str) -> int:
        if uid == waiting[1].sop_instance_uid:
            spool.deliveries.hold(waiting[2].id)  # while the one before it is on its way
        return 0

    archive.say = say
    part = sender(spool, archive)
    run(part)
    clock.move(10_000)
    run(part)
    assert [d.state for d in deliveries(spool)] == [HELD, SENT, HELD]
    spool.deliveries.release(waiting[0].id)
    spool.deliveries.release(waiting[2].id)
    run(part)
    assert {d.state for d in deliveries(spool)} == {SENT}
    assert sorted(archive.uids) == sorted(each.sop_instance_uid for each in objects(spool, exam))


def test_a_pause_ends_when_nothing_is_left_that_it_was_about(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.reject = (2, 3, 1)
    part = sender(spool, archive)
    run(part)
    spool.deliveries.hold(delivery(spool).id)
    clock.move(15)
    run(part)
    assert part.pause is None


# --- an outage ---------------------------------------------------------------------------------------------------


def test_an_archive_that_refuses_everything_is_waited_for_and_nothing_stays_held(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    archive.say = always(0xC000)
    part = sender(spool, archive)
    for _ in range(2):  # pictures of two exams are held before anybody can know
        sealed_exam(spool)
        for _ in range(2):
            run(part)
            clock.move(15)
    assert [d.state for d in deliveries(spool)] == [HELD, HELD]
    sealed_exam(spool, stills=4)
    run(part)
    assert part.pause is not None
    assert part.pause.error.code == "outage"
    for _ in range(6):
        clock.move(700)
        run(part)
    assert [d.state for d in deliveries(spool)] == [HELD, HELD, Q, Q, Q, Q]
    archive.say = always(0)
    for _ in range(4):
        clock.move(700)
        run(part)
    assert {d.state for d in deliveries(spool)} == {SENT}
    assert part.pause is None


def test_an_exam_that_is_refused_as_a_whole_does_not_keep_others_waiting(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    refused = {each.sop_instance_uid for each in objects(spool, sealed_exam(spool, stills=6))}
    archive.say = lambda uid: 0xA900 if uid in refused else 0
    part = sender(spool, archive)
    run(part)
    sealed_exam(spool, stills=2)
    clock.move(15)
    run(part)
    assert {d.state for d in deliveries(spool)[6:]} == {SENT}
    for _ in range(12):
        clock.move(100)
        sealed_exam(spool)
        run(part)
    assert {d.state for d in deliveries(spool)[6:]} == {SENT}
    assert HELD in {d.state for d in deliveries(spool)[:6]}


# --- exams and destinations --------------------------------------------------------------------------------------


def test_one_association_carries_one_exam_in_the_order_of_its_pictures(spool: Spool, archive: Scripted) -> None:
    exams = [sealed_exam(spool, stills=3, clips=1) for _ in range(3)]
    run(sender(spool, archive))
    assert archive.of_call == [[each.sop_instance_uid for each in objects(spool, exam)] for exam in exams]


def test_a_destination_that_is_stuck_delays_no_other(clock: FakeClock, archive: Scripted) -> None:
    with memory_spool(clock, destinations=("stuck", "pacs")) as spool, RawServer(silent) as dead:
        sealed_exam(spool, "stuck", "pacs", stills=2)
        stuck, good = sender(spool, dead, "stuck"), sender(spool, archive, "pacs")
        run(stuck)
        run(good)
        assert {d.state for d in deliveries(spool, "stuck")} == {Q}
        assert {d.state for d in deliveries(spool, "pacs")} == {SENT}
        assert good.pause is None


def test_an_archive_that_takes_its_time_gets_everything(spool: Spool) -> None:
    sealed_exam(spool)
    with FaultArchive(late_s=5.0) as slow:
        run(sender(spool, slow, ae_title="LATE", timeouts=Timeouts()))
        assert len(slow.arrived) == 1
    assert {d.state for d in deliveries(spool)} == {SENT}


# --- what arrives ------------------------------------------------------------------------------------------------


def test_what_arrives_is_the_sealed_data_set(spool: Spool, archive_of_everything: StoreScp) -> None:
    exam = sealed_exam(spool, stills=2, clips=1)
    run(sender(spool, archive_of_everything))
    for sealed in objects(spool, exam):
        arrived = archive_of_everything.file(sealed.sop_instance_uid).read_bytes()
        assert data_set_bytes(arrived) == data_set_bytes(spool.objects.path(sealed).read_bytes())


def test_an_archive_of_implicit_only_gets_stills_and_the_clip_says_what_to_set_up(
    spool: Spool, archive_of_implicit: StoreScp, clock: FakeClock
) -> None:
    exam = sealed_exam(spool, stills=2, clips=1)
    part = sender(spool, archive_of_implicit)
    run(part)
    *stills, clip = deliveries(spool)
    assert {d.state for d in stills} == {SENT}
    assert (clip.state, clip.code) == (HELD, "no-context")
    assert re.search(r"does not take JPEG clips.*set up.*1\.2\.840\.10008\.1\.2\.4\.50", in_words(clip))
    assert pause_s(part, clock) == 0
    assert archive_of_implicit.file(objects(spool, exam)[0].sop_instance_uid).stat().st_size > 0


def test_when_nothing_of_an_exam_is_taken_all_of_it_waits_for_a_person(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool, stills=1, clips=1)
    archive.takes_nothing = True
    part = sender(spool, archive)
    run(part)
    assert [(d.state, d.code) for d in deliveries(spool)] == [(HELD, "no-context")] * 2
    assert "pictures" in in_words(deliveries(spool)[0])
    assert "clips" in in_words(deliveries(spool)[1])
    assert pause_s(part, clock) == 0


def test_the_uncompressed_form_is_the_same_at_every_try(spool: Spool, archive: Scripted, clock: FakeClock) -> None:
    sealed_exam(spool)
    archive.say = always(0xA700)
    part = sender(spool, archive, transfer_syntaxes=("1.2.840.10008.1.2",))
    run(part)
    archive.say = always(0)
    clock.move(30)
    run(part)
    first, second = archive.arrived
    assert first == second
    assert first.transfer_syntax_uid == "1.2.840.10008.1.2"


# --- the box's own trouble ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["missing", "changed", "empty"])
def test_a_damaged_object_is_held_and_the_others_go(
    spool: Spool, archive: Scripted, clock: FakeClock, harm: str
) -> None:
    exam = sealed_exam(spool, stills=2)
    path = spool.objects.path(objects(spool, exam)[0])
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] + bytes(9) if harm == "changed" else b"")
    part = sender(spool, archive)
    run(part)
    damaged, good = deliveries(spool)
    assert (damaged.state, good.state) == (HELD, SENT)
    assert damaged.code in {"file-missing", "spool-damaged"}
    assert "Call service" in in_words(damaged)
    assert archive.uids == [good.sop_instance_uid]
    assert pause_s(part, clock) == 0


def test_an_answer_that_could_not_be_noted_means_that_the_same_bytes_go_again(
    spool: Spool, archive: Scripted
) -> None:
    sealed_exam(spool)
    with spool.database.read() as connection:
        ours = connection

    def say(uid: str) -> int:
        del uid
        ours.execute("PRAGMA query_only = ON")  # the disk fails while the archive stores
        return 0

    archive.say = say
    part = sender(spool, archive)
    with pytest.raises(DiskFailed):
        part.step()
    ours.execute("PRAGMA query_only = OFF")
    assert delivery(spool).state is SENDING
    archive.say = always(0x0111)
    run(part)
    assert delivery(spool).state is SENT
    assert archive.arrived[0] == archive.arrived[1]


KILLED = """
import sys
from pathlib import Path
from gateway.clock import Clock
from gateway.spool.opening import open_spool
from tests.loopback.forward_archive import sender
from types import SimpleNamespace
spool = open_spool(Path(sys.argv[1]), clock=Clock())
sender(spool, SimpleNamespace(port=int(sys.argv[2]))).step()
"""


def test_a_sender_killed_before_it_noted_the_answer_sends_the_same_bytes_again(
    tmp_path: Path, archive: Scripted
) -> None:
    spool = open_spool(tmp_path / "data", clock=Clock())
    sealed_exam(spool, stills=2)
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(spool.layout.root), str(archive.port)])
    first = objects(spool, spool.exams.list()[0])[0].sop_instance_uid

    def say(uid: str) -> int:
        child.kill() if uid == first else None
        child.wait()
        return 0

    archive.say = say
    assert child.wait(30) == -signal.SIGKILL
    assert [d.state for d in deliveries(spool)] == [SENDING, Q]
    spool.deliveries.forget_leases()
    archive.say = lambda uid: 0x0111 if uid == first else 0
    run(sender(spool, archive))
    assert {d.state for d in deliveries(spool)} == {SENT}
    tries = [each for each in archive.arrived if each.sop_instance_uid == first]
    assert len(tries) == 2
    assert tries[0] == tries[1]
    spool.close()


def test_objects_in_a_stopping_process_wait_for_the_next(spool: Spool, archive: Scripted) -> None:
    sealed_exam(spool, stills=3)
    part = sender(spool, archive)

    def say(uid: str) -> int:
        del uid
        part._stop.set()
        return 0

    archive.say = say
    assert not part.step()
    assert [d.state for d in deliveries(spool)] == [SENT, Q, Q]


def test_no_delivery_is_left_in_the_middle(spool: Spool, archive: Scripted, clock: FakeClock) -> None:
    sealed_exam(spool, stills=4, clips=1)
    part = sender(spool, archive)
    for answer in (0xA700, ABORT, 0xC000, 0x0122, 0x0124, DROP, 0):
        archive.say = always(answer)
        clock.move(2000)
        run(part)
        assert SENDING not in {d.state for d in deliveries(spool)}
    assert len(deliveries(spool)) == 5
