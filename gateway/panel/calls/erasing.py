"""The call that erases one exam from this box for good, asked by who repeats the number of its pictures."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SET_UP
from gateway.panel.problems import OtherNumber
from gateway.spool import erasable, erasing


class ErasingCalls:
    """`/exams/{exam}/erase`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._required = [each.name for each in context.settings.destinations if each.required]
        self._servers = [each.name for each in context.settings.procedure_steps]

    def routes(self) -> list[Route]:
        return [Route("/exams/{exam}/erase", self.erase, methods=["POST"], who=SET_UP)]

    async def erase(self, request: Request) -> Response:
        """Erase an exam; `clean` is false while traces of it are left on the disk."""
        asked = await bodies.read(request, "pictures")
        repeated = bodies.whole(bodies.text(asked.values, "pictures", required=True))
        erase = partial(self._erase, request.path_params["exam"], repeated, acting.get())
        return JSONResponse({"clean": await self._context.work.spool(erase)})

    def _erase(self, exam: str, repeated: int | None, person: str) -> bool:
        spool = self._context.spool
        losses = erasable.losses(spool, [exam], required=self._required, servers=self._servers)
        erasable.refuse_on_screen(spool)
        if repeated != losses[0].pictures:
            raise OtherNumber(
                "This is not the number of the exam's pictures.",
                action="Look at the page again: what would be lost may have changed.",
            )
        return erasing.erase(spool, losses, by="panel", person=person, servers=self._servers)
