"""Named threads that may not die in silence. The only place that catches every exception."""

import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from gateway.log import event, warn

_log = logging.getLogger(__name__)


class Supervisor:
    """Starts a process's threads and stops them all when one dies.

    `run()` returns True when the process was asked to stop, False when a thread died: the process then exits
    with 1 and whoever started it starts it again.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._died = False
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Start `work` in a thread of that name; its return before `stop` is a death as well."""
        thread = threading.Thread(target=self._guard, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def every(self, name: str, seconds: float, step: Callable[[], None]) -> threading.Thread:
        """Call `step` at once and then every `seconds` until stopped."""

        def loop() -> None:
            step()
            while not self.stop.wait(seconds):
                step()

        return self.start(name, loop)

    def run(self, patience: float = 5.0) -> bool:
        """Wait until stopped, then give every thread `patience` seconds to end."""
        self.stop.wait()
        for thread in self._threads:
            thread.join(patience)
        return not self._died

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            # An exception's text may quote a patient's data; its type and the places in the code never do.
            places = " < ".join(
                f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}"
                for frame in reversed(traceback.extract_tb(error.__traceback__))
            )
            warn(_log, "thread_died", thread=name, error=type(error).__name__, at=places)
            self._died = True
        else:
            if not self.stop.is_set():
                event(_log, "thread_ended_early", thread=name)
                self._died = True
        self.stop.set()
