"""An exam: its live picture, its end, what is in it."""

from datetime import timedelta

from starlette.requests import Request

from gateway.config.body_parts import takes_side
from gateway.config.settings import Source, idle_mode
from gateway.model import Equipment, Exam, ExamState, Identity, MediaKind, PleaseCheck
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import LOOK, WORK, caller_of
from gateway.panel.shown import archives, views
from gateway.panel.shown.views import ExamView
from gateway.spool.key_images import named

_OVER = frozenset({ExamState.RELEASED, ExamState.DISCONTINUED})


class ExamPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame
        self._has_media = any(each.kind == "media" for each in context.settings.destinations)

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/live/{exam}", "live.html", self._live, who=LOOK),
            self._frame.route("/finish/{exam}", "finish.html", self._finish, who=WORK),
            self._frame.route("/exam/{exam}", "exam.html", self._exam, who=LOOK),
            self._frame.route("/picture/{uid}", "picture.html", self._picture, who=LOOK),
        ]

    def _live(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        self._context.desk.looks.at(request, exam.id)
        if exam.state is not ExamState.OPEN:
            raise Elsewhere(f"/exam/{exam.id}")
        sources = self._context.settings.sources
        wanted = request.query_params.get("source", "")
        usual = sources[0].name if sources else ""
        sided = [takes_side(_equipment(source), MediaKind.STILL) for source in sources]
        captures = self._context.spool.captures.of_exam(exam.id)
        return {
            "exam": self._frame.look.exam(exam, self._frame.today()),
            "idle_mode": idle_mode(sources),
            "sides": any(sided),
            "data": {
                "exam": exam.id,
                "source": next((each.name for each in sources if each.name == wanted), usual),
                "sources": [{"name": each.name, "sides": has} for each, has in zip(sources, sided, strict=True)],
                "side": exam.side,
                "captures": [views.capture_line(c) for c in captures],
            },
        }

    def _finish(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        if exam.state is not ExamState.OPEN:
            raise Elsewhere(f"/exam/{exam.id}")
        return {
            "exam": self._frame.look.exam(exam, self._frame.today()),
            "asked": exam.please_check in {PleaseCheck.IDLE, PleaseCheck.REBOOT},
            "said_no": request.query_params.get("no", "") == "1",
            "deliver": any(each.kind != "media" for each in self._context.settings.destinations),
            "media": self._has_media,
        }

    def _exam(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        self._context.desk.looks.at(request, exam.id)
        body, procedure = self._next_of_patient(exam)
        free = exam.state is not ExamState.OPEN and self._context.spool.exams.open_one() is None
        known = not exam.please_check and exam.identity is not Identity.TEMPORARY
        troubles = self._frame.troubles()
        view = self._frame.look.exam(exam, self._frame.today(), away=archives.away(troubles))
        names = frozenset(d.name for d in self._context.settings.destinations if d.kind != "media")
        return {
            "exam": view,
            "troubles": [] if view.state == ExamState.OPEN else archives.of_exam(troubles, view.goes_to, names),
            "sends": self._frame.sends(view),
            "nameless": self._nameless(exam) if known and exam.confirmed else None,
            "next_exam": body if free and known else None,
            "next_procedure": procedure,
            "free": free,
            "over": exam.state in _OVER,
            "reopens": self._reopens(exam),
            "reopen_hours": self._context.settings.release.reopen_hours,
            "media": self._has_media,
        }

    def _nameless(self, exam: Exam) -> ExamView | None:
        """Return another exam without a patient: who was just chosen is often its patient too."""
        waiting = self._frame.look.waiting(self._frame.today())
        return next((each for each in waiting if each.needs_patient and each.id != exam.id), None)

    def _next_of_patient(self, exam: Exam) -> tuple[Values, str]:
        """Return what opens the next exam of this patient, and what is done then: what is ordered, if it is."""
        spool = self._context.spool
        done = {item for each in spool.exams.list() for item in (each.worklist_item, *_further(each))}
        ordered = [item for item in spool.worklist.items() if item.patient == exam.patient and item.id not in done]
        if ordered:
            return {"worklist_item": ordered[0].id}, ordered[0].procedure.description
        return {"same_patient": exam.id}, ""

    def _reopens(self, exam: Exam) -> bool:
        """Say whether more pictures may still be added to what was released."""
        if exam.ended is None or exam.state not in _OVER:
            return False
        within = timedelta(hours=self._context.settings.release.reopen_hours)
        return self._context.clock.utc() - exam.ended.utc <= within

    def _picture(self, request: Request) -> Values:
        capture = self._context.spool.captures.get(request.path_params["uid"]).capture
        self._context.desk.looks.at(request, capture.exam)
        exam = self._frame.look.exam(self._context.spool.exams.get(capture.exam), self._frame.today())
        place = next(n for n, c in enumerate(exam.captures) if c.uid == capture.sop_instance_uid)
        may = caller_of(request.scope).may(WORK)
        return {
            "exam": exam,
            "capture": exam.captures[place],
            "clip": capture.kind is MediaKind.CLIP,
            "frames": capture.frames,
            "place": place + 1,
            "before": exam.captures[place - 1].uid if place else "",
            "after": exam.captures[place + 1].uid if place + 1 < len(exam.captures) else "",
            "markable": may and exam.state in {ExamState.OPEN, ExamState.FINISHED},
            "named": capture.sop_instance_uid in named(self._context.spool.exams.get(capture.exam)),
            "may_change": may,
            "from_finish": from_finish(request) and exam.state == ExamState.OPEN,
        }


def from_finish(request: Request) -> bool:
    """Say whether a page of a picture was come to from the end of its exam, and leads back there."""
    return request.query_params.get("from", "") == "finish"


def _equipment(source: Source) -> Equipment:
    return Equipment(modality=source.modality, object=source.object, body_part=source.body_part)


def _further(exam: Exam) -> tuple[str, ...]:
    return tuple(order.worklist_item for order in exam.further)
