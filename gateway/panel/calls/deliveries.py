"""The calls on deliveries: what is on its way, and a person's say in it."""

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.config.settings import Destination
from gateway.errors import BadValue, NotFound, WrongState
from gateway.model import DeliveryState
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SIGNED_IN, WORK
from gateway.panel.shown import answers, asked_for
from gateway.panel.words import of_call

_MOST = 2000


class DeliveryCalls:
    """`/deliveries`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/deliveries", self.listing, methods=["GET"], who=SIGNED_IN),
            Route("/deliveries/retry", self.retry_all, methods=["POST"], who=WORK),
            Route("/deliveries/{delivery}/retry", self.retry, methods=["POST"], who=WORK),
            Route("/deliveries/{delivery}/hold", self.hold, methods=["POST"], who=WORK),
            Route("/deliveries/{delivery}/release", self.release, methods=["POST"], who=WORK),
        ]

    async def listing(self, request: Request) -> Response:
        words = [word for word in request.query_params.get("state", "").split(",") if word]
        if unknown := [word for word in words if word not in set(DeliveryState)]:
            raise BadValue(f"{len(unknown)} of these are no states of a delivery.")
        look = partial(
            self._context.spool.deliveries.list,
            states_wanted=[DeliveryState(word) for word in words],
            exam=request.query_params.get("exam", ""),
            limit=bodies.query_number(request, "limit", least=1, most=_MOST, default=500),
        )
        found = await self._context.work.spool(look)
        return JSONResponse({"deliveries": [answers.delivery(each) for each in found]})

    async def retry_all(self, request: Request) -> Response:
        """Let everything that waits be tried at once, or what waits for one destination."""
        asked = await bodies.read(request, "destination")
        name = bodies.text(asked.values, "destination")
        wanted = [each for each in self._context.settings.destinations if name in ("", each.name)]
        if name and not wanted:
            raise NotFound("There is no destination of that name.")
        retried, said = await self._context.work.spool(lambda: self._retry_all(name, wanted))
        return JSONResponse({"retried": retried, "said": of_call(request).said(said)})

    def _retry_all(self, name: str, wanted: Sequence[Destination]) -> tuple[int, str]:
        said = asked_for.answer(self._context.spool, wanted, self._context.live["forward"].read())
        return self._context.spool.deliveries.retry(destination=name), said

    async def retry(self, request: Request) -> Response:
        await bodies.read(request)
        number, spool = _number(request), self._context.spool
        await self._context.work.spool(lambda: spool.deliveries.get(number))
        if not await self._context.work.spool(lambda: spool.deliveries.retry(delivery=number)):
            raise WrongState(
                "Only what waits can be tried at once.",
                action="Release it if it is held; otherwise there is nothing to do.",
            )
        return await self._answer(number)

    async def hold(self, request: Request) -> Response:
        number, uid = _number(request), await _meant(request)
        await self._context.work.spool(lambda: self._context.spool.deliveries.hold(number, uid=uid))
        await self._context.note("delivery-held", delivery=number)
        return await self._answer(number)

    async def release(self, request: Request) -> Response:
        number, uid = _number(request), await _meant(request)
        await self._context.work.spool(lambda: self._context.spool.deliveries.release(number, uid=uid))
        await self._context.note("delivery-released", delivery=number)
        return await self._answer(number)

    async def _answer(self, number: int) -> Response:
        found = await self._context.work.spool(lambda: self._context.spool.deliveries.get(number))
        return JSONResponse(answers.delivery(found))


async def _meant(request: Request) -> str:
    """Return which object the caller means; "" when only the number is known."""
    asked = await bodies.read(request, "sop_instance_uid")
    return bodies.text(asked.values, "sop_instance_uid")


def _number(request: Request) -> int:
    """Return the delivery's number; what is none names no delivery."""
    number = bodies.whole(request.path_params["delivery"])
    if number is None:
        raise NotFound("There is no such delivery.")
    return number
