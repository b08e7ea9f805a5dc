"""Proof of what was sent: nothing is called safe but what the archive that was asked said of what was asked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFailed, WrongState
from gateway.model import CommitmentReport, Delivery, DeliveryState
from gateway.spool.queue import proofs
from gateway.spool.queue.commitments import Heard, Said
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.queue.proofs import Unproven, Verdict
from gateway.spool.spool import Spool
from tests.unit.spool.values import BORIS, index_unwritable, seal, store, subject

QUEUED, SENDING, SENT, COMMITTED, HELD = DeliveryState
HOUR = 3600.0
CAP_S = 30 * HOUR


def sent_exam(spool: Spool, count: int = 3, *, destinations: tuple[str, ...] = ("pacs",)) -> str:
    """Return the id of an exam whose pictures all destinations took."""
    exam, _ = spool.exams.open(subject(BORIS), close_open=True)
    for number in range(1, count + 1):
        seal(spool, store(spool, exam, number), destinations)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sent', changed_ns = ?", (spool.clock.utc_ns(),))
    return exam.id


def due(spool: Spool, destination: str = "pacs", **words: float) -> list[Unproven]:
    return spool.proofs.due(destination, cap_s=CAP_S, **words)


def ask(spool: Spool, destination: str = "pacs") -> tuple[str, list[Unproven]]:
    """Ask about everything that is due and have the request taken; return its Transaction UID too."""
    asked = due(spool, destination)
    transaction = spool.commitments.ask(destination, asked)
    spool.commitments.accepted(transaction, wait_s=24 * HOUR)
    return transaction, asked


def verdict(each: Unproven, said: Said) -> Verdict:
    del each
    if said.stored:
        return Verdict(state=COMMITTED, proof="commitment")
    if said.reason is None:
        return Verdict(state=SENT, wait_s=HOUR)
    if said.reason == 0x0122:
        return Verdict(state=HELD, code="refused", reason="Not this kind.")
    return Verdict(state=QUEUED, wait_s=120, code="not-committed", reason="It has lost it.")


def hear(spool: Spool, transaction: str, *, of: tuple[str, ...] = ("pacs",), **said: object) -> Heard:
    report = CommitmentReport(transaction_uid=transaction, **said)  # type: ignore[arg-type]
    return spool.commitments.report(report, of=of, verdict=verdict)


def states(spool: Spool, destination: str = "pacs") -> list[DeliveryState]:
    return [each.state for each in deliveries(spool, destination)]


def deliveries(spool: Spool, destination: str = "pacs") -> list[Delivery]:
    return [each for each in spool.deliveries.list() if each.destination == destination]


def uids(asked: list[Unproven]) -> tuple[str, ...]:
    return tuple(each.sop_instance_uid for each in asked)


def send_again(spool: Spool) -> None:
    """Send what is queued, as a sender does."""
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sent' WHERE state = 'queued'")


# --- what is asked, and when --------------------------------------------------------------------------------------


def test_what_was_sent_is_asked_about_once_and_by_exam(spool: Spool) -> None:
    first, second = sent_exam(spool, 2), sent_exam(spool, 1)
    assert [each.exam for each in due(spool)] == [first, first]
    ask(spool)
    assert [each.exam for each in due(spool)] == [second]
    ask(spool)
    assert due(spool) == []


def test_only_what_is_sent_to_that_destination_is_asked_about(spool: Spool) -> None:
    sent_exam(spool, 1, destinations=("pacs", "cloud"))
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'queued' WHERE destination = 'pacs'")
    assert due(spool) == []
    assert [each.destination for each in due(spool, "cloud")] == ["cloud"]


def test_an_exam_is_left_alone_until_its_last_object_has_arrived_a_moment_ago(
    spool: Spool, clock: FakeClock
) -> None:
    sent_exam(spool, 2)
    assert due(spool, settle_s=10) == []
    clock.move(10)
    assert len(due(spool, settle_s=10)) == 2


def test_an_exam_that_is_left_alone_keeps_no_other_waiting(spool: Spool, clock: FakeClock) -> None:
    first, second = sent_exam(spool, 2), sent_exam(spool, 1)
    clock.move(10)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET changed_ns = ? WHERE exam = ?", (clock.utc_ns(), first))
    assert [each.exam for each in due(spool, settle_s=10)] == [second]


def test_a_large_exam_is_asked_about_in_parts_that_fit_a_short_transaction(spool: Spool) -> None:
    sent_exam(spool, 1)
    (one,) = due(spool)
    with spool.database.write() as connection:
        for number in range(2, 231):
            uid = f"1.2.{number}"
            connection.execute(
                "INSERT INTO object (sop_instance_uid, capture, exam, document) "
                "SELECT ?, capture, exam, document FROM object LIMIT 1",
                (uid,),
            )
            connection.execute(
                "INSERT INTO delivery (sop_instance_uid, exam, destination, state, changed_ns) "
                "VALUES (?, ?, 'pacs', 'sent', 0)",
                (uid, one.exam),
            )
    sizes = []
    while asked := due(spool):
        sizes.append(len(asked))
        transaction = spool.commitments.ask("pacs", asked)
        assert hear(spool, transaction, stored=uids(asked)) is Heard.APPLIED
    assert sizes == [99, 99, 32]
    assert 2 * proofs.MOST + 1 <= 200
    assert set(states(spool)) == {COMMITTED}


def test_what_nobody_reports_about_is_asked_again_under_another_transaction_uid(
    spool: Spool, clock: FakeClock
) -> None:
    sent_exam(spool)
    first, asked = ask(spool)
    clock.move(24 * HOUR - 1)
    assert due(spool) == []
    clock.move(1)
    second, again = ask(spool)
    assert again == asked
    assert second != first


def test_a_box_that_is_killed_before_the_archive_answered_asks_again_soon(
    opened: Callable[..., Spool], clock: FakeClock
) -> None:
    before = opened()
    sent_exam(before)
    asked = due(before)
    lost = before.commitments.ask("pacs", asked)
    before.close()
    after = opened()
    assert due(after) == []
    clock.move(600)
    assert due(after) == asked
    assert hear(after, lost, stored=uids(asked)) is Heard.APPLIED, "it may have reached the archive all the same"
    assert states(after) == [COMMITTED] * 3


def test_a_request_that_got_no_answer_is_repeated_at_once_and_its_report_counts_all_the_same(spool: Spool) -> None:
    sent_exam(spool)
    asked = due(spool)
    unanswered = spool.commitments.ask("pacs", asked)
    spool.commitments.not_accepted(unanswered, refused=False)
    assert due(spool) == asked
    assert hear(spool, unanswered, stored=uids(asked)) is Heard.APPLIED
    assert due(spool) == []


def test_an_answer_that_is_lost_after_the_report_came_does_not_hurry_anything(
    spool: Spool, clock: FakeClock
) -> None:
    sent_exam(spool)
    asked = due(spool)
    transaction = spool.commitments.ask("pacs", asked)
    hear(spool, transaction, failed=dict.fromkeys(uids(asked), 0x0112))
    spool.commitments.not_accepted(transaction, refused=False)
    spool.commitments.accepted(transaction, wait_s=24 * HOUR)
    send_again(spool)
    assert due(spool) == []
    clock.move(120)
    assert uids(due(spool)) == uids(asked)


def test_a_request_that_was_refused_is_not_outstanding(spool: Spool) -> None:
    sent_exam(spool)
    asked = due(spool)
    refused = spool.commitments.ask("pacs", asked)
    spool.commitments.not_accepted(refused, refused=True)
    assert due(spool) == asked
    assert hear(spool, refused, stored=uids(asked)) is Heard.UNKNOWN
    assert states(spool) == [SENT] * 3


@pytest.mark.parametrize("years", [-56, -10, -1, 1, 10])
def test_a_clock_that_jumps_by_years_keeps_nothing_from_being_asked_about(
    spool: Spool, clock: FakeClock, years: int
) -> None:
    sent_exam(spool)
    ask(spool)
    clock.set(clock.utc() + timedelta(days=365 * years))
    assert len(due(spool, settle_s=10)) == 3


# --- what a report makes of it ------------------------------------------------------------------------------------


def test_what_the_archive_vouches_for_is_committed_with_its_proof(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool)
    transaction, asked = ask(spool)
    clock.move(60)
    assert hear(spool, transaction, stored=uids(asked)) is Heard.APPLIED
    assert [(each.state, each.proof) for each in deliveries(spool)] == [(COMMITTED, "commitment")] * 3
    assert {each.changed_ns for each in deliveries(spool)} == {clock.utc_ns()}
    assert spool.commitments.reported(transaction)


def test_what_failed_goes_again_and_a_duplicate_is_then_the_same_object(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool)
    transaction, asked = ask(spool)
    good, lost, wrong = uids(asked)
    hear(spool, transaction, stored=(good,), failed={lost: 0x0112, wrong: 0x0122})
    _, queued, held = deliveries(spool)
    assert states(spool) == [COMMITTED, QUEUED, HELD]
    assert (queued.in_doubt, queued.code, queued.reason) == (True, "not-committed", "It has lost it.")
    assert (held.code, held.reason) == ("refused", "Not this kind.")
    assert [each.sop_instance_uid for each in spool.deliveries.due("pacs", cap_s=900)] == [lost]
    send_again(spool)
    assert due(spool) == [], "the archive needs time to file it"
    clock.move(120)
    assert uids(due(spool)) == (lost,)


def test_a_failure_without_a_reason_is_a_failure(spool: Spool) -> None:
    sent_exam(spool, 1)
    transaction, asked = ask(spool)
    hear(spool, transaction, failed=dict.fromkeys(uids(asked), 0))
    assert states(spool) == [QUEUED]


def test_what_a_report_leaves_out_is_asked_about_again(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool)
    transaction, asked = ask(spool)
    hear(spool, transaction, stored=uids(asked)[:2])
    assert states(spool) == [COMMITTED, COMMITTED, SENT]
    assert due(spool) == []
    clock.move(HOUR)
    assert uids(due(spool)) == uids(asked)[2:]


def test_a_warning_with_which_it_was_stored_stays_when_it_is_committed(spool: Spool) -> None:
    sent_exam(spool, 1)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET code = 'stored-with-warning', reason = 'It changed something.'")
    transaction, asked = ask(spool)
    hear(spool, transaction, stored=uids(asked))
    (kept,) = deliveries(spool)
    assert (kept.state, kept.code, kept.reason) == (COMMITTED, "stored-with-warning", "It changed something.")


def test_nothing_is_committed_without_proof_whoever_says_so(spool: Spool) -> None:
    sent_exam(spool)
    asked = due(spool)
    with pytest.raises(WrongState):
        spool.proofs.settle(asked, lambda _: Verdict(state=COMMITTED))
    with pytest.raises(WrongState):
        spool.proofs.settle(asked, lambda _: Verdict(state=SENT, proof="query"))
    assert states(spool) == [SENT] * 3


# --- repeated, late, and forged reports ---------------------------------------------------------------------------


def test_a_report_that_comes_twice_changes_nothing_the_second_time(spool: Spool) -> None:
    sent_exam(spool)
    transaction, asked = ask(spool)
    good, *lost = uids(asked)
    said = {"stored": (good,), "failed": dict.fromkeys(lost, 0x0112)}
    assert hear(spool, transaction, **said) is Heard.APPLIED
    before = spool.deliveries.list()
    assert hear(spool, transaction, **said) is Heard.REPEATED
    assert spool.deliveries.list() == before
    send_again(spool)
    assert hear(spool, transaction, **said) is Heard.REPEATED
    assert hear(spool, transaction, stored=uids(asked)) is Heard.REPEATED
    assert states(spool) == [COMMITTED, SENT, SENT]


def test_a_report_that_is_a_day_late_counts(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool)
    late, asked = ask(spool)
    clock.move(30 * HOUR)
    ask(spool)
    assert hear(spool, late, stored=uids(asked)) is Heard.APPLIED
    assert states(spool) == [COMMITTED] * 3


def test_a_late_good_word_does_not_cover_what_was_lost_since(spool: Spool, clock: FakeClock) -> None:
    """The archive said at last that it has lost it: an answer to an older question says nothing about that."""
    sent_exam(spool)
    late, asked = ask(spool)
    clock.move(30 * HOUR)
    newer, _ = ask(spool)
    hear(spool, newer, failed=dict.fromkeys(uids(asked), 0x0112))
    send_again(spool)
    assert hear(spool, late, stored=uids(asked)) is Heard.APPLIED
    assert states(spool) == [SENT] * 3


def test_a_report_says_nothing_about_what_is_not_sent_any_more(spool: Spool) -> None:
    sent_exam(spool)
    transaction, asked = ask(spool)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held' WHERE id = ?", (asked[0].delivery,))
        connection.execute("UPDATE delivery SET state = 'queued' WHERE id = ?", (asked[1].delivery,))
    hear(spool, transaction, stored=uids(asked))
    assert states(spool) == [HELD, QUEUED, COMMITTED]


def test_a_report_about_one_archive_says_nothing_about_another(spool: Spool) -> None:
    sent_exam(spool, destinations=("pacs", "cloud"))
    transaction, asked = ask(spool)
    hear(spool, transaction, stored=uids(asked))
    assert states(spool, "pacs") == [COMMITTED] * 3
    assert states(spool, "cloud") == [SENT] * 3


FORGED = {
    "an unknown transaction": ({"transaction": "2.25.99"}, Heard.UNKNOWN),
    "another peer than was asked": ({"of": ("cloud",)}, Heard.STRANGER),
    "nobody we know": ({"of": ()}, Heard.STRANGER),
    "an object that was not asked about": ({"more": ("2.25.4711",)}, Heard.FOREIGN),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_report_changes_nothing(spool: Spool, what: str) -> None:
    sent_exam(spool, destinations=("pacs", "cloud"))
    transaction, asked = ask(spool)
    words, expected = FORGED[what]
    before = spool.deliveries.list()
    said = {"stored": (*uids(asked), *words.get("more", ()))}  # type: ignore[arg-type]
    found = hear(spool, str(words.get("transaction", transaction)), of=words.get("of", ("pacs",)), **said)  # type: ignore[arg-type]
    assert found is expected
    assert spool.deliveries.list() == before
    assert not spool.commitments.reported(transaction)


def test_a_report_that_the_disk_refuses_can_come_again(spool: Spool) -> None:
    sent_exam(spool)
    transaction, asked = ask(spool)
    with index_unwritable(spool), pytest.raises(DiskFailed):
        hear(spool, transaction, stored=uids(asked))
    assert states(spool) == [SENT] * 3
    assert hear(spool, transaction, stored=uids(asked)) is Heard.APPLIED


# --- the peer that says nothing -----------------------------------------------------------------------------------


def test_an_archive_that_does_not_report_is_noticed_and_forgiven(spool: Spool, clock: FakeClock) -> None:
    def silent() -> int | None:
        return spool.commitments.silent_since_ns("pacs", wait_s=24 * HOUR)

    sent_exam(spool)
    begun = clock.utc_ns()
    ask(spool)
    assert silent() is None
    clock.move(24 * HOUR)
    transaction, asked = ask(spool)
    assert silent() == begun
    assert spool.commitments.silent_since_ns("cloud", wait_s=24 * HOUR) is None
    hear(spool, transaction, stored=uids(asked))
    assert silent() is None


def test_requests_that_nobody_can_answer_any_more_are_forgotten(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool)
    transaction, asked = ask(spool)
    clock.move(29 * 24 * HOUR)
    assert not spool.commitments.forget_old("pacs")
    clock.move(2 * 24 * HOUR)
    assert not spool.commitments.forget_old("cloud")
    assert spool.commitments.forget_old("pacs")
    assert not spool.commitments.forget_old("pacs")
    assert hear(spool, transaction, stored=uids(asked)) is Heard.UNKNOWN
    with spool.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM commitment_item").fetchone()[0] == 0


# --- after a rebuild ----------------------------------------------------------------------------------------------


def test_what_a_rebuild_lost_track_of_is_sent_or_goes_again_as_the_archive_says(spool: Spool) -> None:
    sent_exam(spool)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = ?", (AFTER_REBUILD,))
    asked = spool.proofs.lost_track("pacs")
    assert len(asked) == 3
    spool.deliveries.release(asked[0].delivery)  # a person is faster with one of them
    spool.proofs.found_again(asked, lambda each: each in asked[:2])
    assert states(spool) == [QUEUED, SENT, QUEUED]
    assert [(each.code, each.in_doubt) for each in deliveries(spool)[1:]] == [("", True)] * 2
    assert spool.proofs.lost_track("pacs") == []


def test_what_a_person_holds_is_not_asked_about(spool: Spool) -> None:
    sent_exam(spool)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = 'held-by-person'")
    assert spool.proofs.lost_track("pacs") == []
    assert due(spool) == []


def test_the_search_for_what_is_due_costs_nothing_while_thousands_wait(spool: Spool) -> None:
    sent_exam(spool)
    with spool.database.read() as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN " + proofs._FIRST.format("<="), ("pacs", 0, 0, 0)).fetchall()
    assert any(
        "delivery_unproven (destination=? AND sent_to=? AND proof_due_ns<?)" in row["detail"] for row in plan
    )


def test_a_value_of_the_queue_is_what_was_asked_about(spool: Spool) -> None:
    exam = sent_exam(spool, 1)
    (asked,) = due(spool)
    (delivery,) = deliveries(spool)
    assert asked == Unproven(
        delivery=delivery.id,
        sop_instance_uid=delivery.sop_instance_uid,
        exam=exam,
        destination="pacs",
        round=0,
    )
    spool.proofs.settle([asked], lambda _: Verdict(state=SENT))
    assert due(spool) == [replace(asked, round=1)]
