"""The panel's pages."""

from starlette.routing import Route
from gateway.panel.context import Context


class Pages:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return []
