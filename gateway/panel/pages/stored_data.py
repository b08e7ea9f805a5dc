"""The page of the check of what is stored. Exams are numbers on it: no patient is."""

from datetime import datetime

from starlette.requests import Request

from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SERVE
from gateway.panel.shown import names


class StoredDataPages:
    """One page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._frame = frame
        self._clock = context.clock
        self._stored_data = context.own_machine.stored_data

    def routes(self) -> list[Route]:
        return [self._frame.route("/service/stored-data", "stored_data.html", self._page, who=SERVE)]

    def _page(self, request: Request) -> Values:
        del request
        seen = self._stored_data.seen()
        if seen is None:
            return {"seen": None}
        now = self._clock.now().local
        begun = names.clock_time_of_day(datetime.fromisoformat(seen.at).astimezone(now.tzinfo), now.date())
        return {"seen": seen, "begun": begun}
