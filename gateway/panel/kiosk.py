"""The box's own screen: its page is heard of every five seconds, and its browser is started anew when it is not.

Only that: a frozen page costs no picture, for capture, forward and this process go on. Asks systemd through a file
(systemd/scopegate-kiosk-restart.path), and nobody else.
"""

import asyncio
import json
import logging
from pathlib import Path

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import SpoolError
from gateway.log import event, warn
from gateway.panel.work import Work
from gateway.spool.files import Files

_log = logging.getLogger(__name__)
RESTART = "kiosk-restart"
BEAT_NS = "kiosk_beat_ns"  # in what this process says of itself
_MISSING_NS = 16_000_000_000  # three beats, and one second
_START_NS = 60_000_000_000  # a browser needs that on a small box
_LONGEST_START_NS = 16 * _START_NS  # however slow the box, or without a screen at all
_LOOK_S = 1.0


class Kiosk:
    """When the page was heard of last. In practice it is practice's panel that hears of it."""

    def __init__(self, *, settings: Settings, files: Files, clock: Clock) -> None:
        self.here = settings.panel.kiosk  # its pages are for a screen with nothing else on it
        self._watched = self.here and settings.panel.practice_of is None
        self._folder: Path = settings.station.runtime_dir
        self._files = files
        self._clock = clock
        self.beat_ns = 0  # CLOCK_BOOTTIME; 0 = never
        self._heard_ns = 0
        self._due_ns = clock.boottime_ns() + _START_NS
        self._next_ns = 2 * _START_NS  # what the next start gets: twice as long after each that came to nothing

    def beat(self) -> None:
        """Note that a page is there, drawn and seen."""
        self.beat_ns = self._clock.boottime_ns()

    def step(self) -> bool:
        """Ask for the browser to be started anew if nothing is heard of it; say so. Blocks. Raises SpoolError."""
        if not self._watched:
            return False
        last = max(self.beat_ns, self._beat_of_practice())
        if last > self._heard_ns:  # from its first beat on it has no longer than three
            self._heard_ns, self._due_ns, self._next_ns = last, last + _MISSING_NS, _START_NS
        if self._clock.boottime_ns() < self._due_ns:
            return False
        self._due_ns = self._clock.boottime_ns() + self._next_ns
        self._next_ns = min(2 * self._next_ns, _LONGEST_START_NS)
        self._files.write(self._folder / RESTART, [b"\n"])
        event(_log, "kiosk_restarted")
        return True

    async def run(self, work: Work) -> None:
        """Look once a second. Ends with the application."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await work.spool(self.step)
            except SpoolError as error:
                warn(_log, "kiosk_not_restarted", code=error.code)

    def _beat_of_practice(self) -> int:
        try:
            said = json.loads((self._folder / "practice" / "run" / "panel.json").read_bytes())
            return int(said.get(BEAT_NS, 0))
        except (OSError, ValueError, AttributeError, TypeError):
            return 0
