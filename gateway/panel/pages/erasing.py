"""The pages on which an administrator erases one exam: what goes, what stays elsewhere, the number to repeat."""

from contextlib import suppress

from starlette.requests import Request

from gateway.errors import NotFound, Refused
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import SET_UP
from gateway.panel.shown import erasures
from gateway.panel.shown.views import ExamView
from gateway.spool.erasure import erasable, erased


class ErasingPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._spool = context.spool
        self._settings = context.settings
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/erase/{exam}", "erase.html", self._asked, who=SET_UP),
            self._frame.route("/erase/{exam}/number", "erase_number.html", self._number, who=SET_UP),
            self._frame.route("/erased", "erased.html", self._erased, who=SET_UP),
            self._frame.route("/erased/others", "erased_others.html", self._others, who=SET_UP),
        ]

    def _asked(self, request: Request) -> Values:
        """Say what would be lost, what stays, and why it cannot be at this moment."""
        required = [each.name for each in self._settings.destinations if each.required]
        loss = erasable.loss(self._spool, request.path_params["exam"], required)
        exam = loss.exam  # the one that is agreed to
        return {
            "exam": self._frame.look.exam(exam, self._frame.today()),
            "keep": exam.keep,
            "known": erasures.known(exam),
            "loss": loss,
            "agreed": erasures.agreed(loss),
            "required": required,
            "worklists": bool(self._settings.worklists),
            "refused": self._refused(exam.id),
        }

    def _number(self, request: Request) -> Values:
        exam = request.path_params["exam"]
        asked = self._asked(request)
        if asked["refused"]:
            raise Elsewhere(f"/erase/{exam}")
        return asked

    def _erased(self, request: Request) -> Values:
        """Say that it is done; `?several=1`: with all exams of a patient."""
        several = request.query_params.get("several") == "1"
        return {"traces": bool(erased.unfinished(self._spool)), "several": several}

    def _others(self, request: Request) -> Values:
        """Say what is still on the box though everything of a patient is erased: as the call named it."""
        return {
            "traces": bool(erased.unfinished(self._spool)),
            **{key: self._there(request.query_params.get(key, "")) for key in ("others", "named")},
        }

    def _there(self, exams: str) -> list[ExamView]:
        found = []
        for exam in exams.split()[: erasures.MOST]:
            with suppress(NotFound):  # it was erased since
                found.append(self._frame.look.exam(self._spool.exams.get(exam), self._frame.today()))
        return found

    def _refused(self, exam: str) -> Refused | None:
        servers = [each.name for each in self._settings.procedure_steps]
        try:
            with self._spool.database.read() as connection:
                erasable.refuse(connection, exam, servers)
            erasable.refuse_on_screen(self._spool)
        except Refused as why:
            return why
        return None
