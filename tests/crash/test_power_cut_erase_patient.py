"""Erasing everything of a patient, cut after every file operation: each exam is whole or gone."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.model import Exam
from gateway.spool.erasure import erasable, erasing
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.crash.power_cut import VARIANTS, Change, Cut, Operation, for_each_cut
from tests.crash.test_power_cut_erase import WithIndex, files_first
from tests.forward.bench import let_go, open_exam, still, wrap_all
from tests.memory import folder_in_memory


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


def as_the_product_does(spool: Spool, exams: list[Exam]) -> None:
    losses = [erasable.loss(spool, exam.id, ["pacs"]) for exam in exams]
    assert erasing.erase_each(spool, losses, by="panel", servers=()) == erasing.Outcome(staying=(), clean=True)


def one_by_one_without_a_mark(spool: Spool, exams: list[Exam]) -> None:
    for exam in exams:
        files_first(spool, exam)


def erased(root: Path, erase: Callable[[Spool, list[Exam]], None]) -> tuple[list[Exam], WithIndex, int]:
    """Erase both exams of a patient, of two pictures each."""
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    exams = []
    for _ in range(2):
        exams.append(open_exam(spool))
        still(spool, exams[-1]), still(spool, exams[-1])
        let_go(spool, exams[-1])
    wrap_all(spool)
    spool.close()
    recording = WithIndex(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    recording.spool = spool
    recording.note(Operation(kind="change", change=Change()))  # the index before anything
    erase(spool, exams)
    spool.close()
    return exams, recording, begin


def is_left(spool: Spool, exam: str) -> str:
    """Say whether an exam is whole, gone, or neither."""
    audited = any(line["what"] == "exam-erased" for line in spool.audit.about(exam))
    rows, folders = len(spool.captures.of_exam(exam)), list(spool.layout.exams.glob(f"{exam}*"))
    if not rows and not folders and audited and exam not in {each.id for each in spool.exams.list()}:
        return "gone"
    waiting = len(spool.deliveries.list(exam=exam))
    return "whole" if (rows, waiting, audited, list(inspect_exam(spool, exam))) == (2, 2, False, []) else "half"


def started(cut: Cut, exams: list[Exam]) -> tuple[str, ...]:
    """Start the box on what is left."""
    with folder_in_memory() as folder:
        cut.materialise(folder)
        clock = FakeClock()
        clock.reboot()
        spool = open_spool(folder, clock=clock, destinations=("pacs",))
        try:
            recover_captures(spool)
            adopt_seals(spool, ("pacs",))
            return tuple(is_left(spool, exam.id) for exam in exams)
        finally:
            spool.close()


def survey(exams: list[Exam], recording: WithIndex, begin: int) -> Counter[tuple[str, ...]]:
    """Count what is left of both exams on each different disk."""
    seen: Counter[tuple[str, ...]] = Counter()
    disks: set[bytes] = set()
    for cut in for_each_cut(recording, variants=VARIANTS):
        if cut.position >= begin and cut.digest not in disks:
            disks.add(cut.digest)
            seen[started(cut, exams)] += 1
    print(f"\npower cut while a patient is erased: {dict(seen)}")
    return seen


def test_a_power_cut_while_a_patient_is_erased_leaves_each_exam_whole_or_gone(root: Path) -> None:
    seen = survey(*erased(root, as_the_product_does))
    assert set(seen) == {("whole", "whole"), ("gone", "whole"), ("gone", "gone")}


def test_erasing_them_without_a_mark_leaves_halves_so_the_test_can_see_them(root: Path) -> None:
    seen = survey(*erased(root, one_by_one_without_a_mark))
    assert any("half" in left for left in seen)
