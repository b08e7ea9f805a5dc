"""The pages on which an administrator sets an appliance's own network, time zone and clock."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from gateway.config.machine import WHEREABOUTS
from gateway.errors import NotFound
from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.own_certificate import AUTHORITY
from gateway.panel.own_machine import OwnMachine, cities, regions
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.pages.settings import SettingsPages, with_a_way_out
from gateway.panel.people.roles import SET_UP, SET_UP_AT_THE_BOX
from gateway.panel.shown import setting_values, settings
from gateway.panel.shown.setting_words import OF_BOX
from gateway.panel.shown.settings import Field

_ROOT = "/machine"
_ZONE = ("time", "zone")
_TOGETHER = ("method", "address", "gateway", "dns")  # a fixed address is asked for with what it needs
_SET_BY = N_(
    {
        "ntp": "Set by a time server",
        "hand": "Set by hand on this screen",
        "rtc": "From the battery clock of this box",
        "nobody": "Nobody set it since the box started",
    }
)
_GATEWAY = N_({"answers": "It answers", "silent": "It does not answer", "unknown": "Not asked yet"})
_SWITCH = N_({"lets-in": "It lets the box in", "refuses": "It refuses the box", "asks": "It is being asked"})
_STANDING = N_(
    {
        "ok": "It holds",
        "soon": "It ends within 60 days: have it renewed",
        "now": "It ends within 14 days: have it renewed now",
        "over": "It has ended",
    }
)
_PROBLEMS = N_(
    {
        "damaged": "The file of these settings is damaged: until they are made anew the network gives an address.",
        "settings": "The configuration cannot be read: what it opens to others stays as it was.",
        "firewall": "What keeps others out could not be changed.",
        "zone": "The time zone could not be set.",
        "network": "The network could not be set.",
        "hostname": "The name in the network could not be set.",
        "port-access": "What shows the switch the certificate could not be started.",
        "time": "The time servers could not be set.",
    }
)
_GUARDED = {  # how good it is, what it is, what that means
    "chip": (
        "ok",
        N_("The chip of this box guards the disk"),
        N_("It can be read in this box alone, as it was made."),
    ),
    "chip-alone": (
        "warn",
        N_("The chip of this box guards the disk"),
        N_("Whoever has the disk reads nothing. Whoever has the whole box and knows how may: Secure Boot is off."),
    ),
    "pin": (
        "ok",
        N_("The start PIN guards the disk"),
        N_("It is asked for each time the box is switched on."),
    ),
    "soon": (
        "warn",
        N_("Nothing guards the disk yet"),
        N_("Once a recovery code is written down, the chip of this box guards it."),
    ),
    "none": (
        "bad",
        N_("A stolen box can be read"),
        N_("It has no chip that guards the key of its disk. Set a start PIN, or keep the box behind a lock."),
    ),
}


class MachinePages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._machine: OwnMachine = context.own_machine
        self._frame = frame
        self._settings = SettingsPages(context, frame)

    def routes(self) -> list[Route]:
        page = self._frame.route
        return [
            page(_ROOT, "machine.html", lambda _: {"of_box": OF_BOX}, who=SET_UP),
            page(f"{_ROOT}/network", "machine_network.html", self._network, who=SET_UP),
            page(f"{_ROOT}/time", "machine_time.html", self._time, who=SET_UP),
            page(f"{_ROOT}/clock", "machine_clock.html", self._clock, who=SET_UP_AT_THE_BOX),
            page(f"{_ROOT}/certificate", "machine_certificate.html", self._certificate, who=SET_UP),
            page(f"{_ROOT}/data", "machine_data.html", self._data, who=SET_UP),
            page(f"{_ROOT}/start-pin", "machine_start_pin.html", self._start_pin, who=SET_UP_AT_THE_BOX),
            page(f"{_ROOT}/zones", "machine_zones.html", self._zones, who=SET_UP),
            page(f"{_ROOT}/zones/{{region}}", "settings_ask.html", self._cities, who=SET_UP),
            page(f"{_ROOT}/{{page}}/ask/{{place:path}}", "settings_ask.html", self._ask, who=SET_UP),
        ]

    def _network(self, request: Request) -> Values:
        if not self._machine.there:
            return {"there": False, **self._state()}
        seen = self._machine.seen()
        fields = self._fields("network")
        return {
            **self._state(),
            "there": True,
            "seen": seen.network,
            "left": seen.seconds_left,
            "fields": [
                each for each in fields if each.place[1] not in ("address", "gateway") or _is_static(fields)
            ],
            "value": self._settings.value(request),
            "gateway_words": _GATEWAY,
            "switch_words": _SWITCH,
            "problems": [_PROBLEMS[each] for each in seen.network.get("problems", []) if each in _PROBLEMS],
            "wrong": _wrong(seen.network, of_time=False),
        }

    def _time(self, request: Request) -> Values:
        there = self._machine.there
        now = self._machine.seen() if there else None
        seen = now.clock if now else {}
        return {
            **self._state(),
            "there": there,
            "seen": seen,
            "wrong": _wrong(now.network, of_time=True) if now else [],
            "by": _SET_BY.get(str(seen.get("by", "")), ""),
            "fields": [each for each in self._fields("time") if each.place != _ZONE],
            "zone": self._machine.settings().time.zone,
            "value": self._settings.value(request),
            **self._today(),
        }

    def _clock(self, request: Request) -> Values:
        del request
        now = self._context.clock.now().local
        begins = {"year": now.year, "month": now.month, "day": now.day, "hour": now.hour, "minute": now.minute}
        words = N_({"year": "Year", "month": "Month", "day": "Day", "hour": "Hour", "minute": "Minute"})
        return {**self._state(), "there": self._machine.there, "begins": begins, "parts": words}

    def _certificate(self, request: Request) -> Values:
        """Show the box's certificate, and what is to be done about it."""
        del request
        own = self._context.own_machine.certificate
        network = self._machine.settings().network
        names = [f"{network.hostname}.{each}" for each in network.search[:1]]
        names += [network.hostname, *self._addresses()]
        return {
            **self._state(),
            "own": own.now(),
            "authority": own.now(AUTHORITY),
            "asked": own.has_request,
            "names": names,
            "standing": _STANDING,
        }

    def _data(self, request: Request) -> Values:
        del request
        seen = self._context.own_machine.data.seen()
        return {"there": seen is not None, "seen": seen or {}, "how": _GUARDED[_guard(seen)] if seen else ()}

    def _start_pin(self, request: Request) -> Values:
        del request
        seen = self._context.own_machine.data.seen() or {}
        return {"is_set": seen.get("guard") == "pin", "has_code": bool(seen.get("recovery_code"))}

    def _zones(self, request: Request) -> Values:
        del request
        return {**self._state(), "regions": regions()}

    def _cities(self, request: Request) -> Values:
        """Ask for the zone by its city."""
        region = request.path_params["region"]
        if region not in regions():
            raise NotFound("There is no such page.")
        (field,) = [each for each in self._fields("time") if each.place == _ZONE]
        asked = self._asking(request, [field], back=f"{_ROOT}/time", title=field.label)
        (step,) = asked["steps"]
        step |= {"choices": list(cities(region)), "kind": "choice"}
        return {**asked, "leave": f"{_ROOT}/zones"}

    def _ask(self, request: Request) -> Values:
        """Ask for one key; for a table in a table, and for a fixed address, for all that belong to it."""
        page, place = request.path_params["page"], tuple(request.path_params["place"].split("/"))
        if f"machine-{page}" not in OF_BOX:
            raise NotFound("There is no such page.")
        fields = self._fields(page)
        found = next((each for each in fields if each.place == place), None)
        if found is None:
            raise NotFound("There is no such entry in the configuration.")
        asked = with_a_way_out(found)
        if found.place == ("network", "method"):
            asked = [each for key in _TOGETHER for each in fields if each.place[1] == key]
        return self._asking(request, asked, back=f"{_ROOT}/{page}", title=found.label)

    def _addresses(self) -> list[str]:
        """Return the addresses that the box has, without their prefixes."""
        seen = self._machine.seen().network if self._machine.there else {}
        return [str(each).partition("/")[0] for each in seen.get("addresses", [])]

    # --- inside --------------------------------------------------------------------------------------------

    def _fields(self, page: str) -> list[Field]:
        document = self._machine.editor.now().document
        (section,) = settings.sections(f"machine-{page}", self._machine.tables, document)
        return [field for entry in section.entries for field in entry.fields]

    def _asking(self, request: Request, fields: list[Field], *, back: str, title: str) -> Values:
        request.state.plugged = {}
        asked = self._settings.asking(request, "machine", fields, title=title, back=back)
        return {**asked, **self._state(), "api": "/api/v1/machine"}

    def _state(self) -> dict[str, Any]:
        return {"state": self._machine.state(), "waits": ""}

    def _today(self) -> dict[str, Any]:
        local = self._context.clock.now().local
        return {"day": f"{local:%Y-%m-%d}", "offset": f"{local:%z}"}


def _wrong(network: Mapping[str, Any], *, of_time: bool) -> list[tuple[str, bool]]:
    """Return what each saved value is called that root left out, and whether the address went with it."""
    keys = [key for key in network.get("wrong", []) if key.startswith("time.") is of_time]
    return [(setting_values.label(key), tuple(key.split(".")) in WHEREABOUTS) for key in keys]


def _guard(seen: Mapping[str, Any]) -> str:
    """Return a word of `_GUARDED`."""
    if seen.get("guard") != "tpm":
        return "pin" if seen.get("guard") == "pin" else "soon" if seen.get("tpm") else "none"
    return "chip" if seen.get("secure_boot") else "chip-alone"


def _is_static(fields: list[Field]) -> bool:
    return any(each.place == ("network", "method") and each.now == "static" for each in fields)
