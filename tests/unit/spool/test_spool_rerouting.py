"""Whole queues by a person's hand: moved, filled, sent again, given up; no object is touched."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from gateway.clock import FakeClock
from gateway.model import DeliveryState, Exam
from gateway.spool.queue.batches import BATCH
from gateway.spool.queue.rerouting import Moved
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.unit.spool.values import BORIS, seal, store, subject

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


def exam_with(spool: Spool, count: int, *, destinations: tuple[str, ...] = ("old",)) -> Exam:
    exam, _ = spool.exams.open(subject(BORIS), close_open=True)
    for number in range(1, count + 1):
        seal(spool, store(spool, exam, number), destinations)
    return exam


def put(spool: Spool, state: DeliveryState, *ids: int, code: str = "") -> None:
    with spool.database.write() as connection:
        connection.executemany(
            "UPDATE delivery SET state = ?, code = ?, in_doubt = 1, attempts = 3, next_attempt_ns = 9 WHERE id = ?",
            [(state, code, each) for each in ids],
        )


def ids(spool: Spool, destination: str = "old") -> list[int]:
    return [d.id for d in spool.deliveries.list(limit=100_000) if d.destination == destination]


def many(spool: Spool, count: int, destination: str = "old") -> None:
    """Let a destination have a long queue, without files."""
    exam = exam_with(spool, 1, destinations=())
    (known,) = spool.objects.of_exam(exam.id)
    with spool.database.write() as connection:
        for number in range(count):
            uid = f"2.25.{number}"
            connection.execute(
                "INSERT INTO object (sop_instance_uid, capture, exam, document) "
                "SELECT ?, capture, exam, document FROM object WHERE sop_instance_uid = ?",
                (uid, known.sop_instance_uid),
            )
            connection.execute(
                "INSERT INTO delivery (sop_instance_uid, exam, destination, state, changed_ns) VALUES (?,?,?,?,1)",
                (uid, exam.id, destination, Q),
            )


def files_of(spool: Spool) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(spool.layout.exams.rglob("*")) if path.is_file()}


def test_a_moved_queue_waits_for_the_other_destination_as_new(spool: Spool) -> None:
    exam_with(spool, 5)
    queued, refused, by_person, sent, sending = ids(spool)
    put(spool, Q, queued)
    put(spool, HELD, refused, code="sop-class")
    put(spool, HELD, by_person, code="held-by-person")
    put(spool, SENT, sent)
    put(spool, SENDING, sending)
    before = files_of(spool)
    assert spool.rerouting.move("old", "new") == Moved(moved=3, merged=0)
    moved = [spool.deliveries.get(each) for each in (queued, refused, by_person)]
    assert [(d.destination, d.state, d.code) for d in moved] == [
        ("new", Q, ""),
        ("new", Q, ""),
        ("new", HELD, "held-by-person"),
    ]
    assert {(d.attempts, d.next_attempt_ns, d.in_doubt) for d in moved} == {(0, 0, False)}
    assert ids(spool) == [sent, sending]
    assert files_of(spool) == before
    assert spool.rerouting.move("old", "new") == Moved(moved=0, merged=0)


def test_what_stands_in_both_queues_stands_once_after_the_move(spool: Spool) -> None:
    exam_with(spool, 2, destinations=("old", "new"))
    first, second = ids(spool, "new")
    put(spool, SENT, first)
    assert spool.rerouting.move("old", "new") == Moved(moved=0, merged=2)
    assert ids(spool) == []
    assert [spool.deliveries.get(each).state for each in (first, second)] == [SENT, Q]


def test_a_sender_that_saw_a_delivery_before_the_move_does_not_send_it_to_the_old_destination(
    spool: Spool,
) -> None:
    exam_with(spool, 1)
    (seen,) = spool.deliveries.due("old", cap_s=720)
    spool.rerouting.move("old", "new")
    assert not spool.deliveries.move(seen, SENDING, Owner.FORWARD)
    spool.deliveries.postpone([seen], wait_s=600, code="unreachable", reason="It is away.")
    assert [d.id for d in spool.deliveries.due("new", cap_s=720)] == [seen.id]


def test_long_queues_are_moved_whole_also_by_two_people_at_once(spool: Spool, opened: Callable[..., Spool]) -> None:
    many(spool, 3 * BATCH + 7)
    done: list[Moved] = []
    threads = [
        threading.Thread(target=lambda s=s: done.append(s.rerouting.move("old", "new")))
        for s in (opened(), opened())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(each.moved for each in done) == 3 * BATCH + 7
    assert sum(each.merged for each in done) == 0
    assert ids(spool) == []
    assert len(ids(spool, "new")) == 3 * BATCH + 7


def test_what_was_sent_is_sent_again_when_a_person_wants_it(spool: Spool, clock: FakeClock) -> None:
    exam_with(spool, 1)
    clock.move(86_400 * 3)
    since = clock.utc() - timedelta(days=1)
    exam_with(spool, 3)
    old, sent, committed, held = ids(spool)
    for state, each in ((SENT, old), (SENT, sent), (COMMITTED, committed), (HELD, held)):
        put(spool, state, each)
    assert spool.rerouting.resend("old", since=since) == 2
    assert [spool.deliveries.get(each).state for each in (old, sent, committed, held)] == [SENT, Q, Q, HELD]
    assert {
        (spool.deliveries.get(each).attempts, spool.deliveries.get(each).proof) for each in (sent, committed)
    } == {(0, "")}
    assert spool.rerouting.resend("old") == 1
    assert spool.rerouting.resend("old") == 0


def test_a_duplicate_proves_something_only_where_the_object_was_sent_before(spool: Spool) -> None:
    exam_with(spool, 2)
    spool.destinations.put("old", peer="PACS 10.0.0.6 104", settings="a")
    first, second = ids(spool)
    deliver(spool, first)
    spool.destinations.put("old", peer="PACS 10.0.0.7 104", settings="b")
    deliver(spool, second)
    assert spool.destinations.sent_to_others("old") == 1
    assert spool.rerouting.resend("old") == 2
    assert [spool.deliveries.get(each).in_doubt for each in (first, second)] == [False, True]
    assert spool.destinations.sent_to_others("old") == 0


def deliver(spool: Spool, delivery: int) -> None:
    for state in (SENDING, SENT):
        assert spool.deliveries.move(spool.deliveries.get(delivery), state, Owner.FORWARD)


def test_a_queue_that_is_given_up_takes_no_object_along(spool: Spool) -> None:
    exam_with(spool, 4, destinations=("old", "pacs"))
    _, sent, held, sending = ids(spool)
    put(spool, SENT, sent)
    put(spool, HELD, held)
    put(spool, SENDING, sending)
    before = files_of(spool)
    assert spool.destinations.unsettled("old") == 3
    assert spool.rerouting.drop("old") == 3
    assert ids(spool) == [sent]
    assert len(ids(spool, "pacs")) == 4
    assert files_of(spool) == before
    assert len(spool.objects.of_exam(spool.deliveries.get(sent).exam)) == 4


def test_a_later_destination_gets_what_was_sealed_before_as_a_backlog(spool: Spool, clock: FakeClock) -> None:
    exam_with(spool, 2)
    clock.move(86_400 * 3)
    since = clock.utc() - timedelta(days=1)
    exam_with(spool, 3)
    clock.move(86_400)
    assert spool.rerouting.add("new", since=since, wants=lambda _: True) == 3
    assert spool.rerouting.add("new", since=since, wants=lambda _: True) == 0
    assert (
        spool.rerouting.add(
            "new", since=datetime.fromisoformat("1990-01-01T00:00:00+00:00"), wants=lambda c: c.instance_number > 1
        )
        == 1
    )
    today = exam_with(spool, 1, destinations=("new",))
    now = spool.deliveries.due("new", cap_s=720, today_ns=int(clock.utc().timestamp() * 1e9))
    assert [d.exam for d in now] == [today.id]


def test_every_name_with_a_queue_is_known(spool: Spool) -> None:
    assert spool.destinations.with_queue() == ()
    exam_with(spool, 1, destinations=("b", "a", "c"))
    assert spool.destinations.with_queue() == ("a", "b", "c")
