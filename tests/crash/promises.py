"""What a box promises on its spool, one kind of promise a class, and what a start finds of it after a cut.

A new kind of promise is a class with `path` (of the spool: what the tables of losses are sorted by), `subject` (a
later promise about the same replaces an earlier one) and `wrong`.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from gateway.clock import FakeClock
from gateway.errors import ScopegateError
from gateway.model import Capture, CaptureState, DeliveryState, Exam, ExamState, SealedObject, Side
from gateway.spool import clips, releases
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.crash import power_cut
from tests.crash.power_cut import VARIANTS, Cut, Recording, Variant, for_each_cut
from tests.memory import folder_in_memory
from tests.unit.spool.values import frame

Orders = tuple[bytes | None, ...]  # what a worklist server said, the first and those of a grouped exam
SAVED, REJECTED = frozenset({CaptureState.SAVED}), frozenset({CaptureState.REJECTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamKept:
    """This exam with its orders, as of this revision or a later one."""

    path: str
    exam: Exam
    orders: Orders

    @property
    def subject(self) -> str:
        return self.exam.id

    def wrong(self, found: "Found", story: "Told") -> str:
        exam = found.exams.get(self.exam.id)
        if exam is None or exam.revision < self.exam.revision:
            return "exam lost"
        told = story.exams[exam.id].get(exam.revision)
        return "" if (exam, found.orders[exam.id]) == told else "exam wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptureKept:
    """This capture, with its own bytes, in its exam, in one of these states."""

    path: str
    capture: Capture
    states: frozenset[CaptureState] = SAVED

    @property
    def subject(self) -> str:
        return self.capture.sop_instance_uid

    def wrong(self, found: "Found", story: "Told") -> str:
        del story
        uid = self.capture.sop_instance_uid
        here = [one for one in found.captures if one.sop_instance_uid == uid]
        if not here or uid not in found.pictures:
            return "capture lost"
        (capture,) = here
        if (
            replace(capture, state=self.capture.state, side=self.capture.side) != self.capture
            or capture.state not in self.states
        ):
            return "capture wrong"
        return "" if found.pictures[uid] == self.capture.sha256 else "picture wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipKept:
    """At least the first pictures of this clip."""

    path: str
    uid: str
    exam: str
    number: int
    frames: int

    @property
    def subject(self) -> str:
        return self.uid

    def wrong(self, found: "Found", story: "Told") -> str:
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
class ReleasedKept:
    """This capture may leave while its exam is open: nobody can take it out any more."""

    path: str
    uid: str

    @property
    def subject(self) -> str:
        return "released " + self.uid

    def wrong(self, found: "Found", story: "Told") -> str:
        del story
        return "" if self.uid in found.released else "mark lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedKept:
    """This capture as one of these, with its own bytes, and once."""

    path: str
    either: tuple[Capture, ...]

    @property
    def subject(self) -> str:
        return self.either[0].sop_instance_uid

    def wrong(self, found: "Found", story: "Told") -> str:
        wrong = [CaptureKept(path=self.path, capture=each).wrong(found, story) for each in self.either]
        return min(wrong, key=len)


@dataclass(frozen=True, kw_only=True, slots=True)
class SideKept:
    """This capture is of one of these sides."""

    path: str
    uid: str
    sides: frozenset[Side]

    @property
    def subject(self) -> str:
        return "side " + self.uid

    def wrong(self, found: "Found", story: "Told") -> str:
        del story
        here = [one.side for one in found.captures if one.sop_instance_uid == self.uid]
        return "" if here and here[0] in self.sides else "side wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class SealKept:
    """This object, byte for byte."""

    path: str
    sealed: SealedObject

    @property
    def subject(self) -> str:
        return "seal " + self.sealed.sop_instance_uid

    def wrong(self, found: "Found", story: "Told") -> str:
        del story
        return "" if found.objects.get(self.sealed.sop_instance_uid) == self.sealed.sha256 else "object lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditKept:
    """At least so many lines of the audit file."""

    path: str
    lines: int

    @property
    def subject(self) -> str:
        return "audit"

    def wrong(self, found: "Found", story: "Told") -> str:
        del story
        return "" if found.audit_lines >= self.lines else "audit lost"


@dataclass(kw_only=True, slots=True)
class Found:
    """What a started box says after a cut. Pictures and objects by UID, as SHA-256 of the bytes on the disk."""

    exams: dict[str, Exam] = field(default_factory=dict)
    orders: dict[str, Orders] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)  # captures that nobody can take out
    captures: list[Capture] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    audit_lines: int = 0
    deliveries: dict[str, tuple[DeliveryState, str]] = field(default_factory=dict)  # UID to state and code


class Told(Protocol):
    """What the promises of a day are compared with: all it did, acknowledged or not."""

    recording: Recording
    attempted: set[str]  # captures
    exams: Mapping[str, Mapping[int, tuple[Exam, Orders]]]  # each with its orders, revision by revision


def start(folder: Path) -> Found:
    """Start the box as its three processes do and read everything back."""
    clock = FakeClock()
    clock.reboot()
    spool = open_spool(folder, clock=clock, destinations=("pacs",))
    try:
        recover_captures(spool)
        adopt_seals(spool, ("pacs",))
        spool.audit.note("started", by="test")
        return read(spool)
    finally:
        spool.close()


def read(spool: Spool) -> Found:
    found = Found()
    for exam in spool.exams.list():
        found.exams[exam.id] = exam
        found.orders[exam.id] = orders_of(spool, exam)
        for listed in spool.captures.of_exam(exam.id):
            capture = listed.capture
            found.captures.append(capture)
            if is_released(spool, capture):
                found.released.add(capture.sop_instance_uid)
            assert capture.exam == exam.id
            if not listed.problem_code:
                found.pictures[capture.sop_instance_uid] = picture(spool, capture)
        for made in spool.objects.of_exam(exam.id):
            found.objects[made.sop_instance_uid] = digest(spool.objects.path(made).read_bytes())
    found.deliveries = {one.sop_instance_uid: (one.state, one.code) for one in spool.deliveries.list()}
    found.audit_lines = len(spool.layout.audit.read_text().splitlines()) - 1  # without the one of this start
    return found


def orders_of(spool: Spool, exam: Exam) -> Orders:
    return (spool.exams.order(exam), *spool.exams.further_orders(exam))


def is_released(spool: Spool, capture: Capture) -> bool:
    return releases.is_released(spool.layout, capture.exam, capture.sop_instance_uid)


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
    latest = {fact.subject: fact for fact in facts}
    return list(latest.values())


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    """What all cuts together showed."""

    prefixes: int = 0
    lost: set[str] = field(default_factory=set)  # captures that were acknowledged and lost after some cut
    broken: Counter[str] = field(
        default_factory=Counter
    )  # path of the spool to cuts after which a promise of it fails


def survey(
    story: Told,
    *,
    variants: Sequence[Variant] = VARIANTS,
    seed: int = 1,
    without: Sequence[str] = ("scopegate.db",),
    begin: int = 0,
) -> Tally:
    """Try every cut of a story from its operation `begin` on; `without`: see for_each_cut."""
    tally = Tally()
    known: dict[bytes, Found | str] = {}
    for cut in for_each_cut(story.recording, variants=variants, seed=seed, without=without):
        if cut.position < begin:
            continue
        tally.cuts += 1
        tally.prefixes = max(tally.prefixes, cut.position)
        if cut.digest not in known:
            known[cut.digest] = started(cut)
        found = known[cut.digest]
        for text, fact in problems(found, cut, story):
            tally.problems.append(f"cut {cut.position} names {cut.variant.names} data {cut.variant.data}: {text}")
            if fact is None:
                continue
            tally.broken[fact.path] += 1
            if isinstance(fact, CaptureKept | ClipKept):
                tally.lost.add(fact.subject)
    tally.disks = set(known)
    return tally


def started(cut: Cut) -> Found | str:
    with folder_in_memory() as folder:
        cut.materialise(folder)
        try:
            return start(folder)
        except (ScopegateError, OSError, sqlite3.Error) as error:
            return f"it does not start: {error!r}"


def problems(found: Found | str, cut: Cut, story: Told) -> Iterator[tuple[str, Any]]:
    """Yield what is wrong in words, with the promise that is broken, None when it is none in particular."""
    if isinstance(found, str):
        yield found, None
        return
    for fact in promised(cut.facts):
        if wrong := fact.wrong(found, story):
            yield f"{fact.path}: {wrong}", fact
    uids = [capture.sop_instance_uid for capture in found.captures]
    numbers = [(capture.exam, capture.instance_number) for capture in found.captures]
    if len(set(uids)) != len(uids) or len(set(numbers)) != len(numbers) or not set(uids) <= story.attempted:
        yield "something doubled or invented", None
    if sum(exam.state is ExamState.OPEN for exam in found.exams.values()) > 1:
        yield "two exams open", None
