"""What leaves the box and what stays: the list of exams, and each picture of one on its way."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request

from gateway.model import DeliveryState, ExamState
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import LOOK
from gateway.panel.shown import archives, ways
from gateway.panel.shown.archives import Trouble
from gateway.panel.shown.views import ExamView
from gateway.spool import pictures
from gateway.spool.pictures import Picture

_EXAMS_SHOWN = 30
_GIVEN = frozenset({DeliveryState.SENT, DeliveryState.COMMITTED})


class LeavingPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/delivery", "delivery.html", self._delivery, who=LOOK),
            self._frame.route("/delivery/{exam}", "details.html", self._details, who=LOOK),
        ]

    def _delivery(self, request: Request) -> Values:
        del request
        exams = self._context.spool.exams.list(limit=_EXAMS_SHOWN, but_empty=True)
        making = (self._context.live["forward"].read() or {}).get("film")
        look, today, troubles = self._frame.look, self._frame.today(), self._frame.troubles()
        away = archives.away(troubles)
        shown = [look.exam(exam, today, making=making, away=away) for exam in exams]
        return {
            "exams": [_without_what_stands_above(each, troubles) for each in shown],
            "troubles": troubles,
            "helps": not troubles or any(each.waits for each in troubles),
            "configured": bool(self._context.settings.destinations),
            "media": any(each.kind == "media" for each in self._context.settings.destinations),
            "archive_open": self._context.setting_up.archive_is_open(),
            "unfinished": self._context.setting_up.is_unfinished,
        }

    def _details(self, request: Request) -> Values:
        spool = self._context.spool
        exam = spool.exams.get(request.path_params["exam"])
        found = pictures.of_exam(spool, exam.id)
        away = self._frame.away()
        ended = exam.state in {ExamState.RELEASED, ExamState.DISCONTINUED}
        places = ways.of_pictures(
            found,
            self._context.settings.destinations,
            self._context.clock,
            lists=pictures.lists_of_exam(spool, exam.id),
            away=away,
        )
        may = {way.may for place in places for way in place.ways}
        return {
            "exam": self._frame.look.exam(exam, self._frame.today(), away=away),
            "places": places,
            "helps": "hold" in may or "release" not in may,  # what is stopped is sent one by one, or not at all
            "again": self._can_go_again(found),
            "unmade": ways.unmade(found) if ended else [],
            "configured": bool(self._context.settings.destinations),
            "keep": exam.keep,
            "lets_go": any(each.required for each in self._context.settings.destinations),
        }

    def _can_go_again(self, found: Sequence[Picture]) -> bool:
        """Say whether an archive got something of it that is still here."""
        names = {each.name for each in self._context.settings.destinations if each.kind != "media"}
        here = (each for each in found if not each.removed and not each.listed.purged)
        return any(d.destination in names and d.state in _GIVEN for each in here for d in each.all_deliveries)


def _without_what_stands_above(exam: ExamView, troubles: Sequence[Trouble]) -> ExamView:
    """Leave out of a row why it waits when the lines above the rows say so: it is read once."""
    said = any(exam.fate.detail in each.what for each in troubles)
    if not said and exam.fate.waits_for not in archives.away(troubles):
        return exam
    return replace(exam, fate=replace(exam.fate, detail=""))
