"""The page of what is plugged into an appliance, on which an administrator lets in what can type."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.own_usb import OwnUsb
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SET_UP

_ORDER = ("waits", "in", "away", "out")
_MARKS = {"waits": "warn", "in": "ok", "away": "none", "out": "none"}
_SAID = N_(
    {
        "waits": "It can type, and nobody let it in: nothing hears it.",
        "away": "It was let in, and is not plugged in.",
        "out": "It stays out: this box has no use for it.",
        "listed": "It was let in.",
        "pedal": "It is a pedal of this box.",
    }
)
_USES = N_(
    {
        "hub": "Hub",
        "pictures": "Pictures",
        "sound": "Sound",
        "stick": "Stick",
        "serial": "Serial port",
        "input": "Pointer or keys",
    }
)


class UsbPages:
    """One page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._frame = frame
        self._usb: OwnUsb = context.own_machine.usb

    def routes(self) -> list[Route]:
        return [self._frame.route("/machine/usb", "machine_usb.html", self._devices, who=SET_UP)]

    def _devices(self, request: Request) -> Values:
        del request
        seen = self._usb.seen()
        shown = sorted(map(_shown, seen or ()), key=lambda each: _ORDER.index(each["state"]))
        return {"there": seen is not None, "devices": shown}


def _shown(device: Mapping[str, Any]) -> dict[str, Any]:
    """Return a device with the words for it; "" is what nobody has to be told."""
    state = device["state"]
    why = "pedal" if device["pedal"] else "listed" if device["listed"] else ""
    return {
        **device,
        "mark": _MARKS[state],
        "uses": [_USES[each] for each in device["uses"] if each in _USES],
        "why": _SAID.get(state) or _SAID.get(why, ""),
    }
