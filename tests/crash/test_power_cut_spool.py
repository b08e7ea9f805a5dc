"""The spool alone, cut after every file operation: nothing that was acknowledged is lost, wrong or doubled."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.model import Capture, CaptureState, Exam, Identity, Patient, PleaseCheck, Procedure, Side
from gateway.spool import clips
from gateway.spool.moving import move
from gateway.spool.opening import open_spool
from gateway.spool.reopening import reopen
from gateway.spool.subjects import Further
from tests.crash.power_cut import (
    FOR_CONTROLS,
    FilesNeverFlushed,
    NamesNeverFlushed,
    Recording,
    Variant,
    ack,
    for_each_cut,
    keep,
)
from tests.crash.promises import (
    REJECTED,
    SAVED,
    AuditKept,
    CaptureKept,
    ClipKept,
    ExamKept,
    MovedKept,
    Orders,
    ReleasedKept,
    SealKept,
    SideKept,
    Tally,
    orders_of,
    survey,
)
from tests.unit.spool.values import (
    ANNA,
    BORIS,
    add_frames,
    begin_clip,
    codestream_of,
    item_subject,
    sealed,
    still,
    subject,
)

NOBODY = Patient(name="EMERG-1", id="EMERG-1")
PATHS = frozenset(
    {
        "audit", "brought back", "clip", "exam asked about", "exam assigned", "exam closed by the next",
        "exam confirmed", "exam discontinued", "exam finished", "exam kept", "exam opened", "exam opened again",
        "exam released", "grouped exam opened", "moved", "moved again", "moved back", "released at once", "seal",
        "series begun", "side changed",
        "side said", "side said from now on", "still", "taken out",
    }
)  # fmt: skip


class Story:
    """A day at the box. Every promise that it hears goes into the recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.clock = FakeClock()
        self.exams: dict[str, dict[int, tuple[Exam, Orders]]] = {}
        self.attempted: set[str] = set()
        self.spool = open_spool(recording.root, clock=self.clock, files=recording, destinations=("pacs",))

    def tell(self) -> None:
        """Two patients and nobody: stills, a clip, what people repair, how exams end, what becomes of them."""
        spool = self.spool
        first, _ = spool.exams.open(item_subject(ANNA))
        self.exam("exam opened", first)
        made = [self.still(first, number) for number in (1, 2, 3)]
        self.keep_index()
        clip = self.clip(first, 4)
        self.mark("taken out", made[1], spool.captures.reject, REJECTED)
        self.mark("brought back", made[1], spool.captures.restore, SAVED)
        self.mark("taken out", made[2], spool.captures.reject, REJECTED)
        self.say_side("side said", made[0], Side.LEFT)
        self.keep_index()
        self.say_side("side changed", made[0], Side.RIGHT)
        spool.sides.from_now_on(first.id, Side.LEFT)
        self.exam("side said from now on", spool.exams.get(first.id))
        second, _ = spool.exams.open(item_subject(ANNA), close_open=True)  # the wrong one
        self.exam("exam closed by the next", spool.exams.get(first.id))
        self.exam("exam opened", second)
        self.still(second, 1)
        self.exam("exam assigned", spool.exams.assign(second.id, item_subject(BORIS)))
        going = self.move("moved", self.still(first, 5), second, 2)
        back = self.move("moved back", going, first, 6)
        self.keep_index()
        self.move("moved again", back, second, 3)
        self.exam("exam confirmed", spool.exams.confirm(first.id)[0])
        self.note("exam-confirmed", 1)
        self.exam("exam released", spool.exams.release(first.id))
        for capture in (made[0], clip):
            self.exam("series begun", self.with_series(capture))
            self.seal(capture)
        self.keep_index()
        self.exam("exam asked about", spool.exams.ask_to_check(second.id, PleaseCheck.REBOOT))
        self.exam("exam finished", spool.exams.finish(second.id))
        self.note("exam-finished", 2)
        third, _ = spool.exams.open(subject(NOBODY, identity=Identity.TEMPORARY))
        self.exam("exam opened", third)
        self.still(third, 1)
        self.exam("exam discontinued", spool.exams.finish(third.id, discontinued="110513"))
        self.exam("exam discontinued", spool.exams.release(third.id))
        self.keep_index()
        self.tell_of_more(first)
        spool.close()

    def tell_of_more(self, first: Exam) -> None:
        """An exam is opened again and kept for good; of another, for two orders, a picture leaves at once."""
        spool = self.spool
        self.exam("exam opened again", reopen(spool, first.id, within=timedelta(hours=1)))
        self.still(first, 7)
        self.exam("exam kept", spool.exams.keep(first.id, keep=True))
        self.exam("exam finished", spool.exams.finish(first.id))
        more = Further(
            procedure=Procedure(accession_number="A-2"), character_set="", worklist_item="item-2", answer=b"second"
        )
        grouped, _ = spool.exams.open(item_subject(BORIS, study_instance_uid="1.2.3.77", further=(more,)))
        self.exam("grouped exam opened", grouped)
        made = self.still(grouped, 1)
        assert spool.releases.release(grouped.id, made.sop_instance_uid, tuple(Identity))
        ack(self.recording, ReleasedKept(path="released at once", uid=made.sop_instance_uid))

    def with_series(self, capture: Capture) -> Exam:
        self.spool.exams.series_for(capture.exam, capture.source, capture.kind.value)
        return self.spool.exams.get(capture.exam)

    def exam(self, path: str, exam: Exam) -> None:
        """Promise an exam as it is now."""
        orders = orders_of(self.spool, exam)
        self.exams.setdefault(exam.id, {})[exam.revision] = (exam, orders)
        ack(self.recording, ExamKept(path=path, exam=exam, orders=orders))

    def still(self, exam: Exam, number: int) -> Capture:
        capture = still(exam, number, clock=self.clock)
        self.attempted.add(capture.sop_instance_uid)
        captures = self.spool.captures
        captures.write_media(exam.id, capture.media, [codestream_of(capture.sop_instance_uid)])
        captures.write_sidecar(capture)
        ack(self.recording, CaptureKept(path="still", capture=capture))
        captures.put_row(capture)
        return capture

    def clip(self, exam: Exam, number: int) -> Capture:
        writer = begin_clip(self.spool, exam, number)
        uid = writer.header.sop_instance_uid
        self.attempted.add(uid)
        for count in (0, 3, 5):
            add_frames(writer, count - len(writer.entries))
            writer.sync()
            ack(self.recording, ClipKept(path="clip", uid=uid, exam=exam.id, number=number, frames=count))
        add_frames(writer, 2)  # cut while these are not flushed: they may be lost
        capture = writer.close()
        self.spool.captures.write_sidecar(capture)
        ack(self.recording, ClipKept(path="clip", uid=uid, exam=exam.id, number=number, frames=7))
        self.spool.captures.put_row(capture)
        return capture

    def mark(self, path: str, capture: Capture, act: Callable[..., Any], state: frozenset[CaptureState]) -> None:
        """Reject or restore: until the answer either state is right."""
        words = ("blurred",) if state is REJECTED else ()
        ack(self.recording, CaptureKept(path=path, capture=capture, states=SAVED | REJECTED))
        act(capture.sop_instance_uid, *words)
        ack(self.recording, CaptureKept(path=path, capture=capture, states=state))

    def move(self, path: str, capture: Capture, to: Exam, number: int) -> Capture:
        """Move a picture: until the answer it is in either exam, and in one of them alone."""
        patient = self.spool.exams.get(to.id).patient
        there = replace(capture, exam=to.id, instance_number=number, patient=patient)
        ack(self.recording, MovedKept(path=path, either=(capture, there)))
        move(self.spool, capture.exam, [capture.sop_instance_uid], to.id, numbers=[number])
        ack(self.recording, MovedKept(path=path, either=(there,)))
        return there

    def say_side(self, path: str, capture: Capture, side: Side) -> None:
        """Say of which side a picture is: until the answer the one before is right as well."""
        uid = capture.sop_instance_uid
        before = self.spool.captures.get(uid).capture.side
        ack(self.recording, SideKept(path=path, uid=uid, sides=frozenset({before, side})))
        self.spool.sides.say(uid, side)
        ack(self.recording, SideKept(path=path, uid=uid, sides=frozenset({side})))

    def seal(self, capture: Capture) -> None:
        media = self.spool.layout.media(capture.exam, capture.media)
        if media.suffix == ".frames":
            _, entries = clips.read_index(self.spool.layout.index(capture.exam, capture.sop_instance_uid))
            pieces = list(clips.codestreams(media, entries))
        else:
            pieces = [media.read_bytes()]
        content = b"".join((b"DICM", *pieces))
        self.spool.objects.write(capture.exam, capture.sop_instance_uid, [b"DICM", *pieces])
        made = sealed(capture, content, clock=self.clock)
        self.spool.objects.seal(made, ("pacs",))
        ack(self.recording, SealKept(path="seal", sealed=made))
        self.spool.objects.drop_media(capture)

    def note(self, what: str, lines: int) -> None:
        self.spool.audit.note(what, by="panel")
        ack(self.recording, AuditKept(path="audit", lines=lines))

    def keep_index(self) -> None:
        """Let later cuts find the index as it is now: whole, but older than the files."""
        with self.spool.database.read() as connection:
            keep(self.recording, "scopegate.db", connection.serialize())


@pytest.fixture
def told(tmp_path: Path) -> Callable[[type[Recording]], Story]:
    def tell(kind: type[Recording]) -> Story:
        story = Story(kind(tmp_path / "data"))
        story.tell()
        return story

    return tell


def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(
    told: Callable[[type[Recording]], Story],
) -> None:
    story = told(Recording)
    tally = survey(story)
    print(
        f"\npower cut: {tally.prefixes} prefixes, {tally.cuts} cuts, {len(tally.disks)} different disks, "
        f"{len(story.attempted)} captures, lost = {len(tally.lost)}"
    )
    assert tally.problems == []
    assert {op.fact.path for op in story.recording.log if op.kind == "ack"} == PATHS
    assert tally.prefixes > 150
    assert len(tally.disks) > 200


def test_what_is_recorded_is_what_was_done(told: Callable[[type[Recording]], Story]) -> None:
    story = told(Recording)
    everything_kept = (Variant(names="kept", data="kept"),)
    *_, last = for_each_cut(story.recording, variants=everything_kept, without=("scopegate.db",))
    root = story.recording.root
    real = {str(path.relative_to(root)): path for path in root.rglob("*") if "scopegate.db" not in path.name}
    written = {
        name: path.read_bytes() if path.is_file() else None
        for name, path in real.items()
        if ".lock" not in path.name and path.name != "audit.head"  # never flushed: a cut may leave nothing of it
    }
    assert last.tree == written


def test_after_the_last_flush_every_cut_finds_the_same_disk(told: Callable[[type[Recording]], Story]) -> None:
    story = told(Recording)
    cuts = list(for_each_cut(story.recording, without=("scopegate.db",)))
    last = [cut for cut in cuts if cut.position == cuts[-1].position]
    files = [{path: content for path, content in cut.tree.items() if path != "scopegate.db"} for cut in last]
    assert all(tree == files[0] for tree in files)


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_the_same_day_without_flushing_breaks_promises_on_every_path_so_the_test_can_see_a_loss(
    told: Callable[[type[Recording]], Story], careless: type[Recording]
) -> None:
    story = told(careless)
    tally = survey(story, variants=FOR_CONTROLS)
    print(f"\npower cut, {careless.__name__}: {tally.cuts} cuts, lost = {len(tally.lost)} captures")
    print(table(tally))
    assert len(tally.lost) > 0
    assert set(tally.broken) == PATHS


def table(tally: Tally) -> str:
    """Print, for each path of the spool, after how many cuts a promise of it was broken."""
    return "\n".join(f"    {path:24} broken after {count:4} cuts" for path, count in sorted(tally.broken.items()))
