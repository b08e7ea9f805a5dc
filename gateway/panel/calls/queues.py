"""The calls on whole queues when archives change: moved, given up, sent or asked about again. No patient."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, WrongState
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SERVE
from gateway.panel.shown.answers import Json
from gateway.spool.queue.whole_queues import Queues, agree

_LONGEST = 64
_MOST = 10**9
_FIRST_YEAR = 1970  # earlier days have no time of this machine


class QueueCalls:
    """`/queues`. `count` of a body: how many objects the page named, which are still as many."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/queues/move", self.move, methods=["POST"], who=SERVE),
            Route("/queues/add", self.add, methods=["POST"], who=SERVE),
            Route("/queues/drop", self.drop, methods=["POST"], who=SERVE),
            Route("/queues/same", self.same, methods=["POST"], who=SERVE),
            Route("/queues/resend", self.resend, methods=["POST"], who=SERVE),
            Route("/queues/release", self.release, methods=["POST"], who=SERVE),
        ]

    async def move(self, request: Request) -> Response:
        """Let what waits for one destination wait for another."""
        asked = await bodies.read(request, "from", "to", "count")
        old, new, count = _name(asked.values, "from"), _name(asked.values, "to"), _count(asked.values)
        return await self._do(partial(_move, old=old, new=new, count=count))

    async def add(self, request: Request) -> Response:
        """Queue the objects of exams since a day, or of all, for a destination that was added later."""
        asked = await bodies.read(request, "to", "since")
        name, since = _name(asked.values, "to"), _since(asked.values)
        return await self._do(lambda queues: {"queued": queues.add(name, since=since)})

    async def drop(self, request: Request) -> Response:
        """Give up what waits for who is not configured any more: a destination, or a procedure step server."""
        asked = await bodies.read(request, "from", "server", "count")
        which, count = _one_of(asked.values, "from"), _count(asked.values)
        name = _name(asked.values, which)
        if which == "server":
            return await self._do(lambda queues: {"dropped": queues.drop_messages(name, agreed=count)})
        return await self._do(lambda queues: {"dropped": queues.drop(name, agreed=count)})

    async def same(self, request: Request) -> Response:
        """Take an archive at another address as the one before: it is asked again what it has."""
        name = _name((await bodies.read(request, "of")).values, "of")
        return await self._do(lambda queues: {"same": queues.same(name)})

    async def resend(self, request: Request) -> Response:
        """Send again what an archive was sent, of exams since a day; everything when another one took its place."""
        asked = await bodies.read(request, "of", "since")
        name, since = _name(asked.values, "of"), _since(asked.values)
        return await self._do(lambda queues: {"queued": queues.resend(name, since=since)})

    async def release(self, request: Request) -> Response:
        """Let go what is held with one code for an archive, or for a procedure step server."""
        asked = await bodies.read(request, "of", "server", "code", "count")
        which, code, count = _one_of(asked.values, "of"), _name(asked.values, "code"), _count(asked.values)
        name = _name(asked.values, which)
        if which == "server":
            return await self._do(lambda queues: {"queued": queues.release_messages(name, code, agreed=count)})
        return await self._do(lambda queues: {"queued": queues.release(name, code, agreed=count)})

    async def _do(self, what: Callable[[Queues], Json]) -> Response:
        context = self._context
        await context.work.spool(self._settled)
        queues = Queues(context.spool, context.settings, by="panel", person=acting.get())
        return JSONResponse(await context.work.spool(partial(what, queues)))

    def _settled(self) -> None:
        """Raise WrongState while another configuration waits to be taken: it may know other destinations."""
        if self._context.configuring.state().waits:
            raise WrongState("Changed settings wait to be taken over.", action="Try again when they are.")


def _move(queues: Queues, *, old: str, new: str, count: int) -> Json:
    agree(queues.of(old).movable, count)
    done = queues.move(old, new)
    return {"moved": done.moved, "merged": done.merged}


def _since(values: Values) -> datetime | None:
    """Return with what a day of this box began, None where none is named. Raises BadValue."""
    if "since" not in values:
        return None
    day = bodies.text(values, "since", required=True)
    try:
        found = date.fromisoformat(day)
    except ValueError:
        found = date.min
    if found.year < _FIRST_YEAR:
        raise BadValue("since is no day such as 2026-11-21.")
    return datetime.combine(found, time.min).astimezone(UTC)


def _one_of(values: Values, destination: str) -> str:
    """Return the key with which a destination is named, or "server". Raises BadValue for both and for neither."""
    if (destination in values) == ("server" in values):
        raise BadValue(f"Name a destination with {destination}, or a procedure step server with server.")
    return "server" if "server" in values else destination


def _name(values: Values, key: str) -> str:
    return bodies.text(values, key, longest=_LONGEST, required=True)


def _count(values: Values) -> int:
    return bodies.number(values, "count", least=0, most=_MOST, default=0)
