"""The calls that try another system before its entry is saved: asked by forward, answered line by line."""

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.model import RequestState
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import FIRST_SET_UP
from gateway.panel.shown import setting_values
from gateway.panel.shown.answers import Json
from gateway.panel.words import Words, of_call
from gateway.spool.processes import trials
from gateway.spool.processes.requests import Request as Asked

_LARGEST = 40  # keys of an entry


class TrialCalls:
    """`/trials`. Opens no connection itself."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/trials", self.begin, methods=["POST"], who=FIRST_SET_UP),
            Route("/trials/{trial}", self.get, methods=["GET"], who=FIRST_SET_UP),
        ]

    async def begin(self, request: Request) -> Response:
        """Have an entry tried as it stands in a form; `listen`: where this box would hear, if that changes too."""
        asked = await bodies.read(request, "table", "values", "listen")
        table = bodies.text(asked.values, "table", required=True)
        if table not in trials.TABLES:
            raise BadValue(trials.NO_OTHER)
        values = _values(asked.values.get("values"))
        await self._context.work.spool(partial(self._harmless, table, values))
        arguments = {
            "table": table,
            "values": values,
            "base": str(self._context.configuring.allowed.base),
            "listen": bodies.text(asked.values, "listen", longest=300),
            "ae_title": await self._context.work.spool(self._context.configuring.our_title),
        }
        wish = partial(
            self._context.spool.requests.ask,
            trials.REQUEST,
            arguments,
            deadline_s=self._context.timing.trial_begins,
        )
        identifier = await self._context.work.spool(wish)
        return JSONResponse({"id": identifier, "done": False, "lines": []}, 202)

    def _harmless(self, table: str, values: dict[str, Any]) -> None:
        """Refuse what would send a file of the box, or another archive's secret, as a password. Raises BadValue."""
        configuring = self._context.configuring
        document = {table: [values] if configuring.tables[table].many else values}
        for foreign in configuring.allowed.foreign_files(document):
            name = setting_values.label(foreign.key)
            raise BadValue(f"This cannot be used: {name}: {foreign.reason}.")
        if any(configuring.allowed.lent_secrets(document)):
            raise BadValue("This secret is kept for another address.", action="Type it again.")

    async def get(self, request: Request) -> Response:
        """Return what was found out so far."""
        identifier = request.path_params["trial"]
        asked = await self._context.work.spool(partial(self._context.spool.requests.get, identifier))
        if asked.kind != trials.REQUEST:
            raise BadValue("This is no trial.")
        return JSONResponse({"id": identifier, **_said(asked, of_call(request))})


def _said(asked: Asked, language: Words) -> Json:
    if asked.state is RequestState.FAILED:
        line = trials.Line(
            part="trial",
            ok=False,
            what=str(asked.answer["what"]),
            action=str(asked.answer.get("action", "")),
            code=str(asked.answer["code"]),
        )
        return {"done": True, "ok": False, "lines": [_in(line.to_json(), language)]}
    lines = [_in(line, language) for line in asked.answer.get("lines", [])]
    done = asked.state is RequestState.DONE
    return {"done": done, "ok": done and all(line["ok"] is not False for line in lines), "lines": lines}


def _in(line: Json, language: Words) -> Json:
    """Return a line in the words of whoever reads it."""
    return {**line, "what": language.said(line["what"]), "action": language.said(line["action"])}


def _values(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > _LARGEST:
        raise BadValue("values is no entry of the configuration.")
    return value
