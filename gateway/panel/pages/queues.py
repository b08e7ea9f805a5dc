"""The page of one archive's queue: how many objects are where, what is done when archives change. No patient."""

from starlette.requests import Request

from gateway.errors import NotFound
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SERVE
from gateway.spool.queues import Queues


class QueuePages:
    """`/service/queue?of=NAME`: the name of one that is not configured any more may have any letters."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._queues = Queues(context.spool, context.settings, by="panel")
        self._frame = frame

    def routes(self) -> list[Route]:
        return [self._frame.route("/service/queue", "service_queue.html", self._queue, who=SERVE)]

    def _queue(self, request: Request) -> Values:
        name = request.query_params.get("of", "")
        every = {each.name: each for each in self._queues.all()}
        if name not in every:
            raise NotFound("There is no destination of that name.")
        others = [each for each in every.values() if each.configured and each.name != name]
        return {"queue": every[name], "others": others}
