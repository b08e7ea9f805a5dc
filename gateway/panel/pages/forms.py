"""What a page sends as a form: no name of a patient stands in an address. Changes nothing."""

from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import Permit
from gateway.panel.problems import BadRequest
from gateway.panel.work import Work

_MOST_FIELDS = 20
Fields = dict[str, str]
Answer = Callable[[Request, Fields], Response]


def form(path: str, work: Work, answer: Answer, *, who: Permit) -> Route:
    """Return the route that answers a form; `answer` runs in a thread."""

    async def page(request: Request) -> Response:
        raw = (await request.body()).decode("utf-8", "replace")
        try:
            fields = dict(parse_qsl(raw, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        except ValueError:
            raise BadRequest("The form has more fields than any page sends.") from None
        return await work.spool(partial(answer, request, fields))

    return Route(path, page, methods=["POST"], who=who)
