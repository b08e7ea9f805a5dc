"""A patient who is typed: the questions, who may be meant, and what is to be confirmed. Opens nothing."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import ScopegateError
from gateway.model import Patient, Procedure, WorklistItem
from gateway.panel.calls import subjects
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.forms import Fields, form
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import WORK
from gateway.panel.shown import known, names, patients, similar
from gateway.panel.shown.known import Known
from gateway.spool import days
from gateway.spool.subjects import Subject

# What each step asks for.
STEPS = (("family",), ("given",), ("day", "month", "year"), ("sex",), ("id",), ("description",))
_EMPTY = {field: "" for step in STEPS for field in step}
_DATE = (("year", 4), ("month", 2), ("day", 2))
_LOOKED_THROUGH = 1000  # exams on this box, the latest first


class TypedPages:
    """One method a page. What was typed travels in forms: no name stands in an address."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/type", "type.html", partial(self._questions, {}), who=WORK),
            form("/type", self._context.work, self._again, who=WORK),
            form("/typed", self._context.work, self._typed, who=WORK),
        ]

    def _questions(self, fields: Fields, request: Request, problem: ScopegateError | None = None) -> Values:
        panel = self._context.settings.panel
        spoken = self._context.languages.of_page(request, panel.language)
        return {
            "assign": self._frame.assigned(request),
            "typed": {**_EMPTY, **fields},
            "problem": problem,
            "step": self._wrong_step(fields) if problem else 0,
            "steps": len(STEPS),
            "today_number": f"{self._frame.today():%Y%m%d}",
            "first_year": subjects.FIRST_YEAR,
            "days": [spoken.gettext(day) for day in names.DAYS],
            "keyboard": self._frame.keyboard(request),
        }

    def _again(self, request: Request, fields: Fields) -> Response:
        """Ask again, with what was typed in the fields."""
        return self._frame.page(request, "type.html", self._questions(fields, request))

    def _typed(self, request: Request, fields: Fields) -> Response:
        """Show who may be meant, else what was typed for confirmation."""
        spool = self._context.spool
        if chosen := fields.get("known", ""):
            patient = spool.exams.get(chosen).patient
            return self._confirm(request, fields, patient, fields.get("description", "").strip())
        try:
            subject = self._subject(fields)
        except ScopegateError as problem:
            return self._frame.page(request, "type.html", self._questions(fields, request, problem), status=422)
        exams = spool.exams.list(limit=_LOOKED_THROUGH)
        found = known.known(subject.patient, spool.worklist.items(), exams)
        if found and not fields.get("checked"):
            return self._choose(request, fields, subject.patient, found)
        return self._confirm(request, fields, subject.patient, subject.procedure.description, found)

    def _choose(self, request: Request, fields: Fields, patient: Patient, found: Known) -> Response:
        look, today = partial(patients.patient_view, temporary=False), self._frame.today()
        taken = days.taken(self._context.spool, today)
        values: Values = {
            "assign": self._frame.assigned(request),
            "typed": {**_EMPTY, **fields},
            "who": look(patient, today=today),
            "items": [patients.item_view(item, similar.Names(()), today, taken=taken) for item in found.items],
            "exams": [self._frame.look.exam(exam, today) for exam in found.exams],
        }
        return self._frame.page(request, "known.html", values)

    def _confirm(
        self, request: Request, fields: Fields, patient: Patient, description: str, found: Known | None = None
    ) -> Response:
        assign, today = self._frame.assigned(request), self._frame.today()
        item = WorklistItem(
            id="",
            server="",
            patient=patient,
            procedure=Procedure(description=description),
            study_instance_uid="",
            character_set="",
        )
        others, spool = found.patients if found else (), self._context.spool
        listed, taken = similar.Names(spool.worklist.items()), days.taken(spool, today)
        body = {
            "name": patient.name,
            "id": patient.id,
            "issuer": patient.issuer,
            "birth_date": patient.birth_date,
            "sex": patient.sex,
        }
        values: Values = {
            "assign": assign,
            "sends": self._frame.sends(assign),
            "opened": self._frame.other_open(assign),
            "item": patients.item_view(item, listed, today, taken=taken),
            "same": [
                patients.patient_view(other, temporary=False, today=today)
                for other in others
                if other.id == patient.id
            ],
            "body": {"patient": body, "procedure": {"description": description}},
            "typed": {**_EMPTY, **fields},
            "made_id": patient.issuer == subjects.own_issuer(self._context.settings.station),
        }
        return self._frame.page(request, "confirm.html", values)

    def _subject(self, fields: Fields) -> Subject:
        body = {"patient": _patient(fields), "procedure": {"description": fields.get("description", "").strip()}}
        return subjects.typed(body, station=self._context.settings.station, clock=self._context.clock)

    def _wrong_step(self, fields: Fields) -> int:
        """Return the first step whose answer is refused."""
        for number in range(len(STEPS)):
            asked = {field for step in STEPS[: number + 1] for field in step}
            try:
                self._subject({field: text for field, text in fields.items() if field in asked})
            except ScopegateError:
                return number
        return 0


def _patient(fields: Fields) -> dict[str, str]:
    family, given = fields.get("family", "").strip(), fields.get("given", "").strip()
    # A separator typed into a field would move the rest into another component.
    clean = [part.replace("^", " ").replace("=", " ") for part in (family, given)]
    day = "".join(fields.get(key, "").strip().rjust(width, "0") for key, width in _DATE)
    return {
        "name": "^".join(clean).rstrip("^"),
        "id": fields.get("id", "").strip(),
        "birth_date": "" if day == "0" * 8 else day,
        "sex": fields.get("sex", ""),
    }
