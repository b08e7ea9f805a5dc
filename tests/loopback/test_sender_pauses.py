"""How long a destination is left alone, what a person's wish does to that, and what an outage is."""

from datetime import timedelta

import pytest

from gateway.clock import FakeClock
from gateway.forward.sending.channel import connector
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from tests.forward.bench import deliveries, delivery, objects, sealed_exam
from tests.loopback.forward_archive import (
    Scripted,
    always,
    destination,
    in_words,
    memory_spool,
    pause_s,
    run,
    sender,
)
from tests.loopback.peers import free_port

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


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
