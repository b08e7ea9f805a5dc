"""Where pictures go that are of another patient: from one picture, alone or with all after it."""

from starlette.requests import Request

from gateway.model import CaptureState, ExamState
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.exams import from_finish
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import WORK


class MovingPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [self._frame.route("/move/{uid}", "move.html", self._move, who=WORK)]

    def _move(self, request: Request) -> Values:
        """Offer the other exams that have not left; `?only=1`: this picture without those after it."""
        spool, today = self._context.spool, self._frame.today()
        first = spool.captures.get(request.path_params["uid"]).capture
        kept = [each.capture for each in spool.captures.of_exam(first.exam)]
        after = [
            each.sop_instance_uid
            for each in kept
            if each.state is CaptureState.SAVED and each.instance_number >= first.instance_number
        ]
        only = request.query_params.get("only") == "1"
        exam = spool.exams.get(first.exam)
        shown = self._frame.look.exam(exam, today)
        others = spool.exams.list(states_wanted=(ExamState.OPEN, ExamState.FINISHED))
        return {
            "exam": shown,
            "uid": first.sop_instance_uid,
            "number": first.instance_number,
            "uids": [first.sop_instance_uid] if only else after,
            "only": only,
            "several": sum(each.state is CaptureState.SAVED for each in kept) > 1,
            "whole": exam.released is None and not any(each.left for each in shown.captures),
            "from_finish": from_finish(request),
            "after": len(after) - 1,
            "others": [self._frame.look.exam(each, today) for each in others if each.id != first.exam],
        }
