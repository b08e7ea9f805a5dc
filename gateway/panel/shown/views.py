"""What the pages show, as values for the templates. Looks into the spool and changes nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from gateway.config.body_parts import takes_side
from gateway.config.settings import Settings
from gateway.messages import N_
from gateway.model import (
    CaptureState,
    DeliveryState,
    Exam,
    ExamState,
    Identity,
    MediaKind,
    Side,
)
from gateway.panel.shown import amounts, fates, names, reasons
from gateway.panel.shown.answers import Json
from gateway.panel.shown.exam_fates import BY_RULES, WHY_CHECK, ExamFates, FateView, stopped
from gateway.panel.shown.patients import PatientView, patient_view
from gateway.spool import pictures, questions
from gateway.spool.captures import Listed, has_left
from gateway.spool.pictures import Picture
from gateway.spool.queue.deliveries import INSTEAD
from gateway.spool.spool import Spool

SIDES: dict[str, str] = N_({Side.LEFT: "Left", Side.RIGHT: "Right", Side.BOTH: "Both", Side.UNPAIRED: "No side"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptureView:
    """One picture or clip."""

    uid: str
    number: int
    kind: str
    time: str
    rejected: bool
    left: bool  # nothing about it can change any more
    seconds: str
    fate: str
    stopped: bool  # nothing sends it until a person did something
    detail: str
    gone: str  # where it is when it is not here any more
    side: str  # a code, "" = not said
    takes_side: bool
    key: bool  # a key image


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamView:
    """An exam with its pictures."""

    id: str
    state: str
    patient: PatientView
    procedure: str
    accession: str
    opened: str  # the time
    when: str  # with the day when that is not today
    counts: str
    captures: tuple[CaptureView, ...]
    please_check: str
    question: str  # which of its questions a yes answers
    needs_patient: bool
    changeable: bool  # not released yet
    waits: bool  # until a person did something
    sideless: int  # pictures of which a person should still say the side
    fate: FateView
    goes_to: frozenset[str]  # destinations that have not got all of it yet, and wait for no person


class Look:
    """Gathers what a page shows. Blocks: runs in a thread."""

    def __init__(self, spool: Spool, settings: Settings) -> None:
        self._spool = spool
        self.fates = ExamFates(spool, settings)
        self._required = frozenset(d.name for d in settings.destinations if d.required)
        self._archives = any(d.kind != "media" for d in settings.destinations)

    def exam(self, exam: Exam, today: date, *, making: Json | None = None, away: Collection[str] = ()) -> ExamView:
        """Return what is shown of an exam.

        `making`: the clip that is encoded now, as forward says it; `away`: archives that take nothing at present.
        """
        found = pictures.of_exam(self._spool, exam.id)
        kept = [each for each in found if not each.removed]
        fate = self.fates.of(exam, kept, away)
        if not fate.detail:  # why a clip is on this box though everything arrived
            held = (d for each in kept for d in each.all_deliveries if d.code in INSTEAD)
            fate = replace(fate, detail=next((reasons.of_delivery(d) for d in held), ""))
        if making and making["exam"] == exam.id and not fate.detail:
            fate = replace(fate, detail=f"A clip is being encoded: {making['percent']} % done.")
        temporary, under_way = (
            exam.identity is Identity.TEMPORARY,
            exam.state in {ExamState.OPEN, ExamState.FINISHED},
        )
        return ExamView(
            id=exam.id,
            state=exam.state,
            patient=patient_view(exam.patient, temporary=temporary, today=today),
            procedure=exam.procedure.description,
            accession=exam.procedure.accession_number,
            opened=names.clock_time(exam.opened.local),
            when=names.clock_time_of_day(exam.opened.local, today),
            counts=counts([each.listed for each in kept]),
            captures=tuple(self._capture(exam, each, away) for each in found),
            please_check=WHY_CHECK.get(exam.please_check, exam.please_check),
            question=questions.of(exam),
            needs_patient=temporary and under_way,
            changeable=under_way,
            waits=self.fates.waits(exam, kept),
            sideless=len(self._spool.sides.missing(exam.id)),
            fate=fate,
            goes_to=self.fates.goes_to(kept),
        )

    def _leaves(self, exam: Exam, picture: Picture) -> bool:
        ended = exam.state in {ExamState.RELEASED, ExamState.DISCONTINUED}
        return ended and self._archives and not picture.removed and not self.fates.stays(picture)

    def waiting(self, today: date) -> list[ExamView]:
        """Return the exams whose patient a person must check or choose, those without any patient last."""
        finished = self._spool.exams.list(states_wanted=(ExamState.FINISHED,))
        asking = [exam for exam in finished if exam.please_check or exam.identity is Identity.TEMPORARY]
        views = [view for view in (self.exam(exam, today) for exam in asking) if view.waits]
        return sorted(views, key=lambda view: view.needs_patient)

    def _capture(self, exam: Exam, picture: Picture, away: Collection[str]) -> CaptureView:
        value, listed = picture.capture, picture.listed
        times = value.frame_times
        held = [d for d in picture.all_deliveries if d.state is DeliveryState.HELD]
        why = next((reasons.of_delivery(d) for d in (*stopped(held), *held)), "")
        word = fates.word_of_picture(picture, self._required, leaves=self._leaves(exam, picture), away=away)
        return CaptureView(
            uid=value.sop_instance_uid,
            number=value.instance_number,
            kind=value.kind,
            time=f"{value.taken.local:%H:%M:%S}",
            rejected=picture.removed,
            left=has_left(self._spool.layout, exam, value),
            seconds=_duration((times[-1] - times[0]) / 1e9) if len(times) > 1 else "",
            fate=word,
            stopped=word == fates.STOPPED and not picture.removed,
            detail=listed.problem or why or (BY_RULES if self.fates.stays(picture) else ""),
            gone=gone(listed),
            side=value.side,
            takes_side=takes_side(value.equipment, value.kind),
            key=listed.key,
        )


def gone(listed: Listed) -> str:
    """Say where a picture is that the box let go, and since when; "" while it is here."""
    if not listed.purged:
        return ""
    day = names.day(f"{datetime.fromisoformat(listed.purged):%Y%m%d}")
    if listed.capture.state is CaptureState.REJECTED:
        return N_(f"It was removed from its exam; this box let it go on {day}.")
    return N_(f"It is in the PACS; this box let it go on {day}.")


def capture_line(listed: Listed) -> list[str | int]:
    """Return what the live screen keeps of a capture."""
    value = listed.capture
    return [value.sop_instance_uid, value.state, value.kind, value.instance_number, value.side, listed.key]


def counts(captures: Sequence[Listed]) -> str:
    """Return "12 images · 1 clip · 2 key"."""
    stills = sum(c.capture.kind is MediaKind.STILL for c in captures)
    count = sum(c.key for c in captures)
    said = amounts.how_many(stills=stills, clips=len(captures) - stills)
    return " · ".join([said, *([N_(f"{count} key")] if count else [])])


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
