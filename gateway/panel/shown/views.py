"""What the pages show, as values for the templates. Looks into the spool and changes nothing."""

from collections.abc import Sequence, Sized
from dataclasses import dataclass, replace
from datetime import date, datetime

from gateway.config.body_parts import takes_side
from gateway.config.settings import Settings
from gateway.messages import N_
from gateway.model import (
    CaptureState,
    Delivery,
    DeliveryState,
    Exam,
    ExamState,
    Identity,
    MediaKind,
    Patient,
    PleaseCheck,
    Side,
    WorklistItem,
)
from gateway.panel.shown import fates, names, similar, ways
from gateway.panel.shown.answers import Json
from gateway.panel.shown.archives import UNCONFIRMED, Trouble
from gateway.panel.shown.fates import Fate
from gateway.panel.shown.names import Shown
from gateway.spool import pictures
from gateway.spool.captures import Listed
from gateway.spool.deliveries import INSTEAD, QUIET
from gateway.spool.pictures import Picture
from gateway.spool.routing import recipients
from gateway.spool.spool import Spool

_MISSING = N_(
    {
        "StudyInstanceUID": "study number (the box makes one)",
        "RequestedProcedureID": "order number",
        "ScheduledProcedureStepID": "step number",
        "ScheduledProcedureStepSequence": "procedure step",
        "ScheduledProcedureStepStartDate": "scheduled date",
        "Modality": "kind of device",
        "PatientName": "readable patient name",
        "PatientID": "usable patient ID",
        "AccessionNumber": "usable accession number",
        "SpecificCharacterSet": "character set (check the name)",
    }
)
_BY_RULES = N_("No archive gets this: it stays on this box by the rules of your IT.")
SIDES: dict[str, str] = N_({Side.LEFT: "Left", Side.RIGHT: "Right", Side.BOTH: "Both", Side.UNPAIRED: "No side"})
WHY_CHECK: dict[str, str] = N_(
    {
        PleaseCheck.CLOSED_BY_NEXT: "It was closed when another patient was chosen.",
        PleaseCheck.IDLE: "Nobody worked on it for a long time.",
        PleaseCheck.REBOOT: "The box restarted while it was open.",
        PleaseCheck.STUDY_SHARED: "The worklist server gave the same study to another patient.",
        PleaseCheck.WRONG_ENTRY: "It was ended because the worklist entry was wrong.",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientView:
    """A patient on the screen."""

    name: Shown
    line: str
    initials: str
    birth_date: str
    age: str
    sex: str
    id: str
    temporary: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemView:
    """A row of the worklist."""

    id: str
    time: str
    patient: PatientView
    procedure: str
    accession: str
    referring: str
    similar: tuple[PatientView, ...]
    missing: tuple[str, ...]
    usable: bool
    day: str  # when it is not today
    orders: int  # of the same patient on the list


@dataclass(frozen=True, kw_only=True, slots=True)
class FateView:
    """What became of an exam: a shape, a word and what a person has to do about it."""

    mark: str  # "ok", "going", "warn", "bad", "open", "none"
    word: str
    detail: str = ""
    at: str = ""  # since when, local, once everything got there
    receipt: bool = False  # an archive has it and was asked to vouch for it


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptureView:
    """One picture or clip."""

    uid: str
    number: int
    kind: str
    time: str
    rejected: bool
    left: bool  # released while its exam is open: it cannot be taken out any more
    seconds: str
    fate: str
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
    opened: str
    counts: str
    captures: tuple[CaptureView, ...]
    please_check: str
    needs_patient: bool
    waits: bool  # until a person did something
    sideless: int  # pictures of which a person should still say the side
    fate: FateView


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """The state of all deliveries in three words, on every screen."""

    mark: str
    word: str


def patient_view(patient: Patient, *, temporary: bool, today: date) -> PatientView:
    return PatientView(
        name=names.person(patient.name),
        line=names.one_line(patient.name),
        initials=names.initials(patient.name),
        birth_date="" if temporary else names.birth_date(patient.birth_date),
        age=names.age(patient.birth_date, today),
        sex=names.SEXES.get(patient.sex, ""),
        id=patient.id,
        temporary=temporary,
    )


def item_view(item: WorklistItem, others: similar.Names, today: date, *, orders: int = 1) -> ItemView:
    alike, scheduled = others.like(item.patient), item.procedure.scheduled_at[:8]
    return ItemView(
        id=item.id,
        time=names.scheduled_time(item.procedure.scheduled_at),
        patient=patient_view(item.patient, temporary=False, today=today),
        procedure=item.procedure.description,
        accession=item.procedure.accession_number,
        referring=names.one_line(item.procedure.referring_physician) if item.procedure.referring_physician else "",
        similar=tuple(patient_view(other.patient, temporary=False, today=today) for other in alike),
        missing=tuple(_MISSING.get(keyword, keyword) for keyword in item.missing),
        usable=bool(item.patient.name.strip("^= ") and item.patient.id),
        day="" if scheduled == f"{today:%Y%m%d}" else names.day(scheduled),
        orders=orders,
    )


class Look:
    """Gathers what a page shows. Blocks: runs in a thread."""

    def __init__(self, spool: Spool, settings: Settings) -> None:
        self._spool = spool
        self._required = frozenset(d.name for d in settings.destinations if d.required)
        self._vouching = frozenset(d.name for d in settings.destinations if d.commitment or d.trust_query)
        self._hold_temporary = settings.release.temporary == "hold"
        self._destinations = settings.destinations
        self._has_destination = bool(settings.destinations)
        self._media = frozenset(d.name for d in settings.destinations if d.kind == "media")
        self._has_archive = any(d.kind != "media" for d in settings.destinations)

    def exam(self, exam: Exam, today: date, *, making: Json | None = None) -> ExamView:
        """Return what is shown of an exam. `making`: the clip that is encoded now, as forward says it."""
        found = pictures.of_exam(self._spool, exam.id)
        kept = [each for each in found if not each.removed]
        fate = self._fate(exam, kept)
        if not fate.detail:  # why a clip is on this box though everything arrived
            held = (d for each in kept for d in each.all_deliveries if d.code in INSTEAD)
            fate = replace(fate, detail=next((d.reason for d in held), ""))
        if making and making["exam"] == exam.id and not fate.detail:
            fate = replace(fate, detail=f"A clip is being encoded: {making['percent']} % done.")
        temporary = exam.identity is Identity.TEMPORARY
        return ExamView(
            id=exam.id,
            state=exam.state,
            patient=patient_view(exam.patient, temporary=temporary, today=today),
            procedure=exam.procedure.description,
            accession=exam.procedure.accession_number,
            opened=names.clock_time(exam.opened.local),
            counts=counts([each.listed for each in kept]),
            captures=tuple(self._capture(each) for each in found),
            please_check=WHY_CHECK.get(exam.please_check, exam.please_check),
            needs_patient=temporary and exam.state in {ExamState.OPEN, ExamState.FINISHED},
            waits=self.waits(exam, kept),
            sideless=len(self._spool.sides.missing(exam.id)),
            fate=fate,
        )

    def waiting(self, today: date) -> list[ExamView]:
        """Return the exams whose patient a person must check."""
        finished = self._spool.exams.list(states_wanted=(ExamState.FINISHED,))
        views = [self.exam(exam, today) for exam in finished if exam.please_check]
        return [view for view in views if view.waits]

    def badge(self, troubles: Sequence[Trouble] = ()) -> Badge:
        """Return what the badge says: what is stopped or late, what waits for somebody, what moves."""
        moving = for_stick = 0
        for (name, state), count in self._spool.deliveries.counts().items():
            if state is DeliveryState.SENDING or (state is DeliveryState.QUEUED and name not in self._media):
                moving += count
            elif state is DeliveryState.QUEUED:
                for_stick += count
        waiting = [
            exam
            for exam in self._spool.exams.list(states_wanted=(ExamState.FINISHED,))
            if self.waits(exam, self._spool.captures.of_exam(exam.id))
        ]
        stopped = sum(self._spool.deliveries.stopped().values())
        late = sum(each.count for each in troubles if each.waits)
        too_late = any(each.bad and each.waits for each in troubles)
        unproven = sum(each.count for each in troubles if each.screen == UNCONFIRMED)
        held = [each for each in troubles if not each.waits and each.screen != UNCONFIRMED]
        by_person = bool(held) and not any(each.bad for each in held)
        said = (
            (stopped, Badge(mark="warn" if by_person else "bad", word=f"{stopped} stopped")),
            (too_late, Badge(mark="bad", word=f"{late} waiting")),
            (waiting, Badge(mark="warn", word=f"{len(waiting)} to check")),
            (late, Badge(mark="warn", word=f"{late} waiting")),
            (unproven, Badge(mark="warn", word=f"{unproven} not confirmed")),
            (moving, Badge(mark="going", word=f"{moving} on the way")),
            (for_stick, Badge(mark="none", word=f"{for_stick} for the stick")),
        )
        return next((badge for so, badge in said if so), Badge(mark="ok", word="Delivery"))

    def waits(self, exam: Exam, kept: Sized) -> bool:
        """Say whether a finished exam's pictures stay until a person did something."""
        question = exam.please_check or (self._hold_temporary and exam.identity is Identity.TEMPORARY)
        return exam.state is ExamState.FINISHED and bool(question) and bool(kept)

    def _fate(self, exam: Exam, kept: Sequence[Picture]) -> FateView:
        if exam.state is ExamState.OPEN:
            going = [each for each in kept if each.deliveries]
            return FateView(mark="open", word="Exam is open", detail=self._progress(going).word if going else "")
        if self.waits(exam, kept):
            word = "Please check the patient" if exam.please_check else "Needs a patient"
            return FateView(mark="warn", word=word, detail=WHY_CHECK.get(exam.please_check, exam.please_check))
        if not kept:
            return FateView(mark="none", word="No pictures")
        return _obstacle(kept) or self._progress(kept)

    def _stays(self, picture: Picture) -> bool:
        """Say whether no destination gets this picture, because of the rules that are configured."""
        nowhere = not picture.deliveries and not recipients(self._destinations, picture.capture)
        return self._has_destination and nowhere

    def _progress(self, pictures: Sequence[Picture]) -> FateView:
        kept = [each for each in pictures if not self._stays(each)]
        if not kept:
            return FateView(mark="none", word=fates.WORDS[Fate.ON_THIS_BOX], detail=_BY_RULES)
        got = [fates.of_picture(each, self._required) for each in kept]
        if all(fates.arrived(each, self._required) for each in kept):
            return self._arrived(kept, min(got))
        arrived = sum(fate >= Fate.SENT for fate in got)
        moving = arrived or any(fate is Fate.SENDING for fate in got)
        queued = (d for each in kept for d in each.all_deliveries if d.state is DeliveryState.QUEUED)
        tried = [d for d in queued if d.attempts]
        detail = tried[0].reason if tried else ""
        if moving:
            return FateView(mark="going", word=f"Sending {arrived} of {len(got)}", detail=detail)
        mark = "warn" if tried else "going" if self._has_archive else "none"
        return FateView(mark=mark, word=fates.WORDS[Fate.ON_THIS_BOX], detail=detail)

    def _arrived(self, kept: Sequence[Picture], fate: Fate) -> FateView:
        there = [d for each in kept for d in each.all_deliveries]
        return FateView(
            mark="ok",
            word=fates.WORDS[fate],
            at=ways.moment(max(d.changed_ns for d in there), self._spool.clock),
            receipt=any(d.state is DeliveryState.SENT and d.destination in self._vouching for d in there),
        )

    def _capture(self, picture: Picture) -> CaptureView:
        value, listed = picture.capture, picture.listed
        times = value.frame_times
        held = [d for d in picture.all_deliveries if d.state is DeliveryState.HELD]
        why = next((d.reason for d in (*_stopped(held), *held)), "")
        return CaptureView(
            uid=value.sop_instance_uid,
            number=value.instance_number,
            kind=value.kind,
            time=f"{value.taken.local:%H:%M:%S}",
            rejected=picture.removed,
            left=self._spool.layout.released(value.exam, value.sop_instance_uid).exists(),
            seconds=_duration((times[-1] - times[0]) / 1e9) if len(times) > 1 else "",
            fate=fates.WORDS[fates.of_picture(picture, self._required)],
            detail=listed.problem or why or (_BY_RULES if self._stays(picture) else ""),
            gone=gone(listed),
            side=value.side,
            takes_side=takes_side(value.equipment, value.kind),
            key=listed.key,
        )


def _obstacle(kept: Sequence[Picture]) -> FateView | None:
    """Say what a person must remove before everything can be delivered."""
    if problems := [each.listed for each in kept if each.listed.problem_code]:
        return FateView(mark="bad", word=f"{len(problems)} cannot be prepared", detail=problems[0].problem)
    if held := _stopped([d for each in kept for d in each.all_deliveries]):
        return FateView(mark="bad", word=f"{len(held)} stopped", detail=held[0].reason)
    return None


def _stopped(deliveries: Sequence[Delivery]) -> list[Delivery]:
    return [d for d in deliveries if d.state is DeliveryState.HELD and d.code not in QUIET]


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
    clips, count = len(captures) - stills, sum(c.key for c in captures)
    said = [_images(stills)] if stills or not clips else []
    said += [_clips(clips)] if clips else []
    return " · ".join([*said, *([N_(f"{count} key")] if count else [])])


def _images(count: int) -> str:
    return N_("1 image") if count == 1 else N_(f"{count} images")


def _clips(count: int) -> str:
    return N_("1 clip") if count == 1 else N_(f"{count} clips")


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
