"""What others do to an exam between two steps of its opening, or of its reopening: nothing of it is lost."""

import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import DiskFull, ExamOpen, SpoolBusy, SpoolDamaged
from gateway.model import Exam, ExamState, PleaseCheck, Series
from gateway.spool import records
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS, item_subject, store, subject

A_DAY = timedelta(days=1)


@contextmanager
def rows_wait(monkeypatch: pytest.MonkeyPatch, spool: Spool, meanwhile: Callable[[], object] = lambda: None):
    """Let no row that says "open" be written; something else happens while it waits for its turn."""
    put_row = spool.exams.put_row

    def waited(exam: Exam) -> None:
        if exam.state is not ExamState.OPEN:
            return put_row(exam)
        meanwhile()
        raise SpoolBusy

    with monkeypatch.context() as patch:
        patch.setattr(spool.exams, "put_row", waited)
        yield


def released(spool: Spool) -> Exam:
    exam, _ = spool.exams.open(subject(ANNA))
    store(spool, exam, 1)
    spool.exams.finish(exam.id)
    return spool.exams.release(exam.id)


def on_disk(spool: Spool, exam: Exam) -> Exam:
    return records.load(Exam, spool.layout.exam_json(exam.id).read_bytes())


# --- opened again ----------------------------------------------------------------------------------------------


def test_a_reopening_that_is_undone_keeps_the_series_that_was_added_right_before(
    spool: Spool, opened: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    exam, forward = released(spool), opened()
    made: list[Series] = []
    open_one = spool.exams.open_one

    def looked() -> Exam | None:
        made.append(forward.exams.series_for(exam.id, "ultrasound", "US"))
        return open_one()

    monkeypatch.setattr(spool.exams, "open_one", looked)
    with rows_wait(monkeypatch, spool), pytest.raises(SpoolBusy):
        reopen(spool, exam.id, within=A_DAY)
    now = on_disk(spool, exam)
    assert (now.state, now.series) == (ExamState.RELEASED, tuple(made))


@pytest.mark.parametrize("does", ["adds a series", "changes nothing"])
def test_a_reopening_whose_row_somebody_else_wrote_holds_with_what_they_added(
    spool: Spool, opened: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    exam, forward = released(spool), opened()
    change, made = spool.exams.change, []

    def changed(of: str, how: Callable[[Exam], Exam]) -> Exam:
        try:
            return change(of, how)
        finally:  # the exam's lock is free again
            if does == "adds a series":
                made.append(forward.exams.series_for(exam.id, "ultrasound", "US"))
            else:
                forward.exams.change(exam.id, lambda old: old)

    monkeypatch.setattr(spool.exams, "change", changed)
    with rows_wait(monkeypatch, spool):
        again = reopen(spool, exam.id, within=A_DAY)
    assert (again.state, again.series) == (ExamState.OPEN, tuple(made))
    assert on_disk(spool, exam) == spool.exams.open_one() == again


# --- opened ----------------------------------------------------------------------------------------------------


def test_an_exam_that_could_not_be_opened_is_adopted_by_no_start_and_leaves_no_name(
    spool: Spool, opened: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = threading.Thread(target=opened)

    def start() -> None:
        starts.start()
        starts.join(timeout=0.5)  # it waits until it is decided what becomes of the exam

    with rows_wait(monkeypatch, spool, start), pytest.raises(SpoolBusy):
        spool.exams.open(item_subject())
    starts.join()
    assert spool.exams.list() == []
    assert [path for path in spool.layout.exams.rglob("*") if path.is_file() and path.name != ".lock"] == []
    assert spool.exams.open(subject(BORIS))[1]


def test_an_exam_whose_row_came_after_all_is_open_and_its_caller_is_told_so(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_row = spool.exams.put_row

    def committed(exam: Exam) -> None:
        put_row(exam)
        raise SpoolBusy  # the index was made anew at this moment, from a file that was there

    with monkeypatch.context() as patch:
        patch.setattr(spool.exams, "put_row", committed)
        exam, new = spool.exams.open(item_subject())
    assert new
    assert on_disk(spool, exam) == spool.exams.open_one() == exam


@pytest.mark.parametrize("gone", ["the file", "the folder"])
def test_an_open_exam_whose_files_are_gone_keeps_nobody_from_opening_the_next(spool: Spool, gone: str) -> None:
    lost, _ = spool.exams.open(subject(ANNA))
    spool.layout.exam_json(lost.id).unlink()
    if gone == "the folder":
        for path in spool.layout.exam(lost.id).iterdir():
            path.unlink()
        spool.layout.exam(lost.id).rmdir()
    with pytest.raises(ExamOpen):
        spool.exams.open(subject(BORIS))
    following, new = spool.exams.open(subject(BORIS), close_open=True)
    assert new
    assert spool.exams.open_one() == following
    ended = on_disk(spool, lost)
    assert (ended.state, ended.please_check) == (ExamState.FINISHED, PleaseCheck.REBOOT)
    assert spool.exams.unquestioned() == []


def test_an_index_that_fails_does_not_undo_what_the_file_says(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam, _ = spool.exams.open(subject(ANNA))

    def damaged(_: Exam) -> None:
        raise SpoolDamaged

    with monkeypatch.context() as patch:
        patch.setattr(spool.exams, "put_row", damaged)
        with pytest.raises(SpoolDamaged):
            spool.exams.assign(exam.id, subject(BORIS))
        with pytest.raises(SpoolDamaged):
            spool.exams.open(subject(ANNA), close_open=True)
    assert on_disk(spool, exam).patient == BORIS
    assert list(spool.layout.of_exams("*.damaged")) == []


def test_a_grouped_order_that_cannot_be_written_whole_leaves_no_name_behind(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = spool.files.write

    def full(path: Path, *words: object, **named: object) -> object:
        if path.name == "exam.json":
            raise DiskFull
        return write(path, *words, **named)

    monkeypatch.setattr(spool.files, "write", full)
    with pytest.raises(DiskFull):
        spool.exams.open(item_subject(ANNA))
    assert list(spool.layout.of_exams("order*")) == []
    assert spool.exams.open_one() is None
