"""The box itself: what leaves it, and what can be done besides exams."""

from starlette.requests import Request

from gateway.panel import archives
from gateway.panel.context import Context
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import EVERYBODY, LOOK, SIGNED_IN, WORK
from gateway.panel.routing import Route
from gateway.panel.words import NAMES

_DELIVERIES_SHOWN = 30


class BoxPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/delivery", "delivery.html", self._delivery, who=LOOK),
            self._frame.route("/more", "more.html", self._more, who=SIGNED_IN),
            self._frame.route("/language", "language.html", self._language, who=EVERYBODY),
            self._frame.route("/operator", "operator.html", self._operators, who=WORK),
            self._frame.route("/standby", "standby.html", self._standby, who=SIGNED_IN),
        ]

    def _delivery(self, request: Request) -> Values:
        del request
        spool = self._context.spool
        exams = spool.exams.list(limit=_DELIVERIES_SHOWN)
        forward = self._context.live["forward"].read()
        making = (forward or {}).get("film")
        return {
            "exams": [self._frame.look.exam(exam, self._frame.today(), making=making) for exam in exams],
            "troubles": archives.troubles(
                deliveries=spool.deliveries,
                destinations=self._context.settings.destinations,
                forward=forward,
                clock=self._context.clock,
            ),
            "configured": bool(self._context.settings.destinations),
        }

    def _more(self, request: Request) -> Values:
        del request
        opened = self._context.spool.exams.open_one()
        return {"opened": opened.id if opened else ""}

    def _operators(self, request: Request) -> Values:
        return self._more(request)

    def _language(self, request: Request) -> Values:
        del request
        return {"names": NAMES}

    def _standby(self, request: Request) -> Values:
        del request
        return {}
