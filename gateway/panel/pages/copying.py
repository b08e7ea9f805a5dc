"""Exams onto a stick: which exams, onto what, with what, how far it is. The API files the wish, forward writes."""

from starlette.requests import Request

from gateway.errors import NotFound
from gateway.model import ExamState, RequestState
from gateway.panel.calls.exports import EXPORT
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import LOOK
from gateway.panel.shown import answers, copies
from gateway.panel.shown.copies import Medium

_EXAMS_SHOWN = 50
_MOST_EXAMS = 50  # in one address


class CopyingPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/copy", "copy.html", self._copy, who=LOOK),
            self._frame.route("/copy/which", "copy_which.html", self._which, who=LOOK),
            self._frame.route("/copying/{export}", "copying.html", self._copying, who=LOOK),
        ]

    def _which(self, request: Request) -> Values:
        """Show the exams that can be copied, to be ticked."""
        del request
        ended = tuple(state for state in ExamState if state is not ExamState.OPEN)
        exams = self._context.spool.exams.list(limit=_EXAMS_SHOWN, states_wanted=ended, but_empty=True)
        today, away = self._frame.today(), self._frame.away()
        return {"exams": [self._frame.look.exam(exam, today, away=away) for exam in exams]}

    def _copy(self, request: Request) -> Values:
        """Show what would be written and where to, before anything is."""
        spool, query = self._context.spool, request.query_params
        wanted = list(dict.fromkeys(query.getlist("exam")))[:_MOST_EXAMS]
        exams = [spool.exams.get(exam) for exam in wanted]
        if not exams:
            raise NotFound("No exam was chosen.")
        media = self._media()
        chosen = next((each for each in media if each.name == query.get("to")), media[0] if media else None)
        jpeg = query.get("jpeg") == "1"
        load = copies.load(spool, exams, self._frame.look.fates.waits, jpeg=jpeg)
        return {
            "exams": [self._frame.look.exam(exam, self._frame.today()) for exam in exams],
            "media": media,
            "chosen": chosen,
            "load": load,
            "size": copies.size(load.bytes),
            "free": copies.size(chosen.free) if chosen else "",
            "too_large": bool(chosen and chosen.there and load.bytes > chosen.free),
            "jpeg": jpeg,
            "body": {"exams": wanted, "destination": chosen.name if chosen else "", "jpeg": jpeg},
        }

    def _copying(self, request: Request) -> Values:
        asked = self._context.spool.requests.get(request.path_params["export"])
        if asked.kind != EXPORT:
            raise NotFound("There is no such export.")
        export = answers.export(asked)
        medium = next((each for each in self._media() if each.name == export["destination"]), None)
        return {
            "export": export,
            "ended": asked.state in {RequestState.DONE, RequestState.FAILED},
            "left": "" if export["left_s"] is None else copies.left(export["left_s"]),
            "medium": medium,
            "forward": self._context.live["forward"].read() is not None,
        }

    def _media(self) -> list[Medium]:
        return copies.media(self._context.settings.destinations, self._context.live["forward"].read())
