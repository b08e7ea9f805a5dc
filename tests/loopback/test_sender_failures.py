"""No answer, no association, and the box's own trouble: nothing is lost, nothing is sent wrongly."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import Clock, FakeClock
from gateway.errors import DiskFailed
from gateway.model import DeliveryState
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.forward.bench import deliveries, delivery, objects, sealed_exam
from tests.loopback.forward_archive import (
    ABORT,
    DROP,
    MUTE,
    QUICK,
    Scripted,
    always,
    in_words,
    limits,
    memory_spool,
    pause_s,
    run,
    sender,
)
from tests.loopback.peers import RawServer
from tests.loopback.peers.faults import closes, silent, speaks_http

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


@pytest.mark.parametrize(("fault", "code"), [(ABORT, "aborted"), (DROP, "dropped"), (MUTE, "timeout")])
def test_an_object_that_got_no_answer_goes_again_byte_for_byte_and_the_rest_before_it(
    spool: Spool, archive: Scripted, clock: FakeClock, fault: str, code: str
) -> None:
    exam = sealed_exam(spool, stills=3)
    first, second, third = (each.sop_instance_uid for each in objects(spool, exam))
    archive.say = lambda uid: fault if uid == second else 0
    part = sender(spool, archive, timeouts=limits(fault))
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
        part = sender(spool, peer, timeouts=replace(QUICK, negotiate=1.0))
        run(part)
    assert (delivery(spool).state, delivery(spool).code) == (Q, code)
    assert pause_s(part, clock) == 15


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


def test_a_destination_that_is_stuck_delays_no_other(clock: FakeClock, archive: Scripted) -> None:
    with memory_spool(clock, destinations=("stuck", "pacs")) as spool, RawServer(silent) as dead:
        sealed_exam(spool, "stuck", "pacs", stills=2)
        stuck = sender(spool, dead, "stuck", timeouts=replace(QUICK, negotiate=1.0))
        good = sender(spool, archive, "pacs")
        run(stuck)
        run(good)
        assert {d.state for d in deliveries(spool, "stuck")} == {Q}
        assert {d.state for d in deliveries(spool, "pacs")} == {SENT}
        assert good.pause is None


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
