"""Listens to one trigger and turns its presses into captures. The pedal works with the panel dead."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue

from gateway.capture.answers import ANSWER_S, STOPPING
from gateway.capture.moment import Ask
from gateway.capture.plugs import pause
from gateway.capture.presses import Origin, Presses
from gateway.clock import Clock
from gateway.errors import Busy, ScopegateError
from gateway.log import Sparingly, event, warn
from hardware.errors import DeviceError
from hardware.triggers import Action, Press, Trigger

_log = logging.getLogger(__name__)
_READ_S = 0.5
_REOPEN_S = 2.0
_REST_S = 0.005  # after nothing: that should take half a second, and a trigger that is back at once must not spin
_SAID_AT_ONCE, _SAID_EVERY_S = 20, 10.0  # refusals in the log: a worn pedal presses twenty times a second
_WAITING = 16  # presses of one pedal that wait to be pinned


class Pedal:
    """One trigger: `listen` reads it, `act` pins what was pressed; neither waits for the disk."""

    def __init__(
        self,
        *,
        name: str,
        trigger: Trigger,
        source: str,
        presses: Presses,
        clock: Clock,
        plugged: Callable[[], int] = int,
    ) -> None:
        """`plugged`: a number that grows when something is plugged in; 0 for ever where nobody looks."""
        self.name = name
        self.connected = False
        self.what = ""  # why it is not
        self.presses = 0  # that were heard, whatever became of them
        self._trigger = trigger
        self._source = source
        self._presses = presses
        self._clock = clock
        self._plugged = plugged
        self._heard = False  # whether the last read was a press
        self._trouble = ""  # code of what was said last
        self._queue: Queue[Press] = Queue()
        self._refusals = Sparingly(burst=_SAID_AT_ONCE, every_s=_SAID_EVERY_S)

    def listen(self, stop: threading.Event) -> None:
        """Read presses until stopped; open again what went away."""
        while not stop.is_set():
            if not self.step():
                pause(self._clock, stop, _REOPEN_S, self._plugged)
            elif not self._heard:
                self._clock.wait(stop, _REST_S)
        self._trigger.close()
        with suppress(Empty):
            while self._queue.get_nowait():  # each press that was seen has its answer
                self._presses.refuse(Busy(STOPPING), Origin.PEDAL)

    def act(self, stop: threading.Event) -> None:
        """Do what was pressed, in order, until stopped."""
        while not stop.is_set():
            try:
                press = self._queue.get(timeout=_READ_S)
            except Empty:
                continue
            self._do(press)

    def step(self) -> bool:
        """Read one press, opening the trigger first when it is closed; False when it is not there."""
        try:
            if not self.connected:
                self._trigger.open()
                self.connected, self._trouble, self.what = True, "", ""
                event(_log, "pedal_connected", pedal=self.name)
            press = self._trigger.read(_READ_S)
        except DeviceError as error:
            self._trigger.close()
            if self._trouble != error.code:
                warn(_log, "pedal_gone", pedal=self.name, code=error.code)
            self.connected, self._trouble, self.what = False, error.code, str(error)
            return False
        self._heard = press is not None
        if press:
            self.presses += 1
            self._presses.pressed()
        if press and self._queue.qsize() < _WAITING:
            self._queue.put(press)
        elif press:
            self._presses.refuse(Busy(), Origin.PEDAL)
        return True

    def _do(self, press: Press) -> None:
        ask = Ask(source=self._source, time_ns=press.time_ns)
        try:
            if self._clock.boottime_ns() - press.time_ns > ANSWER_S * 1e9:
                self._presses.refuse(Busy(), Origin.PEDAL)
            elif press.action is Action.STILL:
                self._presses.take_still(ask, Origin.PEDAL)
            else:
                self._presses.toggle_clip(ask, Origin.PEDAL)
        except ScopegateError as error:
            now_ns = self._clock.boottime_ns()  # lamp and tone have said it already
            self._refusals.event(now_ns, _log, "press_refused", pedal=self.name, code=error.code)
