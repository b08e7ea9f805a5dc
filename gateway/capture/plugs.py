"""Notes what is plugged in and out, for the log and for whoever waits for a device."""

import logging
import threading

from gateway.log import event
from hardware.hotplug import Hotplug

_log = logging.getLogger(__name__)


class Plugs:
    """`seen` grows whenever a device that was missing may be there again."""

    def __init__(self, hotplug: Hotplug) -> None:
        self._hotplug = hotplug

    def seen(self) -> int:
        return self._hotplug.count

    def work(self, stop: threading.Event) -> None:
        """Look until stopped."""
        while not stop.is_set():
            self.step()

    def step(self) -> None:
        """Wait for the next look, and say what came and went."""
        for change in self._hotplug.step():
            what = change.what
            event(
                _log,
                "device_plugged" if change.came else "device_unplugged",
                kind=what.kind,
                node=what.node,
                usb=what.port,
                identity=what.identity,
            )
