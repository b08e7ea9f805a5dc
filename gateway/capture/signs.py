"""Brings what became of a press to lamps and loudspeakers. Each has its own thread; none holds up anybody."""

import logging
import threading
from collections.abc import Callable, Iterable

from gateway.clock import Clock
from gateway.log import event, warn
from hardware.errors import DeviceError
from hardware.indicators import ENDS_SOON, PRESSED, Answer, Cue, Output

_log = logging.getLogger(__name__)
_REOPEN_S = 10.0
_LOOK_S = 0.5  # the longest wait, so that the process can stop
_LAST_NS = 2_000_000_000  # after the stop: what is being stored and recorded comes to its end, and is answered
_WAITING = 32  # cues of one output that is being opened or is slow


class Sign:
    """One lamp or loudspeaker: `tell` never waits, `work` shows."""

    def __init__(self, *, name: str, output: Output, clock: Clock, plugged: Callable[[], int] = int) -> None:
        """`plugged`: a number that grows when something is plugged in; 0 for ever where nobody looks."""
        self.name = name
        self.connected = False
        self.what = ""  # why it is not
        self._output = output
        self._clock = clock
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._cues: list[Cue] = []
        self._trouble = ""  # code of what was said last
        self._retry_ns = 0
        self._plugged = plugged
        self._seen = -1  # what was plugged in when it failed

    def tell(self, cue: Cue) -> None:
        """Note what is to be shown, and wake the thread."""
        with self._lock:
            self._cues = [*self._cues, cue][-_WAITING:]
        self._wake.set()

    def work(self, stop: threading.Event) -> None:
        """Show what was told until stopped, and then for a moment the last answers."""
        while not stop.is_set():
            self._pause(min(self.step(), _LOOK_S))
        self._show_last()
        self._output.close()

    def step(self) -> float:
        """Show what is due now, opening the output first when it is closed; return in how many seconds again."""
        with self._lock:
            cues, self._cues = self._cues, []
        try:
            if not self.connected:
                return self._open()
            return self._output.perform(cues)
        except DeviceError as error:
            self._output.close()
            if self._trouble != error.code:
                warn(_log, "sign_gone", sign=self.name, code=error.code)
            self.connected, self._trouble, self.what = False, error.code, str(error)
            self._seen = self._plugged()
            self._retry_ns = self._clock.boottime_ns() + round(_REOPEN_S * 1e9)
            return _REOPEN_S

    def _show_last(self) -> None:
        """Show what is told while everything else ends; an output that is gone is not opened for it."""
        until_ns = self._clock.boottime_ns() + _LAST_NS
        while self.connected:
            seconds = self.step()
            left = (until_ns - self._clock.boottime_ns()) / 1e9
            if left <= 0:
                return
            self._pause(min(seconds, left, _LOOK_S))

    def _pause(self, seconds: float) -> None:
        """Wait until something is told, at most so long."""
        self._clock.wait(self._wake, seconds)
        self._wake.clear()

    def _open(self) -> float:
        """Open the output when it is time to, or something was plugged in; what was told meanwhile is over then."""
        left = (self._retry_ns - self._clock.boottime_ns()) / 1e9
        if left > 0 and self._plugged() == self._seen:
            return left
        self._output.open()
        self.connected, self._trouble, self.what = True, "", ""
        event(_log, "sign_connected", sign=self.name)
        return 0.0


class Signs:
    """All of them, as the one indicator that every press speaks to."""

    def __init__(self, signs: Iterable[Sign]) -> None:
        self._signs = tuple(signs)

    def pressed(self) -> None:
        self._tell(PRESSED)

    def show(self, answer: Answer) -> None:
        self._tell(answer)

    def ends_soon(self) -> None:
        self._tell(ENDS_SOON)

    def _tell(self, cue: Cue) -> None:
        for sign in self._signs:
            sign.tell(cue)
