"""The calls on exports: exams onto the medium of a configured destination. The forward process writes it.

Only a destination's name is taken, never a folder: a caller cannot choose where patients' data go.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, NotFound
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import LOOK
from gateway.panel.shown import answers
from gateway.spool.processes.requests import Request as Asked

EXPORT = "export"  # the kind of the request row that forward executes
_DEADLINE_S = 600.0  # an export that nobody began by then is not begun: its person is gone
_MOST_EXAMS = 200


class ExportCalls:
    """`/exports`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._media = [each.name for each in context.settings.destinations if each.kind == "media"]

    def routes(self) -> list[Route]:
        return [
            Route("/exports", self.ask, methods=["POST"], who=LOOK),
            Route("/exports/{export}", self.get, methods=["GET"], who=LOOK),
        ]

    async def ask(self, request: Request) -> Response:
        """File the wish; the answer says under which id to look how far it is."""
        asked = await bodies.read(request, "exams", "destination", "jpeg", creating=True)
        exams = _exams(asked.values)
        arguments = {
            "exams": exams,
            "destination": self._destination(bodies.text(asked.values, "destination")),
            "jpeg": bodies.flag(asked.values, "jpeg"),
        }
        for exam in exams:
            await self._context.exam(exam)
        requests, identifier = self._context.spool.requests, asked.stamp.id if asked.stamp else ""
        filed, new = await self._context.work.spool(
            lambda: requests.file(EXPORT, arguments, deadline_s=_DEADLINE_S, identifier=identifier)
        )
        if new:
            for exam in exams:
                await self._context.note("export-asked", exam=exam, to=str(arguments["destination"]))
        return JSONResponse(answers.export(await self._look(filed)), 202)

    async def get(self, request: Request) -> Response:
        return JSONResponse(answers.export(await self._look(request.path_params["export"])))

    async def _look(self, identifier: str) -> Asked:
        found = await self._context.work.spool(lambda: self._context.spool.requests.get(identifier))
        if found.kind != EXPORT:
            raise NotFound("There is no such export.")
        return found

    def _destination(self, name: str) -> str:
        if not name and len(self._media) == 1:
            return self._media[0]
        if name not in self._media:
            raise NotFound(
                "There is no media destination of that name.",
                action='Name a [[destination]] of kind "media" of the configuration.',
            )
        return name


def _exams(values: bodies.Values) -> list[str]:
    """Return the exams that were asked for, each once. Raises BadValue."""
    exams = values.get("exams")
    if not isinstance(exams, list) or not 1 <= len(exams) <= _MOST_EXAMS:
        raise BadValue(f"exams is not a list of 1 to {_MOST_EXAMS} numbers of exams.")
    if not all(isinstance(exam, str) for exam in exams):
        raise BadValue("exams holds something that is no text.")
    return list(dict.fromkeys(exams))
