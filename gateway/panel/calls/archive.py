"""The calls on the exams that are on this box: a search in them, and the wish to have one sent again."""

from datetime import date
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, NotFound, WrongState
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import LOOK, WORK
from gateway.panel.shown import answers, similar
from gateway.spool import searching
from gateway.spool.searching import Found

_MOST = 500
_LONGEST = 200  # letters


class ArchiveCalls:
    """`/exams/search` and `/exams/{exam}/send-again`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._archives = [each.name for each in context.settings.destinations if each.kind != "media"]

    def routes(self) -> list[Route]:
        return [
            Route("/exams/search", self.search, methods=["POST"], who=LOOK),
            Route("/exams/{exam}/send-again", self.send_again, methods=["POST"], who=WORK),
        ]

    async def search(self, request: Request) -> Response:
        """Search the box's exams: a POST, so that no name stands in an address."""
        asked = await bodies.read(request, "text", "first", "last", "limit")
        look = partial(
            find,
            self._context,
            bodies.text(asked.values, "text", longest=_LONGEST),
            first=_day(asked.values, "first"),
            last=_day(asked.values, "last"),
            limit=bodies.number(asked.values, "limit", least=1, most=_MOST, default=50),
        )
        return JSONResponse(await self._context.work.spool(lambda: self._answer(look())))

    async def send_again(self, request: Request) -> Response:
        """Queue again what archives were sent of an exam: the same objects under the same identity."""
        asked = await bodies.read(request, "destination")
        exam, name = request.path_params["exam"], bodies.text(asked.values, "destination")
        if name and name not in self._archives:
            raise NotFound("There is no archive of that name.")
        await self._context.exam(exam)
        again = partial(self._again, exam, [name] if name else self._archives)
        count = await self._context.work.spool(again)
        if not count:
            raise WrongState(
                "Nothing of this exam can be sent again.",
                action="What waits is sent by itself; what is held can be sent from the details of its delivery.",
            )
        await self._context.note("exam-sent-again", exam=exam, count=count)
        return JSONResponse({"queued": count})

    def _again(self, exam: str, names: list[str]) -> int:
        return sum(self._context.spool.rerouting.resend(name, exam=exam) for name in names)

    def _answer(self, found: Found) -> answers.Json:
        spool = self._context.spool
        heads = [
            answers.exam_head(exam, spool.captures.of_exam(exam.id), spool.deliveries.list(exam=exam.id))
            for exam in found.exams
        ]
        return {"exams": heads, "more": found.more}


def find(
    context: Context, text: str, *, first: date | None, last: date | None, limit: int, but_empty: bool = False
) -> Found:
    """Return the exams that fit, the one opened last first. Blocks: runs in a thread."""
    fits = partial(similar.finds, text)
    return searching.search(context.spool, fits=fits, first=first, last=last, limit=limit, but_empty=but_empty)


def _day(values: bodies.Values, key: str) -> date | None:
    text = bodies.text(values, key)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadValue(f"{key} is no date; write it as 2026-11-21.") from None
