"""The queue: only its owner moves a delivery, only one sender gets it, and no clock stalls it."""

import itertools
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.clock import FakeClock
from gateway.errors import NotFound, WrongState
from gateway.model import CaptureState, CommitmentState, Delivery, DeliveryState, Exam, ExamState, RequestState
from gateway.spool import states
from gateway.spool.queue.deliveries import BY_PERSON, Line
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.unit.spool.values import BORIS, seal, store, subject

CAP_S = 720.0
Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


def exam_with(spool: Spool, count: int, *, destinations: tuple[str, ...] = ("pacs",)) -> Exam:
    exam, _ = spool.exams.open(subject(BORIS), close_open=True)
    for number in range(1, count + 1):
        seal(spool, store(spool, exam, number), destinations)
    return exam


def only(spool: Spool) -> Delivery:
    (delivery,) = spool.deliveries.list()
    return delivery


def move(spool: Spool, delivery: Delivery, new: DeliveryState, **words: object) -> bool:
    return spool.deliveries.move(delivery, new, Owner.FORWARD, **words)  # type: ignore[arg-type]


def put(spool: Spool, state: DeliveryState) -> Delivery:
    """Bring the only delivery into a state, whatever its way there."""
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = ?", (state,))
    return only(spool)


# --- the table ---------------------------------------------------------------------------------------------------


ALLOWED = {
    (Q, SENDING, Owner.FORWARD),
    (SENDING, SENT, Owner.FORWARD),
    (SENDING, Q, Owner.FORWARD),
    (SENDING, HELD, Owner.FORWARD),
    (Q, HELD, Owner.PANEL),
    (HELD, Q, Owner.PANEL),
    (SENT, COMMITTED, Owner.FORWARD),
    (SENT, Q, Owner.FORWARD),
    (SENT, HELD, Owner.FORWARD),
    (HELD, SENT, Owner.FORWARD),
    (COMMITTED, HELD, Owner.FORWARD),
}


def test_only_these_moves_of_a_delivery_are_possible(spool: Spool) -> None:
    exam_with(spool, 1)
    for old, new, owner in itertools.product(DeliveryState, DeliveryState, Owner):
        before = put(spool, old)
        if (old, new, owner) in ALLOWED:
            assert spool.deliveries.move(before, new, owner)
            assert only(spool).state is new
        else:
            with pytest.raises(WrongState):
                spool.deliveries.move(before, new, owner)
            assert only(spool) == before


def test_what_the_table_forbids_changes_nothing(spool: Spool) -> None:
    exam_with(spool, 1)
    before = put(spool, SENT)
    for new, owner in ((HELD, Owner.PANEL), (SENDING, Owner.FORWARD), (COMMITTED, Owner.PANEL)):
        with pytest.raises(WrongState):
            spool.deliveries.move(before, new, owner)
    assert only(spool) == before


@pytest.mark.parametrize(
    ("moves", "kind"),
    [
        (states.EXAM, ExamState),
        (states.CAPTURE, CaptureState),
        (states.DELIVERY, DeliveryState),
        (states.REQUEST, RequestState),
        (states.COMMITMENT, CommitmentState),
    ],
)
def test_every_state_stands_in_its_table_and_every_move_has_a_reason(moves: states.Moves, kind: type) -> None:
    assert {state for pair in moves for state in pair} == set(kind)
    assert all(owner in Owner and reason for owner, reason in moves.values())


# --- moving ------------------------------------------------------------------------------------------------------


def test_of_two_senders_one_gets_the_object(spool: Spool, opened: Callable[..., Spool]) -> None:
    exam_with(spool, 1)
    seen = only(spool)
    senders = [opened() for _ in range(4)]
    got: list[bool] = []
    start = threading.Barrier(len(senders))

    def send(sender: Spool) -> None:
        start.wait(10)
        got.append(move(sender, seen, SENDING))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(got) == [False, False, False, True]
    assert only(spool).state is SENDING


def test_a_failed_attempt_waits_and_says_why(spool: Spool, clock: FakeClock) -> None:
    exam_with(spool, 1)
    assert move(spool, only(spool), SENDING)
    assert move(spool, only(spool), Q, attempts=1, wait_s=15, code="try-later", reason="It is away.", status="A700")
    waiting = only(spool)
    assert (waiting.attempts, waiting.code, waiting.reason, waiting.status) == (
        1,
        "try-later",
        "It is away.",
        "A700",
    )
    assert spool.deliveries.due("pacs", cap_s=CAP_S) == []
    clock.move(15)
    assert spool.deliveries.due("pacs", cap_s=CAP_S) == [waiting]


def test_a_person_holds_and_lets_go(spool: Spool) -> None:
    exam_with(spool, 1)
    held = spool.deliveries.hold(only(spool).id)
    assert (held.state, held.code) == (HELD, BY_PERSON)
    assert spool.deliveries.due("pacs", cap_s=CAP_S) == []
    with pytest.raises(WrongState):
        spool.deliveries.hold(held.id)
    released = spool.deliveries.release(held.id)
    assert (released.state, released.code, released.reason) == (Q, "", "")
    with pytest.raises(NotFound):
        spool.deliveries.hold(999)


def test_what_is_being_sent_is_neither_held_nor_released_by_a_person(spool: Spool) -> None:
    exam_with(spool, 1)
    sending = put(spool, SENDING)
    for act in (spool.deliveries.hold, spool.deliveries.release):
        with pytest.raises(WrongState):
            act(sending.id)
    assert only(spool) == sending


def test_a_new_sender_queues_again_what_its_predecessor_was_sending(spool: Spool) -> None:
    exam_with(spool, 2)
    first, second = spool.deliveries.list()
    move(spool, first, SENDING)
    assert spool.deliveries.forget_leases() == 1
    assert spool.deliveries.due("pacs", cap_s=CAP_S) == [spool.deliveries.get(first.id), second]


def test_retrying_and_releasing_reach_every_one_of_many(spool: Spool, clock: FakeClock) -> None:
    exam = exam_with(spool, 1)
    uid = only(spool).sop_instance_uid
    with spool.database.write() as connection:
        connection.executemany(
            "INSERT INTO delivery (sop_instance_uid, exam, destination, state, code, changed_ns) "
            "VALUES (?, ?, ?, 'held', 'outage', 0)",
            [(uid, exam.id, f"d{number}") for number in range(450)],
        )
    assert spool.deliveries.release_all("outage") == 450
    assert spool.deliveries.release_all("outage") == 0
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET next_attempt_ns = 9")
    assert spool.deliveries.retry() == 451
    assert spool.deliveries.retry(destination="d7") == 1
    assert spool.deliveries.retry(delivery=only_of(spool, "pacs").id) == 1
    assert spool.deliveries.counts() == {(name, Q): 1 for name in ("pacs", *(f"d{n}" for n in range(450)))}
    assert only_of(spool, "d7").changed_ns == int(clock.utc().timestamp() * 1e9)


def only_of(spool: Spool, destination: str) -> Delivery:
    (found,) = spool.deliveries.due(destination, cap_s=CAP_S)
    return found


# --- what is due -------------------------------------------------------------------------------------------------


def test_one_association_carries_the_objects_of_one_exam(spool: Spool) -> None:
    first, second = exam_with(spool, 3), exam_with(spool, 2)
    due = spool.deliveries.due("pacs", cap_s=CAP_S)
    assert [d.exam for d in due] == [first.id] * 3
    assert len(spool.deliveries.due("pacs", cap_s=CAP_S, limit=2)) == 2
    for delivery in due:
        move(spool, delivery, SENDING)
    assert {d.exam for d in spool.deliveries.due("pacs", cap_s=CAP_S)} == {second.id}
    assert spool.deliveries.due("elsewhere", cap_s=CAP_S) == []


def test_one_destination_that_is_away_holds_up_no_other(spool: Spool) -> None:
    exam_with(spool, 1, destinations=("pacs", "cloud"))
    (delivery,) = spool.deliveries.due("pacs", cap_s=CAP_S)
    move(spool, delivery, SENDING)
    move(spool, spool.deliveries.get(delivery.id), Q, wait_s=600)
    assert spool.deliveries.due("pacs", cap_s=CAP_S) == []
    assert len(spool.deliveries.due("cloud", cap_s=CAP_S)) == 1


@pytest.mark.parametrize("years", [-56, -10, -1, 1, 10])
def test_a_clock_that_jumps_by_years_stalls_no_delivery(spool: Spool, clock: FakeClock, years: int) -> None:
    exam_with(spool, 1)
    move(spool, only(spool), SENDING)
    move(spool, only(spool), Q, attempts=1, wait_s=600)
    clock.set(clock.utc() + timedelta(days=365 * years))
    assert len(spool.deliveries.due("pacs", cap_s=CAP_S)) == 1


@pytest.mark.parametrize("seconds", [-3600, -719, -300, -1, 1, 300])
def test_after_a_small_jump_of_the_clock_a_delivery_waits_one_cap_at_most(
    spool: Spool, clock: FakeClock, seconds: int
) -> None:
    exam_with(spool, 1)
    move(spool, only(spool), SENDING)
    move(spool, only(spool), Q, attempts=1, wait_s=600)
    clock.set(clock.utc() + timedelta(seconds=seconds))
    waited = 0
    while not spool.deliveries.due("pacs", cap_s=CAP_S):
        clock.move(10)
        waited += 10
    assert waited <= CAP_S


def test_the_next_attempt_is_told_while_something_waits(spool: Spool, clock: FakeClock) -> None:
    assert spool.deliveries.next_attempt_ns("pacs") is None
    exam_with(spool, 1)
    move(spool, only(spool), SENDING)
    assert spool.deliveries.next_attempt_ns("pacs") is None
    move(spool, only(spool), Q, wait_s=15)
    told = spool.deliveries.next_attempt_ns("pacs")
    assert told == int(clock.utc().timestamp() * 1e9) + 15_000_000_000


def test_deliveries_are_listed_by_state_exam_and_object(spool: Spool) -> None:
    first, second = exam_with(spool, 2), exam_with(spool, 1)
    one = spool.deliveries.list(exam=first.id)[0]
    spool.deliveries.hold(one.id)
    assert [d.id for d in spool.deliveries.list(states_wanted=(HELD,))] == [one.id]
    assert len(spool.deliveries.list(exam=second.id)) == 1
    assert [d.id for d in spool.deliveries.list(uid=one.sop_instance_uid)] == [one.id]
    assert len(spool.deliveries.list(limit=2)) == 2
    assert spool.deliveries.counts() == {("pacs", Q): 2, ("pacs", HELD): 1}


# --- fair order --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", list(Line))
def test_the_head_of_a_line_is_found_in_an_index_that_is_in_its_order(spool: Spool, line: Line) -> None:
    exam_with(spool, 1)
    asked: list[str] = []
    with spool.database.read() as connection:
        connection.set_trace_callback(asked.append)
    spool.deliveries.due("pacs", cap_s=CAP_S, first=line)
    with spool.database.read() as connection:
        connection.set_trace_callback(None)
        (head, *_) = (each for each in asked if each.startswith("SELECT exam"))
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {head}")]
        (batch, *_) = (each for each in asked if each.startswith("SELECT id"))
        of_exam = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {batch}")]
    index = "delivery_set_back" if line is Line.SET_BACK else "delivery_turn"
    assert len(plan) == 1, plan  # nothing is sorted
    assert f"USING INDEX {index} (destination=?" in plan[0]
    assert any("USING INDEX delivery_exam (exam=?)" in detail for detail in of_exam)


def test_what_was_set_back_comes_after_what_never_was_and_first_when_it_is_its_turn(
    spool: Spool, clock: FakeClock
) -> None:
    first, second = exam_with(spool, 1), exam_with(spool, 1)
    (delivery,) = spool.deliveries.due("pacs", cap_s=CAP_S)
    move(spool, delivery, SENDING)
    move(spool, spool.deliveries.get(delivery.id), Q, wait_s=15, set_back=True)
    clock.move(15)
    for line, exam in ((Line.TODAY, second), (Line.BACKLOG, second), (Line.SET_BACK, first)):
        assert spool.deliveries.due("pacs", cap_s=CAP_S, first=line)[0].exam == exam.id
    assert spool.deliveries.get(delivery.id).setbacks == 1
    held = spool.deliveries.hold(delivery.id)
    assert spool.deliveries.release(held.id).setbacks == 0


def test_an_exam_that_had_its_turn_is_passed_over_unless_it_is_alone(spool: Spool) -> None:
    first, second = exam_with(spool, 2), exam_with(spool, 1)
    assert spool.deliveries.due("pacs", cap_s=CAP_S, but_not=first.id)[0].exam == second.id
    for delivery in spool.deliveries.due("pacs", cap_s=CAP_S, but_not=first.id):
        move(spool, delivery, SENDING)
    assert spool.deliveries.due("pacs", cap_s=CAP_S, but_not=first.id)[0].exam == first.id
