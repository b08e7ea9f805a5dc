"""The calls on the worklist: the cached list, a search in it, and the wish to have it asked again."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.model import RequestState, WorklistItem
from gateway.panel import answers, bodies, similar
from gateway.panel.context import Context
from gateway.panel.people.roles import WORK
from gateway.panel.routing import Route
from gateway.spool.worklist import ServerState

REFRESH = "worklist-refresh"  # the kind of the request row that forward executes


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
        """Search the cached list: a POST, so that no name stands in an address."""
        asked = await bodies.read(request, "text")
        return JSONResponse(await self._list(bodies.text(asked.values, "text", longest=200)))

    async def refresh(self, request: Request) -> Response:
        """Have every server asked; answers when they did, or at the deadline with the list as it is."""
        await bodies.read(request)
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._ask_again())
        outcome = await asyncio.shield(self._refreshing)
        return JSONResponse({**await self._list(""), "refresh": outcome})

    async def _ask_again(self) -> answers.Json:
        requests, work, timing = self._context.spool.requests, self._context.work, self._context.timing
        identifier = await work.spool(lambda: requests.ask(REFRESH, {}, deadline_s=timing.refresh))
        try:
            async with asyncio.timeout(timing.refresh):
                while True:
                    asked = await work.spool(lambda: requests.get(identifier))
                    if asked.state in {RequestState.DONE, RequestState.FAILED}:
                        said = {word: asked.answer.get(word, "") for word in ("code", "what")}
                        return {"done": asked.state is RequestState.DONE, **said}
                    await asyncio.sleep(timing.poll)
        except TimeoutError:
            return {"done": False, "code": "too-late", "what": "The worklist servers did not answer in time."}

    async def _list(self, text: str) -> answers.Json:
        def look() -> tuple[list[WorklistItem], list[ServerState]]:
            return self._context.spool.worklist.items(), self._context.spool.worklist.servers()

        items, servers = await self._context.work.spool(look)
        found = [item for item in items if matches(item, text)]
        return {"items": [answers.worklist_item(item) for item in found], **age(self._context, servers)}


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


def matches(item: WorklistItem, text: str) -> bool:
    """Say whether every word of `text` begins a word of the entry's name, ID or accession number."""
    patient = item.patient
    fields = f"{patient.name} {patient.id} {item.procedure.accession_number}".replace("^", " ").replace("=", " ")
    words = similar.folded(fields).split()
    return all(
        any(word.startswith(sought) or (not sought.isascii() and sought in word) for word in words)
        for sought in similar.folded(text).replace(",", " ").split()
    )
