"""What becomes of an erasing when an exam changed, or something forbids it, after somebody agreed to it."""

from collections.abc import Callable

import pytest

from gateway.errors import WrongState
from gateway.model import DeliveryState, Exam
from gateway.spool.erasure import erasable, erasing
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.unit.spool.test_spool_erasing import CANARY, erase, is_open, of_another, rows_of
from tests.unit.spool.values import BORIS, store, subject


def test_of_several_that_may_go_alone_one_that_cannot_stays_whole_and_stops_no_other(spool: Spool) -> None:
    sent, goes = of_another(spool), of_another(spool)
    losses = [erasable.loss(spool, exam.id, ["pacs"]) for exam in (sent, goes)]
    queued = spool.deliveries.list(exam=sent.id, states_wanted=(DeliveryState.QUEUED,))
    assert queued
    spool.deliveries.move(queued[0], DeliveryState.SENDING, Owner.FORWARD)  # since somebody looked
    before = rows_of(spool, sent.id)
    done = erasing.erase_each(spool, losses, by="panel", servers=())
    assert [(each.exam.id, type(each.why)) for each in done.staying] == [(sent.id, WrongState)]
    assert done.clean
    assert [exam.id for exam in spool.exams.list()] == [sent.id]
    assert rows_of(spool, sent.id) == before
    assert spool.layout.exam(sent.id).is_dir()


def is_kept(spool: Spool, exam: Exam) -> None:
    spool.exams.keep(exam.id, keep=True)


def is_given_away(spool: Spool, exam: Exam) -> None:
    spool.exams.assign(exam.id, subject(BORIS))


def is_given_away_behind_its_row(spool: Spool, exam: Exam) -> None:
    """Give it away as where the index is full: exam.json says so, and the row does not yet."""
    with spool.database.read() as connection:
        row = connection.execute("SELECT revision, document FROM exam WHERE id = ?", (exam.id,)).fetchone()
    is_given_away(spool, exam)
    with spool.database.write() as connection:
        connection.execute("UPDATE exam SET revision = ?, document = ? WHERE id = ?", (*row, exam.id))


@pytest.mark.parametrize("happens", [is_kept, is_given_away, is_given_away_behind_its_row])
def test_an_exam_that_changed_since_it_was_agreed_to_is_not_erased_as_the_first_patient_s(
    spool: Spool, happens: Callable[[Spool, Exam], None]
) -> None:
    goes, exam = of_another(spool), is_open(spool)
    store(spool, exam, 1)
    spool.exams.finish(exam.id)
    losses = [erasable.loss(spool, each.id, ["pacs"]) for each in (exam, goes)]
    happens(spool, exam)  # while the erasure waits for its turn
    done = erasing.erase_each(spool, losses, by="panel", servers=())
    assert [(each.exam.id, str(each.why.what)) for each in done.staying] == [
        (exam.id, "The exam has changed meanwhile.")
    ]
    assert [each.id for each in spool.exams.list()] == [exam.id]
    assert spool.layout.exam(exam.id).is_dir()
    assert erase(spool, exam)  # after another look


def test_an_exam_given_away_before_anybody_looked_at_its_file_is_not_erased_either(spool: Spool) -> None:
    exam = is_open(spool)
    spool.exams.finish(exam.id)
    is_given_away_behind_its_row(spool, exam)
    agreed = erasable.loss(spool, exam.id, ["pacs"])
    assert agreed.exam.patient == CANARY  # the row is behind
    with pytest.raises(WrongState, match="has changed meanwhile"):
        erasing.erase(spool, agreed, by="panel", servers=())
    assert spool.exams.get(exam.id).patient == BORIS


def test_what_forbids_erasing_is_asked_before_each_and_what_was_begun_is_finished(spool: Spool) -> None:
    exams = [of_another(spool) for _ in range(3)]
    losses = [erasable.loss(spool, exam.id, ["pacs"]) for exam in exams]
    asked = iter((False, True, False))

    def may() -> None:
        if next(asked):
            raise WrongState("An exam is open on this box.")

    done = erasing.erase_each(spool, losses, by="panel", servers=(), may=may)
    assert [each.exam.id for each in done.staying] == [exams[1].id]
    assert [each.id for each in spool.exams.list()] == [exams[1].id]
