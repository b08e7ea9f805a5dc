"""Says in the log what is plugged in and out: for the service engineer who was not there."""

import logging
import threading

from gateway.log import event
from hardware.hotplug import Hotplug

_log = logging.getLogger(__name__)


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
