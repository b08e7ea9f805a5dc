"""The spool alone, cut after every file operation: nothing that was acknowledged is lost, wrong or doubled."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.errors import ScopegateError
from gateway.model import Capture, CaptureState, Exam, ExamState, SealedObject
from gateway.spool import clips, recovery
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.crash.power_cut import (
    VARIANTS,
    Cut,
    NamesNeverFlushed,
    NeverFlushed,
    Recording,
    Variant,
    ack,
    for_each_cut,
    keep,
)
from tests.memory import folder_in_memory
from tests.unit.spool.values import (
    ANNA,
    BORIS,
    add_frames,
    begin_clip,
    codestream_of,
    frame,
    item_subject,
    sealed,
    still,
)

SAVED, REJECTED = frozenset({CaptureState.SAVED}), frozenset({CaptureState.REJECTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamKept:
    """This exam, as of this revision or a later one."""

    exam: Exam
    order: bytes | None

    def wrong(self, found: "Found", story: "Story") -> str:
        exam = found.exams.get(self.exam.id)
        if exam is None or exam.revision < self.exam.revision:
            return "exam lost"
        told = story.exams[exam.id].get(exam.revision)
        return "" if (exam, found.orders[exam.id]) == told else "exam wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptureKept:
    """This capture, with its own bytes, in its exam, in one of these states."""

    capture: Capture
    states: frozenset[CaptureState] = SAVED

    def wrong(self, found: "Found", story: "Story") -> str:
        del story
        uid = self.capture.sop_instance_uid
        here = [one for one in found.captures if one.sop_instance_uid == uid]
        if not here or uid not in found.pictures:
            return "capture lost"
        (capture,) = here
        if replace(capture, state=self.capture.state) != self.capture or capture.state not in self.states:
            return "capture wrong"
        return "" if found.pictures[uid] == self.capture.sha256 else "picture wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipKept:
    """At least the first pictures of this clip."""

    uid: str
    exam: str
    number: int
    frames: int

    def wrong(self, found: "Found", story: "Story") -> str:
        del story
        here = [one for one in found.captures if one.sop_instance_uid == self.uid]
        if not here:
            return "clip lost" if self.frames else ""
        (clip,) = here
        content = b"".join(frame(number) for number in range(clip.frames))
        if clip.frames < self.frames:
            return "clip shortened"
        same = (clip.exam, clip.instance_number, clip.sha256) == (
            self.exam,
            self.number,
            hashlib.sha256(content).hexdigest(),
        )
        return "" if same and found.pictures.get(self.uid) == clip.sha256 else "clip wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class SealKept:
    """This object, byte for byte."""

    sealed: SealedObject

    def wrong(self, found: "Found", story: "Story") -> str:
        del story
        return "" if found.objects.get(self.sealed.sop_instance_uid) == self.sealed.sha256 else "object lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditKept:
    """At least so many lines of the audit file."""

    lines: int

    def wrong(self, found: "Found", story: "Story") -> str:
        del story
        return "" if found.audit_lines >= self.lines else "audit lost"


@dataclass(kw_only=True, slots=True)
class Found:
    """What a started box says after a cut. Pictures and objects by UID, as SHA-256 of the bytes on the disk."""

    exams: dict[str, Exam] = field(default_factory=dict)
    orders: dict[str, bytes | None] = field(default_factory=dict)
    captures: list[Capture] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    audit_lines: int = 0


class Story:
    """A day at the box. Every promise that it hears goes into the recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.clock = FakeClock()
        self.exams: dict[str, dict[int, tuple[Exam, bytes | None]]] = {}
        self.attempted: set[str] = set()
        self.spool = open_spool(recording.root, clock=self.clock, files=recording, destinations=("pacs",))

    def tell(self) -> None:
        """Two patients: stills, a clip, a rejection, an assignment, a release, seals."""
        spool = self.spool
        first, _ = spool.exams.open(item_subject(ANNA))
        self.exam(first)
        made = [self.still(first, number) for number in (1, 2, 3)]
        self.keep_index()
        clip = self.clip(first, 4)
        self.mark(made[1], spool.captures.reject, REJECTED)
        self.mark(made[1], spool.captures.restore, SAVED)
        self.mark(made[2], spool.captures.reject, REJECTED)
        self.keep_index()
        second, _ = spool.exams.open(item_subject(ANNA), close_open=True)  # the wrong one
        self.exam(spool.exams.get(first.id))
        self.exam(second)
        self.still(second, 1)
        self.exam(spool.exams.assign(second.id, item_subject(BORIS)))
        self.exam(spool.exams.confirm(first.id))
        self.note("exam-confirmed", 1)
        self.exam(spool.exams.release(first.id))
        for capture in (made[0], clip):
            self.seal(capture)
        self.keep_index()
        self.exam(spool.exams.finish(second.id))
        self.note("exam-finished", 2)
        spool.close()

    def exam(self, exam: Exam) -> None:
        """Promise an exam as it is now."""
        order = self.spool.exams.order(exam)
        self.exams.setdefault(exam.id, {})[exam.revision] = (exam, order)
        ack(self.recording, ExamKept(exam=exam, order=order))

    def still(self, exam: Exam, number: int) -> Capture:
        capture = still(exam, number, clock=self.clock)
        self.attempted.add(capture.sop_instance_uid)
        captures = self.spool.captures
        captures.write_media(exam.id, capture.media, [codestream_of(capture.sop_instance_uid)])
        captures.write_sidecar(capture)
        ack(self.recording, CaptureKept(capture=capture))
        captures.put_row(capture)
        return capture

    def clip(self, exam: Exam, number: int) -> Capture:
        writer = begin_clip(self.spool, exam, number)
        uid = writer.header.sop_instance_uid
        self.attempted.add(uid)
        for count in (0, 3, 5):
            add_frames(writer, count - len(writer.entries))
            writer.sync()
            ack(self.recording, ClipKept(uid=uid, exam=exam.id, number=number, frames=count))
        add_frames(writer, 2)  # cut while these are not flushed: they may be lost
        capture = writer.close()
        self.spool.captures.write_sidecar(capture)
        ack(self.recording, ClipKept(uid=uid, exam=exam.id, number=number, frames=7))
        self.spool.captures.put_row(capture)
        return capture

    def mark(self, capture: Capture, act: Callable[..., Any], state: frozenset[CaptureState]) -> None:
        """Reject or restore: until the answer either state is right."""
        words = ("blurred",) if state is REJECTED else ()
        ack(self.recording, CaptureKept(capture=capture, states=SAVED | REJECTED))
        act(capture.sop_instance_uid, *words)
        ack(self.recording, CaptureKept(capture=capture, states=state))

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
        ack(self.recording, SealKept(sealed=made))
        self.spool.objects.drop_media(capture)

    def note(self, what: str, lines: int) -> None:
        self.spool.audit.note(what, by="panel")
        ack(self.recording, AuditKept(lines=lines))

    def keep_index(self) -> None:
        """Let later cuts find the index as it is now: whole, but older than the files."""
        with self.spool.database.read() as connection:
            keep(self.recording, "scopegate.db", connection.serialize())


# --- after the cut -----------------------------------------------------------------------------------------------


def start(folder: Path) -> Found:
    """Start the box as its three processes do and read everything back."""
    clock = FakeClock()
    clock.reboot()
    spool = open_spool(folder, clock=clock, destinations=("pacs",))
    try:
        recovery.recover_captures(spool)
        recovery.adopt_seals(spool, ("pacs",))
        spool.audit.note("started", by="test")
        return read(spool)
    finally:
        spool.close()


def read(spool: Spool) -> Found:
    found = Found()
    for exam in spool.exams.list():
        found.exams[exam.id] = exam
        found.orders[exam.id] = spool.exams.order(exam)
        for listed in spool.captures.of_exam(exam.id):
            capture = listed.capture
            found.captures.append(capture)
            assert capture.exam == exam.id
            if not listed.problem_code:
                found.pictures[capture.sop_instance_uid] = picture(spool, capture)
        for made in spool.objects.of_exam(exam.id):
            found.objects[made.sop_instance_uid] = digest(spool.objects.path(made).read_bytes())
    found.audit_lines = len(spool.layout.audit.read_text().splitlines()) - 1
    return found


def picture(spool: Spool, capture: Capture) -> str:
    """Return the digest of a capture's codestreams, wherever they are."""
    media = spool.layout.media(capture.exam, capture.media)
    if not media.exists():
        return digest(spool.layout.object(capture.exam, capture.sop_instance_uid).read_bytes()[4:])
    if media.suffix != ".frames":
        return digest(media.read_bytes())
    _, entries = clips.read_index(spool.layout.index(capture.exam, capture.sop_instance_uid))
    return digest(b"".join(clips.codestreams(media, entries)))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def promised(facts: Sequence[Any]) -> list[Any]:
    """Return what holds at the end of these facts: a later one about the same thing replaces an earlier one."""
    latest: dict[object, Any] = {}
    for fact in facts:
        subject_of = {
            ExamKept: lambda f: f.exam.id,
            CaptureKept: lambda f: f.capture.sop_instance_uid,
            ClipKept: lambda f: f.uid,
            SealKept: lambda f: "seal " + f.sealed.sop_instance_uid,
            AuditKept: lambda _: "audit",
        }[type(fact)]
        latest[subject_of(fact)] = fact
    return list(latest.values())


@dataclass(kw_only=True, slots=True)
class Tally:
    """What all cuts together showed."""

    cuts: int = 0
    disks: int = 0
    prefixes: int = 0
    problems: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)  # captures that were acknowledged and lost after some cut


def survey(story: Story, *, variants: Sequence[Variant] = VARIANTS, seed: int = 1) -> Tally:
    """Try every cut of a story."""
    tally = Tally()
    known: dict[bytes, Found | str] = {}
    for cut in for_each_cut(story.recording, variants=variants, seed=seed, without=("scopegate.db",)):
        tally.cuts += 1
        tally.prefixes = max(tally.prefixes, cut.position)
        if cut.digest not in known:
            known[cut.digest] = started(cut)
        found = known[cut.digest]
        for text, uid in problems(found, cut, story):
            tally.problems.append(f"cut {cut.position} names {cut.variant.names} data {cut.variant.data}: {text}")
            tally.lost |= {uid} - {""}
    tally.disks = len(known)
    return tally


def started(cut: Cut) -> Found | str:
    with folder_in_memory() as folder:
        cut.materialise(folder)
        try:
            return start(folder)
        except (ScopegateError, OSError, sqlite3.Error) as error:
            return f"it does not start: {error!r}"


def problems(found: Found | str, cut: Cut, story: Story) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield found, ""
        return
    for fact in promised(cut.facts):
        if wrong := fact.wrong(found, story):
            uid = fact.capture.sop_instance_uid if isinstance(fact, CaptureKept) else getattr(fact, "uid", "")
            yield wrong, uid
    uids = [capture.sop_instance_uid for capture in found.captures]
    numbers = [(capture.exam, capture.instance_number) for capture in found.captures]
    if len(set(uids)) != len(uids) or len(set(numbers)) != len(numbers) or not set(uids) <= story.attempted:
        yield "something doubled or invented", ""
    if sum(exam.state is ExamState.OPEN for exam in found.exams.values()) > 1:
        yield "two exams open", ""


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
        f"\npower cut: {tally.prefixes} prefixes, {tally.cuts} cuts, {tally.disks} different disks, "
        f"{len(story.attempted)} captures, lost = {len(tally.lost)}"
    )
    assert tally.problems == []
    assert tally.prefixes > 150
    assert tally.disks > 200


def test_what_is_recorded_is_what_was_done(told: Callable[[type[Recording]], Story]) -> None:
    story = told(Recording)
    everything_kept = (Variant(names="kept", data="kept"),)
    *_, last = for_each_cut(story.recording, variants=everything_kept, without=("scopegate.db",))
    root = story.recording.root
    real = {str(path.relative_to(root)): path for path in root.rglob("*") if "scopegate.db" not in path.name}
    written = {
        name: path.read_bytes() if path.is_file() else None
        for name, path in real.items()
        if ".lock" not in path.name
    }
    assert last.tree == written


def test_after_the_last_flush_every_cut_finds_the_same_disk(told: Callable[[type[Recording]], Story]) -> None:
    story = told(Recording)
    cuts = list(for_each_cut(story.recording, without=("scopegate.db",)))
    last = [cut for cut in cuts if cut.position == cuts[-1].position]
    files = [{path: content for path, content in cut.tree.items() if path != "scopegate.db"} for cut in last]
    assert all(tree == files[0] for tree in files)


@pytest.mark.parametrize("careless", [NeverFlushed, NamesNeverFlushed])
def test_the_same_day_without_flushing_loses_pictures_so_the_test_can_see_a_loss(
    told: Callable[[type[Recording]], Story], careless: type[Recording]
) -> None:
    story = told(careless)
    tally = survey(story, variants=(Variant(names="mixed", data="mixed"), Variant(names="kept", data="lost")))
    print(f"\npower cut, {careless.__name__}: {tally.cuts} cuts, lost = {len(tally.lost)} captures")
    assert len(tally.lost) > 0
