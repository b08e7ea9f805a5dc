"""The calls on the worklist: the cached list, a search in it, and the wish to have it asked again."""

import asyncio
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.messages import N_
from gateway.model import RequestState, WorklistItem
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import WORK
from gateway.panel.shown import answers, similar
from gateway.spool.processes.requests import Request as Asked
from gateway.spool.worklist import ServerState

REFRESH, SEARCH = "worklist-refresh", "worklist-search"  # the kinds of the request rows that forward executes
_LEAST = 2  # letters of a search at the servers
_TOO_LATE = N_("The worklist servers did not answer in time.")


class WorklistCalls:
    """`/worklist`. Never talks to a worklist server itself."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._refreshing: asyncio.Task[answers.Json] | None = None

    def routes(self) -> list[Route]:
        return [
            Route("/worklist", self.listing, methods=["GET"], who=WORK),
            Route("/worklist/refresh", self.refresh, methods=["POST"], who=WORK),
            Route("/worklist/search", self.search, methods=["POST"], who=WORK),
        ]

    async def listing(self, request: Request) -> Response:
        del request
        return JSONResponse(await self._list(""))

    async def search(self, request: Request) -> Response:
        """Search the cached list, the servers first if asked to: a POST, so that no name stands in an address."""
        asked = await bodies.read(request, "text", "server")
        text = bodies.text(asked.values, "text", longest=200)
        if not bodies.flag(asked.values, "server"):
            return JSONResponse(await self._list(text))
        if sum(map(str.isalnum, text)) < _LEAST:
            raise BadValue("This is too little to search for.", action="Type at least two letters or digits.")
        outcome = await self._ask_forward(SEARCH, {"text": text}, private=True)
        return JSONResponse({**await self._list(text), "search": outcome})

    async def refresh(self, request: Request) -> Response:
        """Have every server asked; answers when they did, or at the deadline with the list as it is."""
        await bodies.read(request)
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._ask_forward(REFRESH, {}))
        outcome = await asyncio.shield(self._refreshing)
        return JSONResponse({**await self._list(""), "refresh": outcome})

    async def _ask_forward(self, kind: str, arguments: answers.Json, *, private: bool = False) -> answers.Json:
        """Have forward ask the servers; a `private` wish names a patient: it is forgotten once answered."""
        requests, work, timing = self._context.spool.requests, self._context.work, self._context.timing
        identifier = await work.spool(partial(requests.ask, kind, arguments, deadline_s=timing.refresh))
        try:
            async with asyncio.timeout(timing.refresh):
                while True:
                    asked = await work.spool(partial(requests.get, identifier))
                    if asked.state in {RequestState.DONE, RequestState.FAILED}:
                        return _outcome(asked)
                    await asyncio.sleep(timing.poll)
        except TimeoutError:
            return {"done": False, "code": "too-late", "what": _TOO_LATE}
        finally:
            if private:
                await asyncio.shield(work.spool(partial(requests.drop, identifier)))

    async def _list(self, text: str) -> answers.Json:
        def look() -> tuple[list[WorklistItem], list[ServerState]]:
            return self._context.spool.worklist.items(found=bool(text)), self._context.spool.worklist.servers()

        items, servers = await self._context.work.spool(look)
        found = [item for item in items if matches(item, text)]
        return {"items": [answers.worklist_item(item) for item in found], **age(self._context, servers)}


def _outcome(asked: Asked) -> answers.Json:
    """Say in a few words what the servers answered: the first failure, if there was one."""
    failed = next((each for each in asked.answer.get("servers", []) if not each["ok"]), asked.answer)
    said = {word: failed.get(word, "") for word in ("code", "what")}
    return {"done": asked.state is RequestState.DONE, **said}


def age(context: Context, servers: list[ServerState]) -> answers.Json:
    """Say how old the list is: as old as its oldest part, stale when a server failed, never answered or is late."""
    known = {state.server: state for state in servers}
    states = [known.get(w.name, ServerState(server=w.name)) for w in context.settings.worklists]
    oldest = min((state.answered_ns for state in states), default=0)
    now_ns = context.clock.utc().timestamp() * 1e9
    late = [s for s in states if s.code or now_ns - s.answered_ns > context.timing.worklist_stale * 1e9]
    return {
        "as_of": answers.instant(oldest),
        "stale": bool(late),
        "servers": [answers.server(state) for state in states],
    }


def is_of(item: WorklistItem, scanned: str) -> bool:
    """Say whether an entry has this patient ID or accession number; some scanners send no capitals."""
    wanted = scanned.strip().casefold()
    numbers = (item.patient.id, item.procedure.accession_number)
    return bool(wanted) and wanted in {number.strip().casefold() for number in numbers}


def matches(item: WorklistItem, text: str) -> bool:
    """Say whether every word of `text` begins a word of the entry's name, ID or accession number."""
    patient = item.patient
    return similar.finds(text, f"{patient.name} {patient.id} {item.procedure.accession_number}")
