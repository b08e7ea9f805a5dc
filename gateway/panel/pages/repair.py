"""The pages on which a box is made new, or its pictures are rescued. No patient is on them."""

from starlette.requests import Request

from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import AT_THE_BOX, Role

_ROOT = "/repair"


class RepairPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._repair = context.own_machine.repair
        self._people = context.desk.people
        self._frame = frame

    def routes(self) -> list[Route]:
        page = self._frame.route
        return [
            page(_ROOT, "repair.html", self._choose, who=AT_THE_BOX),
            page(f"{_ROOT}/destroy", "repair_destroy.html", self._destroy, who=AT_THE_BOX),
            page(f"{_ROOT}/keep", "repair_keep.html", self._keep, who=AT_THE_BOX),
            page(f"{_ROOT}/rescue", "repair_rescue.html", self._there, who=AT_THE_BOX),
            page(f"{_ROOT}/begun", "repair_begun.html", self._there, who=AT_THE_BOX),
        ]

    def _there(self, request: Request) -> Values:
        del request
        return {"there": self._repair.there, "proving": self._repair.proving}

    def _choose(self, request: Request) -> Values:
        return {**self._there(request), "left": self._repair.left()}

    def _destroy(self, request: Request) -> Values:
        """Show what would be lost, and the number that says that this is meant."""
        number, left = self._repair.offer()
        return {**self._there(request), "left": left, "number": number}

    def _keep(self, request: Request) -> Values:
        names = [person.name for person in self._people.all() if person.role is Role.ADMINISTRATOR]
        by_code = not names or "code" in request.query_params
        return {**self._there(request), "names": names, "by_code": by_code, "left": self._repair.left()}
