"""The box itself: what can be done besides exams."""

from datetime import date

from starlette.requests import Request

from gateway.model import Exam, Identity
from gateway.panel.calls.power import AT_THIS_BOX
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import EVERYBODY, LOOK, SIGNED_IN, WORK, caller_of
from gateway.panel.shown import charts, copies, evening, forecast
from gateway.panel.shown.views import ExamView
from gateway.panel.words import NAMES
from gateway.spool.queue import backlog

_LINES = 3  # exams that are named, of each kind


class BoxPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/more", "more.html", self._more, who=SIGNED_IN),
            self._frame.route("/evening", "evening.html", self._evening, who=WORK),
            self._frame.route("/numbers", "numbers.html", self._numbers, who=SIGNED_IN),
            self._frame.route("/language", "language.html", self._language, who=EVERYBODY),
            self._frame.route("/operator", "operator.html", self._operators, who=WORK),
            self._frame.route("/practice", "practice.html", self._practice, who=AT_THIS_BOX),
            self._frame.route("/standby", "standby.html", self._standby, who=SIGNED_IN),
        ]

    def _more(self, request: Request) -> Values:
        del request
        opened = self._context.spool.exams.open_one()
        return {"opened": opened.id if opened else "", "unfinished": self._context.setting_up.is_unfinished}

    def _practice(self, request: Request) -> Values:
        if self._context.practice.here:
            raise Elsewhere("/more")
        return {"state": self._context.practice.state, "came": request.query_params.get("came", "")}

    def _operators(self, request: Request) -> Values:
        return self._more(request)

    def _evening(self, request: Request) -> Values:
        """Show what is to be known before the box is switched off."""
        del request
        spool, power = self._context.spool, self._context.power
        opened, today = spool.exams.open_one(), self._frame.today()
        forward, destinations = self._context.live["forward"].read(), self._context.settings.destinations
        found, waiting = evening.of(spool, destinations, forward, today), self._frame.look.waiting(today)
        troubles, media = self._frame.troubles(), {each.name for each in destinations if each.kind == "media"}
        return {
            "evening": found,
            "verdict": evening.verdict(
                spool,
                destinations,
                found,
                today,
                judge=self._frame.look.fates,
                to_check=len(waiting),
                is_open=opened is not None,
                runs=forward is not None,
            ),
            "waiting": waiting,
            "stopped": self._stopped(today) if found.stopped else [],
            "sticks": [each for each in troubles if media.issuperset(each.archives)],
            "opened": self._frame.look.exam(opened, today) if opened else None,
            "leave_at_once": opened is not None and self._leaves_at_once(opened),
            "can": power.there,
            "waits": power.waits,
            "lines": _LINES,
        }

    def _stopped(self, today: date) -> list[ExamView]:
        """Return the exams with a picture that goes nowhere by itself."""
        spool = self._context.spool
        names = [each.name for each in self._context.settings.destinations]
        found = backlog.stopped_exams(spool, names, most=_LINES)
        return [self._frame.look.exam(spool.exams.get(each), today) for each in found]

    def _leaves_at_once(self, exam: Exam) -> bool:
        """Say whether pictures of the open exam are sent before its end (gateway/forward/making/release.py)."""
        release, archives = self._context.settings.release, self._context.settings.destinations
        named = exam.identity is not Identity.TEMPORARY or release.temporary == "send"
        somebody = any(each.kind != "media" for each in archives)
        return somebody and release.when == "at-once" and named and not exam.please_check

    def _numbers(self, request: Request) -> Values:
        del request
        spool = self._context.spool
        archives = [each.name for each in self._context.settings.destinations if each.kind != "media"]
        disk = forecast.disk(spool, spool.space.room(), self._frame.today())
        return {
            "wide": charts.WIDE,
            "high": charts.HIGH,
            "archives": archives,
            "waiting": forecast.waiting(spool, archives),
            "ages": forecast.AGES,
            "lasts": disk,
            "shown": forecast.SHOWN,
            "usable": copies.size(disk.usable),
            "daily": copies.size(disk.daily),
        }

    def _language(self, request: Request) -> Values:
        del request
        return {"names": NAMES}

    def _standby(self, request: Request) -> Values:
        caller, opened = caller_of(request.scope), self._context.spool.exams.open_one()
        sees = opened is not None and caller.may(LOOK)
        return {"opened": sees, "back": f"/live/{opened.id}" if opened and sees else caller.home}
