"""The calls on exams: open, look, finish, discontinue, confirm, assign, reopen. `subjects` knows who is meant."""

from datetime import timedelta
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, RequestReused
from gateway.model import WRONG_ENTRY, Exam, ExamState, PleaseCheck, RequestStamp
from gateway.panel.calls import bodies, subjects
from gateway.panel.calls.bodies import Asked, Values
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import LOOK, WORK
from gateway.panel.shown import answers
from gateway.spool import pictures, reopening
from gateway.spool.subjects import Subject

# Why a step was discontinued (PS3.16 CID 9300), by the word that callers may use instead of the code.
REASONS = {
    "doctor-cancelled": "110500",
    "equipment-failure": "110501",
    "incorrect-procedure-ordered": "110502",
    "patient-allergic": "110503",
    "patient-died": "110504",
    "patient-refused": "110505",
    "patient-taken-for-treatment": "110506",
    "patient-did-not-arrive": "110507",
    "patient-pregnant": "110508",
    "change-for-charging": "110509",
    "duplicate-order": "110510",
    "cancelled-by-nursing-unit": "110511",
    "incorrect-side": "110512",
    "unspecified": "110513",
    "incorrect-worklist-entry": WRONG_ENTRY,
    "condition-prevented-continuing": "110515",
    "equipment-change": "110516",
}
_MOST = 500
MOST_ITEMS = 10  # orders that one exam can be for


class ExamCalls:
    """`/exams` and what lies under it, but for pictures being taken."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._required = frozenset(d.name for d in context.settings.destinations if d.required)

    def routes(self) -> list[Route]:
        return [
            Route("/exams", self.open, methods=["POST"], who=WORK),
            Route("/exams", self.listing, methods=["GET"], who=LOOK),
            Route("/exams/{exam}", self.get, methods=["GET"], who=LOOK),
            Route("/exams/{exam}/finish", self.finish, methods=["POST"], who=WORK),
            Route("/exams/{exam}/discontinue", self.discontinue, methods=["POST"], who=WORK),
            Route("/exams/{exam}/confirm", self.confirm, methods=["POST"], who=WORK),
            Route("/exams/{exam}/assign", self.assign, methods=["POST"], who=WORK),
            Route("/exams/{exam}/reopen", self.reopen, methods=["POST"], who=WORK),
            Route("/exams/{exam}/keep", self.keep, methods=["POST"], who=WORK),
        ]

    async def open(self, request: Request) -> Response:
        asked = await bodies.read(
            request,
            *("worklist_item", "patient", "same_patient", "procedure", "emergency", "close_open"),
            creating=True,
        )
        close_open = bodies.flag(asked.values, "close_open")
        spool = self._context.spool
        if asked.stamp and (known := await self._opened_before(asked.stamp)):
            return JSONResponse(answers.opened(known), 201)
        subject = await self._subject(asked, temporary=bodies.flag(asked.values, "emergency"))
        previous = await self._context.work.spool(spool.exams.open_one)
        operator = await self._context.work.spool(self._context.operator)
        if previous and close_open:
            await self._context.recorder.drain(previous.id, self._context.timing.drain)
        closed: list[Exam] = []
        opened = partial(spool.exams.open, subject, request=asked.stamp, close_open=close_open)
        try:
            exam, new = await self._context.work.spool(partial(opened, operator=operator, closed=closed.append))
        finally:
            for each in closed:  # also when the next one could not be opened
                await self._context.note("exam-closed-by-next", exam=each.id)
        if new:
            await self._context.note("exam-opened", exam=exam.id, identity=exam.identity, operator=operator)
        return JSONResponse(answers.opened(exam), 201)

    async def listing(self, request: Request) -> Response:
        words = [word for word in request.query_params.get("state", "").split(",") if word]
        if unknown := [word for word in words if word not in set(ExamState)]:
            raise BadValue(f"{len(unknown)} of these are no states of an exam.")
        limit = bodies.query_number(request, "limit", least=1, most=_MOST, default=50)
        wanted = tuple(ExamState(word) for word in words)
        heads = await self._context.work.spool(partial(self._heads, wanted, limit))
        return JSONResponse({"exams": heads})

    async def get(self, request: Request) -> Response:
        exam = request.path_params["exam"]
        answer = await self._answer(exam)
        await self._context.work.spool(lambda: self._context.desk.looks.at(request, exam))
        return answer

    async def finish(self, request: Request) -> Response:
        asked = await bodies.read(request, "confirmed", "question")
        exam, confirmed = request.path_params["exam"], bodies.flag(asked.values, "confirmed")
        question = bodies.text(asked.values, "question")
        await self._end(exam, "exam-finished", confirmed=confirmed, question=question)
        return await self._answer(exam)

    async def discontinue(self, request: Request) -> Response:
        asked = await bodies.read(request, "reason")
        word = bodies.text(asked.values, "reason", required=True)
        code = REASONS.get(word, word)
        if code not in REASONS.values():
            raise BadValue("This is no reason for discontinuing an exam.", action=f"One of: {', '.join(REASONS)}.")
        exam = request.path_params["exam"]
        # Pictures of a wrong entry belong to nobody until a person says to whom.
        please_check = PleaseCheck.WRONG_ENTRY if code == WRONG_ENTRY else ""
        await self._end(exam, "exam-discontinued", discontinued=code, please_check=please_check)
        return await self._answer(exam)

    async def confirm(self, request: Request) -> Response:
        asked = await bodies.read(request, "question")
        exam, question = request.path_params["exam"], bodies.text(asked.values, "question")
        await self._context.exam(exam)
        _, answered = await self._context.work.spool(
            lambda: self._context.spool.exams.confirm(exam, question=question)
        )
        if answered:
            await self._context.note("patient-confirmed", exam=exam)
        return await self._answer(exam)

    async def keep(self, request: Request) -> Response:
        """Keep its pictures on this box whoever else has them, or no longer."""
        asked = await bodies.read(request, "keep")
        keep, exam = bodies.flag(asked.values, "keep", required=True), request.path_params["exam"]
        await self._context.work.spool(partial(self._context.spool.exams.keep, exam, keep=keep))
        await self._context.note("exam-kept", exam=exam, keep=int(keep))
        return await self._answer(exam)

    async def assign(self, request: Request) -> Response:
        asked = await bodies.read(request, "worklist_item", "patient", "procedure")
        exam = request.path_params["exam"]
        await self._context.exam(exam)
        subject = await self._subject(asked)
        await self._context.work.spool(lambda: self._context.spool.exams.assign(exam, subject))
        await self._context.note("exam-assigned", exam=exam, identity=subject.identity)
        return await self._answer(exam)

    async def reopen(self, request: Request) -> Response:
        await bodies.read(request)
        exam = request.path_params["exam"]
        within = timedelta(hours=self._context.settings.release.reopen_hours)
        await self._context.work.spool(partial(reopening.reopen, self._context.spool, exam, within=within))
        await self._context.note("exam-reopened", exam=exam)
        return await self._answer(exam)

    # --- inside -------------------------------------------------------------------------------------------

    async def _end(
        self,
        exam: str,
        what: str,
        *,
        discontinued: str = "",
        please_check: str = "",
        confirmed: bool = False,
        question: str = "",
    ) -> None:
        found = await self._context.exam(exam)
        if found.state is ExamState.OPEN:
            await self._context.recorder.drain(exam, self._context.timing.drain)
        ended = await self._context.work.spool(
            partial(
                self._context.spool.exams.finish,
                exam,
                discontinued=discontinued,
                please_check=please_check,
                confirmed=confirmed,
                question=question,
            )
        )
        await self._context.note(what, exam=exam, reason=discontinued)
        if confirmed and ended.confirmed == ended.ended:  # its end answered what was asked by then
            await self._context.note("patient-confirmed", exam=exam)

    async def _subject(self, asked: Asked, *, temporary: bool = False) -> Subject:
        values = asked.values
        if temporary + sum(key in values for key in ("worklist_item", "patient", "same_patient")) != 1:
            raise BadValue(
                "An exam needs one patient.",
                action='Give one of "worklist_item", "patient", "same_patient" and "emergency".',
            )
        station, clock = self._context.settings.station, self._context.clock
        if temporary:
            return subjects.temporary(station=station, clock=clock)
        if "same_patient" in values:
            before = await self._context.exam(bodies.text(values, "same_patient", required=True))
            return subjects.again(before, values)
        if "patient" in values:
            return subjects.typed(values, station=station, clock=clock)
        names, worklist = _items(values), self._context.spool.worklist
        items = await self._context.work.spool(lambda: [worklist.get(name) for name in names])
        return subjects.of_items(items)

    async def _opened_before(self, stamp: RequestStamp) -> Exam | None:
        """Find what this request opened, even when its worklist entry is gone by now. Raises RequestReused."""
        for exam in await self._context.work.spool(self._context.spool.exams.list):
            if exam.request and exam.request.id == stamp.id:
                if exam.request.digest != stamp.digest:
                    raise RequestReused
                return exam
        return None

    async def _answer(self, exam: str) -> Response:
        def look() -> answers.Json:
            spool = self._context.spool
            return answers.exam(
                spool.exams.get(exam),
                pictures.of_exam(spool, exam),
                messages=spool.steps.of_exam(exam),
                required=self._required,
                sideless=spool.sides.missing(exam),
            )

        return JSONResponse(await self._context.work.spool(look))

    def _heads(self, wanted: tuple[ExamState, ...], limit: int) -> list[answers.Json]:
        spool = self._context.spool
        return [
            answers.exam_head(exam, spool.captures.of_exam(exam.id), spool.deliveries.list(exam=exam.id))
            for exam in spool.exams.list(states_wanted=wanted, limit=limit)
        ]


def _items(values: Values) -> list[str]:
    """Return the worklist entries that an exam is to be for: one, or some that are done in one go."""
    given = values["worklist_item"]
    items = given if isinstance(given, list) else [given]
    if not all(isinstance(item, str) for item in items) or not 1 <= len(items) <= MOST_ITEMS:
        raise BadValue(f"worklist_item is not the id of a worklist entry, or a list of 1 to {MOST_ITEMS}.")
    if len(set(items)) != len(items):
        raise BadValue("worklist_item names an entry twice.")
    return items
