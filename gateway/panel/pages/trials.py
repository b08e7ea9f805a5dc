"""The pages that try another system as it is configured: what it answers, in words."""

from starlette.requests import Request

from gateway.config.settings import Station
from gateway.errors import NotFound
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SET_UP
from gateway.panel.shown.setting_words import ONE
from gateway.spool.processes import trials


class TrialPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        page = self._frame.route
        return [
            page("/settings/{page}/{table}/{number}/try", "settings_try.html", self._try, who=SET_UP),
            page("/settings/audit/try", "settings_try.html", self._try_repository, who=SET_UP),
        ]

    def _try(self, request: Request) -> Values:
        """Show a trial of an entry as the file has it, whether the processes have taken it or not."""
        table, number = request.path_params["table"], bodies.whole(request.path_params["number"])
        document = self._context.configuring.now().document
        entries = document.get(table, []) if table in trials.TABLES else []
        if number is None or number >= len(entries):
            raise NotFound("There is no such entry in the configuration.")
        entry, station = dict(entries[number]), self._context.settings.station
        listen = str(document.get("station", {}).get("listen", station.listen))
        return {
            "title": ONE[table],
            "entry": str(entry.get("name", "")),
            "trial": {"table": table, "values": entry, "listen": listen},
            "ours": {
                "ae_title": self._context.configuring.our_title() or Station().ae_title,
                "port": listen.rpartition(":")[2],
                "href": "/settings/network/ask/station/ae_title",
            },
            "commitment": bool(entry.get("commitment")),
            "back": f"/settings/{request.path_params['page']}/{table}/{number}",
        }

    def _try_repository(self, request: Request) -> Values:
        """Show a trial of the audit repository: it knows this box by its certificate, and not by a title."""
        del request
        entry = self._context.configuring.now().document.get("audit")
        if not isinstance(entry, dict):
            raise NotFound("There is no such entry in the configuration.")
        return {
            "title": ONE["audit"],
            "entry": str(entry.get("host", "")),
            "trial": {"table": "audit", "values": entry},
            "ours": None,
            "commitment": False,
            "back": "/settings/audit",
        }
