"""The page of the hardware self-test, and the one with something to touch in each corner."""

from starlette.requests import Request

from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SERVE
from gateway.panel.self_test.check import KINDS, Check, Result
from gateway.panel.self_test.running import CORNERS

_PATH = "/service/self-test"
_MARKS = {Result.PASSED: "ok", Result.FAILED: "bad", Result.ABSENT: "none", Result.WAITING: "going"}
_SAID = N_(
    {
        Result.PASSED: "passed",
        Result.FAILED: "failed",
        Result.ABSENT: "not there",
        Result.WAITING: "waits for you",
    }
)


class SelfTestPages:
    """Two pages."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._frame = frame
        self._self_test = context.own_machine.self_test

    def routes(self) -> list[Route]:
        return [
            self._frame.route(_PATH, "self_test.html", self._page, who=SERVE),
            self._frame.route(f"{_PATH}/touch", "self_test_touch.html", self._touch, who=SERVE),
        ]

    def _page(self, request: Request) -> Values:
        del request
        seen = self._self_test.seen()
        if seen is None:
            return {"seen": None, "lines": [], "touch": False}
        return {
            "seen": seen,
            "lines": [_line(check) for check in seen.checks],
            "failed": seen.of(Result.FAILED),
            "passed": seen.of(Result.PASSED),
            "touch": any(each.kind == "touch" and each.result is Result.WAITING for each in seen.checks),
        }

    def _touch(self, request: Request) -> Values:
        del request
        seen = self._self_test.seen()
        waits = seen is not None and not seen.ended
        felt = seen.corners if seen else ()
        return {"corners": [each for each in CORNERS if waits and each not in felt]}


def _line(check: Check) -> dict[str, str]:
    return {
        "kind": KINDS[check.kind],
        "name": check.name,
        "mark": _MARKS[check.result],
        "result": _SAID[check.result],
        "measured": check.measured,
        "code": check.code,
        "what": check.what,
        "action": check.action,
    }
