"""Waits for something with a deadline, says so after a second, and ends at once when the demo is stopped."""

import threading
from collections.abc import Callable
from typing import TypeVar

from gateway.clock import Clock, Stopwatch
from gateway.demo.failed import DemoFailed

_LOOK_S = 0.1
_SAY_S = 2.0  # between two lines about the same wait
Found = TypeVar("Found")


class Stopped(DemoFailed):
    """The demo was stopped before its exam was complete."""

    code = "stopped"
    action = ""


class Patience:
    """`until` and `pause` raise Stopped when `stop` is set."""

    def __init__(self, *, clock: Clock, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._stop = stop
        self._say = say

    def pause(self, seconds: float) -> None:
        if self._clock.wait(self._stop, seconds):
            raise Stopped

    def until(
        self,
        what: str,
        look: Callable[[], Found | None],
        *,
        deadline_s: float,
        why: Callable[[], str] = lambda: "",
    ) -> Found:
        """Return the first answer of `look` that is not None.

        Raises DemoFailed after `deadline_s`, with what `why` says then.
        """
        watch = Stopwatch(self._clock)
        say_at = 1.0
        while (found := look()) is None:
            seconds = watch.seconds
            if seconds > deadline_s:
                because = f" {reason}" if (reason := why()) else ""
                raise DemoFailed(f"Waited {deadline_s:.0f} s in vain for {what}.{because}")
            if seconds >= say_at:
                self._say(f"  waiting for {what}: {seconds:.0f} s")
                say_at = seconds + _SAY_S
            self.pause(_LOOK_S)
        return found
