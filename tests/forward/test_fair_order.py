"""Who is sent first: today's pictures, yet nobody waits for ever, and nobody waits for a bad one."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway.clock import FakeClock
from gateway.errors import NeverAccepted, TryLater
from gateway.model import DeliveryState, Exam
from gateway.net.store import Wanted
from gateway.spool.spool import Spool
from tests.forward.bench import clip, deliveries, let_go, objects, open_exam, sealed_exam, wrap_all
from tests.forward.channels import BROKEN, UNREACHABLE, Answer, Archive, pacs, run, sender

SENT, QUEUED = DeliveryState.SENT, DeliveryState.QUEUED


@pytest.fixture
def archive() -> Archive:
    return Archive()


def exams_in_order(spool: Spool, archive: Archive) -> list[str]:
    """Return the exams of what arrived, each once for each turn."""
    found: list[str] = []
    for uid in archive.got:
        exam = spool.objects.get(uid).exam
        if found[-1:] != [exam]:
            found.append(exam)
    return found


def made(spool: Spool, count: int, *, stills: int = 2) -> list[str]:
    return [sealed_exam(spool, stills=stills).id for _ in range(count)]


def test_today_s_exams_go_before_a_backlog_and_the_backlog_never_stands_still(
    spool: Spool, archive: Archive, clock: FakeClock
) -> None:
    old = made(spool, 3)
    clock.move(86_400)
    new = made(spool, 7)
    run(sender(spool, archive))
    t, b = iter(new), iter(old)
    # three of today, one of the backlog; when today is through, the rest of the backlog, the oldest first
    expected = [next(line) for line in (t, t, t, b, t, t, t, t, b, b)]
    assert exams_in_order(spool, archive) == expected


def test_an_archive_that_accepts_and_hangs_up_is_left_alone_whenever_it_is_noticed(
    spool: Spool, archive: Archive
) -> None:
    made(spool, 1)
    archive.hangs_up = True
    part = sender(spool, archive)
    run(part)
    assert len(archive.calls) == 1
    assert part.pause
    assert part.pause.error.code == "dropped"
    assert archive.got == []


def test_an_endless_stream_of_today_s_exams_does_not_keep_the_backlog_waiting(
    spool: Spool, archive: Archive, clock: FakeClock
) -> None:
    old = made(spool, 5, stills=1)
    clock.move(86_400)
    made(spool, 4, stills=1)
    part = sender(spool, archive)
    for _ in range(40):
        sealed_exam(spool, stills=1)
        part.step()
    arrived = exams_in_order(spool, archive)
    assert [arrived.index(exam) for exam in old] == [3, 11, 19, 27, 35]


@pytest.mark.parametrize("days", [-20_000, -400, -1, 1, 400, 3650])
def test_a_wrong_clock_changes_the_order_and_nothing_else(
    spool: Spool, archive: Archive, clock: FakeClock, days: int
) -> None:
    made(spool, 2)
    clock.set(clock.utc() + timedelta(days=days))
    made(spool, 2)
    clock.set(clock.utc() - timedelta(days=days // 2))
    made(spool, 2)
    run(sender(spool, archive))
    assert {d.state for d in deliveries(spool)} == {SENT}
    assert len(set(archive.got)) == len(archive.got) == 12


def test_after_an_outage_everything_goes_in_the_order_of_its_making(
    spool: Spool, archive: Archive, clock: FakeClock
) -> None:
    exams = made(spool, 30, stills=1)

    def away(_: Sequence[Wanted]) -> None:
        raise UNREACHABLE

    archive.opens = away
    part = sender(spool, archive)
    for _ in range(50):
        run(part)
        clock.move(600)
    archive.opens = lambda _: None
    run(part)
    assert exams_in_order(spool, archive) == exams


def test_an_object_that_breaks_every_transfer_delays_no_other(
    spool: Spool, archive: Archive, clock: FakeClock
) -> None:
    bad = objects(spool, sealed_exam(spool, stills=3))[1].sop_instance_uid
    made(spool, 20)

    def say(uid: str) -> Answer:
        return BROKEN if uid == bad else "0000"

    archive.say = say
    part = sender(spool, archive)
    waited = tries = 0
    while len(archive.got) < 42:
        run(part)
        clock.move(15)
        waited += 15
        assert waited <= 60, "one bad object holds up the others"
    for _ in range(4 * 60 * 6):  # six hours with an exam every 5 minutes
        clock.move(15)
        if not _ % 20:
            sealed_exam(spool, stills=1)
        run(part)
    tries = sum(bad in call for call in archive.calls)
    assert tries < 50
    assert [d.sop_instance_uid for d in deliveries(spool) if d.state is QUEUED] == [bad]


def test_an_exam_for_which_the_archive_never_opens_delays_no_other(
    spool: Spool, archive: Archive, clock: FakeClock
) -> None:
    exam = open_exam(spool)
    clip(spool, exam)
    exam = let_go(spool, exam)
    wrap_all(spool)
    others = made(spool, 20, stills=1)

    def opens(wanted: Sequence[Wanted]) -> None:
        if any(each.lossy for each in wanted):
            raise TryLater("The archive pacs broke off the connection.", code="aborted")

    archive.opens = opens
    part = sender(spool, archive)
    for _ in range(6):
        run(part)
        clock.move(30)
    assert exams_in_order(spool, archive) == others
    assert [d.exam for d in deliveries(spool) if d.state is QUEUED] == [exam.id]
    archive.opens = lambda _: None
    clock.move(1200)
    run(part)
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_a_refused_object_delays_no_other(spool: Spool, archive: Archive, clock: FakeClock) -> None:
    refusal = NeverAccepted("The archive pacs refuses it.", code="refused")
    refusal.status = "A900"
    bad = objects(spool, sealed_exam(spool, stills=2))[0].sop_instance_uid
    made(spool, 3)
    archive.say = lambda uid: refusal if uid == bad else "0000"
    part = sender(spool, archive)
    run(part)
    assert len(archive.got) == 7
    clock.move(15)
    run(part)
    assert [d.state for d in deliveries(spool)].count(DeliveryState.HELD) == 1


def test_stills_of_another_exam_wait_for_one_enormous_clip_at_most(spool: Spool, archive: Archive) -> None:
    exam = open_exam(spool)
    for _ in range(4):
        clip(spool, exam)
    exam = let_go(spool, exam)
    wrap_all(spool)
    other = sealed_exam(spool, stills=3)
    run(sender(spool, archive, turn_bytes=2_000))  # so that a small clip is an enormous one
    turn = [spool.objects.get(call[0]).exam for call in archive.calls]
    assert turn[:2] == [exam.id, other.id]
    assert len(archive.calls[0]) == 1
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_a_dead_destination_delays_no_other(spool: Spool, archive: Archive) -> None:
    exam: Exam = sealed_exam(spool, "pacs", "cloud", stills=3)
    dead = Archive()

    def away(_: Sequence[Wanted]) -> None:
        raise UNREACHABLE

    dead.opens = away
    run(sender(spool, dead))
    run(sender(spool, archive, to=pacs("cloud")))
    assert archive.got == [each.sop_instance_uid for each in objects(spool, exam)]
    assert {d.state for d in deliveries(spool, "pacs")} == {QUEUED}
