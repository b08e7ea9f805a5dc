"""What servers are told of procedure steps, cut after every file operation: in order, once, and the same bytes.

What a cut may leave is modelled in power_cut.py. The server is not cut: it knows what it was told, and is strict.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import NeverAccepted
from gateway.model import ExamState, MessageKind, MessageState, Patient
from gateway.net.procedure_step import StepAnswer, Took
from gateway.spool.opening import open_spool
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.crash import power_cut
from tests.crash.power_cut import (
    FOR_CONTROLS,
    VARIANTS,
    FilesNeverFlushed,
    NamesNeverFlushed,
    Recording,
    Variant,
    ack,
    for_each_cut,
)
from tests.forward.bench import open_exam, ordered, still, typed
from tests.forward.step_bench import Server, forward_works, teller
from tests.memory import folder_in_memory

LOST_INDEX = tuple(variant for variant in VARIANTS if not variant.kept)
Fact = tuple[str, str, bytes]  # kind, step, what was said


class Strict(Server):
    """A server by the book; `final` has the steps that are over."""

    def __init__(self, told_before: list[Fact]) -> None:
        super().__init__()
        self.known = {step for kind, step, _ in told_before if kind == "create"}
        self.final = {step for kind, step, _ in told_before if kind == "set"}
        self.said = {(kind, step): raw for kind, step, raw in told_before}
        self.problems: list[str] = []
        self.say = self._answer

    def _answer(self, kind: str, step: str, sent_before: bool) -> StepAnswer:  # noqa: FBT001 - as Say
        raw = self.told[-1].raw
        if self.said.setdefault((kind, step), raw) != raw:
            self.problems.append(f"{kind} was repeated with other bytes")
        if kind == "set" and step not in self.known:
            self.problems.append("a set came before its create")
            return StepAnswer(took=Took.UNKNOWN_STEP, status="0112")
        over = self.final if kind == "set" else self.known
        if step not in over:
            over.add(step)
            return StepAnswer(took=Took.NOW, status="0000")
        if sent_before:
            return StepAnswer(took=Took.BEFORE, status="0111")
        raise NeverAccepted("twice", code="duplicate")


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


def a_day(root: Path, kind: type[Recording]) -> Recording:
    """Record two exams: one that is opened again, and one that gets another patient."""
    recording = kind(root)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    server = Strict([])

    def works() -> None:
        forward_works(spool)
        before = len(server.told)
        while teller(spool, server).step():
            pass
        for told in server.told[before:]:
            ack(recording, (told.kind, told.step, told.raw))

    exam = open_exam(spool, ordered())
    works()
    still(spool, exam)
    spool.exams.finish(exam.id)
    works()
    reopen(spool, exam.id, within=timedelta(hours=1))
    works()
    still(spool, exam)
    spool.exams.finish(exam.id)
    works()
    exam = open_exam(spool, typed())
    works()
    spool.exams.assign(exam.id, typed(Patient(name="Other", id="OTHER-1")))
    works()
    spool.exams.finish(exam.id)
    works()
    spool.close()
    assert len(server.final) == 4
    return recording


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    told: int = 0


def survey(recording: Recording, variants: Sequence[Variant] = LOST_INDEX) -> Tally:
    tally = Tally()
    for cut in for_each_cut(recording, variants=variants, without=("scopegate.db",)):
        key = cut.digest + len(cut.facts).to_bytes(4)
        if key in tally.disks:
            continue
        tally.disks.add(key)
        tally.cuts += 1
        with folder_in_memory() as folder:
            cut.materialise(folder)
            try:
                found = list(check(folder, list(cut.facts), tally))
            except Exception as error:  # noqa: BLE001 - told by the test
                found = [f"{type(error).__name__} {error}"]
            tally.problems += [f"cut {cut.position} {cut.variant}: {what}" for what in found]
    return tally


def check(folder: Path, facts: list[Fact], tally: Tally) -> Iterator[str]:
    """Start the box on what is left, end what is open, and let the server hear the rest."""
    spool = open_spool(folder, clock=FakeClock(), destinations=("pacs",))
    server = Strict(facts)
    try:
        recover_captures(spool)
        spool.steps.release_all(AFTER_REBUILD)
        if opened := spool.exams.open_one():
            spool.exams.finish(opened.id)
        forward_works(spool)
        part = teller(spool, server)
        while part.step():
            pass
        tally.told += len(server.told)
        yield from server.problems
        yield from unsettled(spool, server, facts)
    finally:
        spool.close()


def unsettled(spool: Spool, server: Strict, facts: list[Fact]) -> Iterator[str]:
    for message in spool.steps.list(states_wanted=[MessageState.QUEUED, MessageState.SENDING, MessageState.HELD]):
        yield f"{message.kind} is {message.state} [{message.code}]"
    if forgotten := server.known - server.final:
        yield f"{len(forgotten)} steps never end"
    exams = spool.exams.list()
    told_here = {step.sop_instance_uid for exam in exams for step in exam.steps if step.servers}
    if strange := {step for _, step, _ in facts} - told_here:
        yield f"{len(strange)} steps that the server knows are not on the box"
    for exam in exams:
        if exam.state is ExamState.FINISHED:
            yield "an exam is not released"
        for step in exam.steps:
            if step.servers and not spool.steps.path(exam.id, step.sop_instance_uid, MessageKind.CREATE).exists():
                yield "a step is announced of which nothing is on the disk"


def test_a_power_cut_at_any_moment_leaves_every_step_told_in_order_and_to_its_end(root: Path) -> None:
    tally = survey(a_day(root, Recording))
    print(f"\npower cut in procedure steps: {tally.cuts} cuts, {tally.told} messages told afterwards")
    assert tally.problems == []
    assert tally.cuts > 100
    assert tally.told > 100


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_the_same_without_flushing_loses_steps_so_the_test_can_see_a_loss(
    root: Path, careless: type[Recording]
) -> None:
    tally = survey(a_day(root, careless), FOR_CONTROLS)
    print(f"\npower cut in procedure steps, {careless.__name__}: {tally.cuts} cuts, {len(tally.problems)} problems")
    assert tally.problems
