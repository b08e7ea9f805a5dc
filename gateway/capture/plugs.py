"""Devices that come and go: said in the log, for the service engineer who was not there, and waited for."""

import logging
import threading
from collections.abc import Callable

from gateway.clock import Clock
from gateway.log import event
from hardware.hotplug import Hotplug

_log = logging.getLogger(__name__)
_LOOK_S = 0.1  # between two looks whether something was plugged in


def note_plugs(hotplug: Hotplug, stop: threading.Event) -> None:
    """Look until stopped; whoever waits for a device asks the hotplug itself."""
    while not stop.is_set():
        note(hotplug)


def note(hotplug: Hotplug) -> None:
    """Wait for the next look, and say what came and went."""
    for change in hotplug.step():
        what = change.what
        event(
            _log,
            "device_plugged" if change.came else "device_unplugged",
            kind=what.kind,
            node=what.node,
            usb=what.port,
            identity=what.identity,
        )


def pause(clock: Clock, stop: threading.Event, seconds: float, plugged: Callable[[], int]) -> None:
    """Wait before a device is opened again; less when something is plugged in, which `plugged` counts."""
    seen = plugged()
    for _ in range(round(seconds / _LOOK_S)):
        if clock.wait(stop, _LOOK_S) or plugged() != seen:
            return
