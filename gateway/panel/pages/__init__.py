"""The panel's pages, rendered here; everything that changes something goes through the API."""

from starlette.routing import Route

from gateway.panel.context import Context
from gateway.panel.pages.box import BoxPages
from gateway.panel.pages.choosing import ChoosingPages
from gateway.panel.pages.exams import ExamPages
from gateway.panel.pages.frame import Frame
from gateway.panel.pages.moving import MovingPages


def routes(context: Context) -> list[Route]:
    """Return every page."""
    frame = Frame(context)
    return [
        *ChoosingPages(context, frame).routes(),
        *ExamPages(context, frame).routes(),
        *MovingPages(context, frame).routes(),
        *BoxPages(context, frame).routes(),
    ]
