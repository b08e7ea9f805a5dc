"""The pages of one archive's or server's queue: how much is where, what is done when they change. No patient."""

from datetime import timedelta

from starlette.requests import Request

from gateway.errors import NotFound
from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SERVE
from gateway.spool.queue.whole_queues import Queues

_DAYS = N_({0: "Today", 6: "7 days", 30: "31 days"})  # how far back: as the list of exams has them


class QueuePages:
    """`/service/queue?of=NAME`, and so on: the name of one that is not configured any more may have any letters."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._queues = Queues(context.spool, context.settings, by="panel")
        self._held = context.spool.deliveries.held_by_code
        self._steps = context.spool.steps
        self._frame = frame

    def routes(self) -> list[Route]:
        page = self._frame.route
        return [
            page("/service/queue", "service_queue.html", self._queue, who=SERVE),
            page("/service/queue/add", "service_queue_add.html", self._add, who=SERVE),
            page("/service/queue/again", "service_queue_again.html", self._add, who=SERVE),
            page("/service/messages", "service_messages.html", self._messages, who=SERVE),
        ]

    def _queue(self, request: Request) -> Values:
        name = request.query_params.get("of", "")
        every = {each.name: each for each in self._queues.all()}
        if name not in every:
            raise NotFound("There is no destination of that name.")
        others = [each for each in every.values() if each.configured and each.name != name]
        return {"queue": every[name], "others": others, "held": self._held(name)}

    def _add(self, request: Request) -> Values:
        """Offer earlier exams to an archive: what it never got, or on the other page what it was sent before."""
        name = request.query_params.get("of", "")
        queue = next((each for each in self._queues.all() if each.configured and each.name == name), None)
        if queue is None:
            raise NotFound("There is no destination of that name.")
        today = self._frame.today()
        since = [(word, {"since": (today - timedelta(days=back)).isoformat()}) for back, word in _DAYS.items()]
        return {"queue": queue, "periods": [*since, (N_("All days"), {})]}

    def _messages(self, request: Request) -> Values:
        """Show how many messages wait for a procedure step server, also for one that is gone."""
        found = self._queues.messages(request.query_params.get("of", ""))
        if found is None:
            raise NotFound("There is no procedure step server of that name.")
        return {"messages": found, "held": self._steps.held_by_code(found.name)}
