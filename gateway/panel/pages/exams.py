"""An exam: its live picture, its end, what is in it."""

from starlette.requests import Request
from starlette.routing import Route

from gateway.model import ExamState, MediaKind
from gateway.panel import views
from gateway.panel.context import Context
from gateway.panel.pages.frame import Elsewhere, Frame, Values


class ExamPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/live/{exam}", "live.html", self._live),
            self._frame.route("/finish/{exam}", "finish.html", self._finish),
            self._frame.route("/exam/{exam}", "exam.html", self._exam),
            self._frame.route("/picture/{uid}", "picture.html", self._picture),
        ]

    def _live(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        if exam.state is not ExamState.OPEN:
            raise Elsewhere(f"/exam/{exam.id}")
        sources = [source.name for source in self._context.settings.sources]
        wanted = request.query_params.get("source", "")
        shown = wanted if wanted in sources else sources[0]
        captures = self._context.spool.captures.of_exam(exam.id)
        return {
            "exam": self._frame.look.exam(exam, self._frame.today()),
            "other_source": sources[(sources.index(shown) + 1) % len(sources)] if len(sources) > 1 else "",
            "data": {
                "exam": exam.id,
                "source": shown,
                "captures": [views.capture_line(c) for c in captures],
            },
        }

    def _finish(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        if exam.state is not ExamState.OPEN:
            raise Elsewhere(f"/exam/{exam.id}")
        return {
            "exam": self._frame.look.exam(exam, self._frame.today()),
            "deliver": bool(self._context.settings.destinations),
        }

    def _exam(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        return {"exam": self._frame.look.exam(exam, self._frame.today())}

    def _picture(self, request: Request) -> Values:
        capture = self._context.spool.captures.get(request.path_params["uid"]).capture
        exam = self._frame.look.exam(self._context.spool.exams.get(capture.exam), self._frame.today())
        place = next(n for n, c in enumerate(exam.captures) if c.uid == capture.sop_instance_uid)
        return {
            "exam": exam,
            "capture": exam.captures[place],
            "clip": capture.kind is MediaKind.CLIP,
            "frames": capture.frames,
            "place": place + 1,
            "before": exam.captures[place - 1].uid if place else "",
            "after": exam.captures[place + 1].uid if place + 1 < len(exam.captures) else "",
            "changeable": exam.state in {ExamState.OPEN, ExamState.FINISHED} and not exam.captures[place].left,
        }
