"""A look at everything that is stored: what is wrong is named once, and what only moved meanwhile is not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import SpoolDamaged
from gateway.model import Capture, Exam
from gateway.spool import inspection
from gateway.spool.inspection import Finding
from gateway.spool.spool import Spool
from tests.unit.spool.values import seal, store, subject


@pytest.fixture
def exam(spool: Spool) -> Exam:
    return spool.exams.open(subject())[0]


@pytest.fixture
def captures(spool: Spool, exam: Exam) -> list[Capture]:
    """Three pictures, of which the last is sealed."""
    found = [store(spool, exam, number) for number in (1, 2, 3)]
    seal(spool, found[2])
    return found


def found_in(spool: Spool, at: Callable[[int], None] = lambda _: None) -> list[Finding]:
    return list(inspection.inspect(spool, inspection.exams_of(spool), at))


def places(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.place.partition("/")[2], finding.code) for finding in findings]


def media(spool: Spool, capture: Capture) -> Path:
    return spool.layout.media(capture.exam, capture.media)


def test_each_picture_is_looked_at_once_and_nothing_is_wrong(
    spool: Spool, exam: Exam, captures: list[Capture]
) -> None:
    steps: list[int] = []
    assert found_in(spool, steps.append) == []
    assert sum(steps) == len(captures) == inspection.count_of(spool, exam.id)


@pytest.mark.usefixtures("exam")
def test_what_is_wrong_has_the_code_that_it_has_everywhere(spool: Spool, captures: list[Capture]) -> None:
    media(spool, captures[0]).write_bytes(b"rot")
    media(spool, captures[1]).unlink()
    sealed = spool.layout.object(captures[2].exam, captures[2].sop_instance_uid)
    sealed.unlink()
    sealed.mkdir()  # a read of it is an error of the disk
    assert set(places(found_in(spool))) == {
        (captures[0].media, "spool-damaged"),
        (f"{captures[1].sop_instance_uid}.json", "file-missing"),
        (sealed.name, "file-unreadable"),
    }


def test_an_exam_that_lost_its_record_is_looked_at(spool: Spool, exam: Exam, captures: list[Capture]) -> None:
    spool.layout.exam_json(exam.id).unlink()
    media(spool, captures[0]).write_bytes(b"rot")
    assert places(found_in(spool)) == [("exam.json", "file-unreadable"), (captures[0].media, "spool-damaged")]


def test_a_large_picture_is_read_in_pieces_between_which_somebody_may_say_stop(
    spool: Spool, exam: Exam, captures: list[Capture]
) -> None:
    content = bytes(10_000_000)
    sealed = spool.layout.object(exam.id, captures[2].sop_instance_uid)
    sealed.write_bytes(content)
    steps: list[int] = []
    assert places(found_in(spool, steps.append)) == [(sealed.name, "spool-damaged")]
    assert steps.count(1) == 3
    assert steps.count(0) > 3 + 3  # of two looks: each picture once, this one in three pieces


def test_what_is_well_at_the_second_look_was_only_being_moved(spool: Spool, captures: list[Capture]) -> None:
    content = media(spool, captures[0]).read_bytes()
    media(spool, captures[0]).write_bytes(b"half")

    steps: list[int] = []

    def after_it_was_read(step: int) -> None:
        steps.append(step)
        if steps.count(1) == len(captures):  # the sealed one is the last
            media(spool, captures[0]).write_bytes(content)

    assert found_in(spool, after_it_was_read) == []


def test_an_exam_that_is_erased_meanwhile_is_no_trouble(spool: Spool, exam: Exam, captures: list[Capture]) -> None:
    gone = spool.layout.root / "gone"

    def erased(_: int) -> None:
        if not gone.exists():
            spool.layout.exam(exam.id).rename(gone)

    assert captures
    assert found_in(spool, erased) == []


def test_an_index_that_is_none_ends_the_look(spool: Spool, captures: list[Capture]) -> None:
    assert captures
    with spool.database.write() as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(SpoolDamaged):
        found_in(spool)
