"""Where pictures go that are of another patient: a whole exam, one picture, or one with all after it."""

from starlette.requests import Request

from gateway.model import CaptureState, Exam, ExamState
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.exams import from_finish
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import WORK
from gateway.panel.shown import similar
from gateway.panel.shown.views import ExamView, counts


class MovingPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/wrong/{exam}", "wrong.html", self._wrong, who=WORK),
            self._frame.route("/move/{uid}", "move.html", self._move, who=WORK),
        ]

    def _wrong(self, request: Request) -> Values:
        """Ask what is of another patient: the whole exam, or its pictures from which one on."""
        exam = self._context.spool.exams.get(request.path_params["exam"])
        shown = self._frame.look.exam(exam, self._frame.today())
        if not shown.changeable:
            raise Elsewhere(f"/exam/{exam.id}")
        return {
            "exam": shown,
            "pictures": [each for each in shown.captures if not each.rejected and not each.left],
            "whole": _whole(exam, shown),
        }

    def _move(self, request: Request) -> Values:
        """Offer the other exams that have not left; `?only=1`: this picture without those after it."""
        spool, today = self._context.spool, self._frame.today()
        first = spool.captures.get(request.path_params["uid"]).capture
        listed = spool.captures.of_exam(first.exam)
        kept = [each.capture for each in listed]
        after = [
            each.sop_instance_uid
            for each in kept
            if each.state is CaptureState.SAVED and each.instance_number >= first.instance_number
        ]
        only = request.query_params.get("only") == "1"
        exam = spool.exams.get(first.exam)
        shown = self._frame.look.exam(exam, today)
        others = [
            each
            for each in spool.exams.list(states_wanted=(ExamState.OPEN, ExamState.FINISHED))
            if each.id != first.exam
        ]
        named, uids = similar.Names([exam, *others]), [first.sop_instance_uid] if only else after
        return {
            "exam": shown,
            "uid": first.sop_instance_uid,
            "number": first.instance_number,
            "uids": uids,
            "counts": counts([each for each in listed if each.capture.sop_instance_uid in uids]),
            "only": only,
            "several": sum(each.state is CaptureState.SAVED for each in kept) > 1,
            "whole": _whole(exam, shown),
            "from_finish": from_finish(request),
            "after": len(after) - 1,
            "others": [self._frame.look.exam(each, today) for each in others],
            "alike": [each.id for each in others if named.like(each.patient)],
        }


def _whole(exam: Exam, shown: ExamView) -> bool:
    """Say whether an exam may still get another patient with everything in it."""
    return exam.released is None and not any(each.left for each in shown.captures)
