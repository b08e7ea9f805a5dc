"""The pages on which an administrator erases everything of one patient: each exam that goes, each that stays."""

from datetime import date

from starlette.requests import Request

from gateway.errors import Refused
from gateway.model import Exam
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import SET_UP
from gateway.panel.shown import erasures
from gateway.panel.shown.erasures import Row
from gateway.panel.shown.patients import patient_view
from gateway.spool.erasure import erasable, erasable_patient, erased


class ErasingPatientPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._spool = context.spool
        self._required = [each.name for each in context.settings.destinations if each.required]
        self._servers = [each.name for each in context.settings.procedure_steps]
        self._worklists = bool(context.settings.worklists)
        self._frame = frame

    def routes(self) -> list[Route]:
        route = self._frame.route
        return [
            route("/erase/{exam}/patient", "erase_patient.html", self._asked, who=SET_UP),
            route("/erase/{exam}/patient/number", "erase_patient_number.html", self._number, who=SET_UP),
        ]

    def _asked(self, request: Request) -> Values:
        """Say of each exam what would be lost, or why it stays; `?after=1`: of what is left after an erasure."""
        exam, today = self._spool.exams.get(request.path_params["exam"]), self._frame.today()
        if not erasures.known(exam):
            raise Elsewhere(f"/erase/{exam.id}")
        found = erasures.of_patient(self._spool, exam, required=self._required, servers=self._servers)
        going, staying = erasures.rows(found, exam, today)
        return {
            "exam": exam.id,
            "patient": patient_view(exam.patient, temporary=False, today=today),
            "going": going,
            "staying": staying,
            "pictures": found.pictures,
            "agreed": " ".join(map(erasures.agreed, found.going)),
            "named": self._named(exam, today),
            "others": erasable_patient.of_other_issuers(self._spool, exam.patient.id, exam.patient.issuer),
            "unnamed": found.unnamed,
            "more": found.more,
            "after": request.query_params.get("after") == "1",
            "traces": bool(erased.unfinished(self._spool)),
            "required": self._required,
            "worklists": self._worklists,
            "refused": self._refused(),
        }

    def _number(self, request: Request) -> Values:
        asked = self._asked(request)
        if asked["refused"] or not asked["going"]:
            raise Elsewhere(f"/erase/{asked['exam']}/patient")
        return asked

    def _named(self, exam: Exam, today: date) -> list[Row]:
        """Return other patients' exams with pictures that were taken under this one's ID."""
        found = erasable_patient.named_in(self._spool, exam.patient.id)[: erasures.MOST]
        return [erasures.row(self._spool.exams.get(each), exam, today) for each in found]

    def _refused(self) -> Refused | None:
        try:
            erasable.refuse_on_screen(self._spool)
        except Refused as why:
            return why
        return None
