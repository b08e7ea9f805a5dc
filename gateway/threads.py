"""Named threads that may not die in silence. The only place that catches every exception."""

import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Queue

from gateway.clock import Clock
from gateway.log import warn

_LAST = 10  # niceness: recording, sending and the screen come first
_log = logging.getLogger(__name__)
LONGEST_S = 600.0  # that any step may take: a disk that hardly answers, an index that is made anew
_Place = Queue[Callable[[], None] | None]  # where a thread waits for its next work; None: there will be none


class Supervisor:
    """Starts a process's threads and stops them all when one dies.

    `run()` returns True when the process was asked to stop, False when a thread died: the process then exits
    with 1 and whoever started it starts it again.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.stop = threading.Event()
        self._clock = clock or Clock()
        self._died = False
        self._until: dict[str, float] = {}  # s of CLOCK_BOOTTIME: when a step that was begun has to be over
        self._threads: list[threading.Thread] = []
        self._resting: list[_Place] = []
        self._handing = threading.Lock()

    def start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Start `work` in a thread of that name; its return before `stop` is a death as well."""
        thread = threading.Thread(target=self._guard, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def serve(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Start `work` in a thread that may end when it is done, as one connection's does."""

        def served() -> None:
            work()
            self._threads.remove(threading.current_thread())

        guard = partial(self._guard, name, served, may_end=True)
        thread = threading.Thread(target=guard, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def attend(self, name: str, work: Callable[[], None]) -> None:
        """Do `work`, as for one connection, in a thread that is free now, else in one that stays for the next.

        There are as many as were ever needed at a time: of each new thread that uses OpenCV some 900 bytes are lost
        for ever (opencv/opencv issue 23912), and malloc keeps what it needed in an arena of its own.
        """
        with self._handing:
            place = self._resting.pop() if self._resting else None
        if place is None:
            place = Queue()
            self.serve(name, partial(self._attend, place))
        place.put(work)

    def every(
        self, name: str, seconds: float, step: Callable[[], None], *, longest_s: float = LONGEST_S
    ) -> threading.Thread:
        """Call `step` at once and then every `seconds`, until stopped. Longer than `longest_s`, it hangs."""

        def turn() -> None:
            self._until[name] = self._now() + longest_s
            step()
            self._until.pop(name, None)

        def loop() -> None:
            turn()
            while not self.stop.wait(seconds):
                turn()

        return self.start(name, loop)

    def hanging(self) -> str:
        """Return the name of a step that does not come to its end; "" when all get on, or rest."""
        now = self._now()
        return next((name for name, until in list(self._until.items()) if now > until), "")

    def run(self, patience: float = 5.0) -> bool:
        """Wait until stopped, then give every thread `patience` seconds to end."""
        self.stop.wait()
        with self._handing:
            for place in self._resting:
                place.put(None)
            self._resting.clear()
        for thread in list(self._threads):
            thread.join(patience)
        return not self._died

    def _now(self) -> float:
        return self._clock.boottime_ns() / 1e9

    def _attend(self, place: _Place) -> None:
        while work := place.get():
            work()
            with self._handing:
                if self.stop.is_set():
                    return
                self._resting.append(place)

    def _guard(self, name: str, work: Callable[[], None], *, may_end: bool = False) -> None:
        well = False
        try:
            work()
            well = may_end or self.stop.is_set()
            if not well:
                warn(_log, "thread_ended_early", thread=name)
        except Exception as error:
            warn(_log, "thread_died", thread=name, error=type(error).__name__, at=_places(error))
        finally:
            if not well:  # also after SystemExit, which threading takes for an ordinary end
                self._died = True
                self.stop.set()


def on_signals(act: Callable[[], None], *numbers: int) -> None:
    """Call `act` in a thread of its own when one of these signals comes. Only the main thread may ask for it, once.

    A handler would run in the midst of what the main thread does: of a wait that holds the very lock which setting
    an event needs. Python itself writes a signal into the pipe, and needs no lock (signal.set_wakeup_fd).
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def wait() -> None:
        while os.read(reading, 1):
            act()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    signal.set_wakeup_fd(writing)
    for number in numbers:
        signal.signal(number, lambda *_: None)  # without a handler, it would end the process


def give_way() -> None:
    """Let all others have the processor before this thread and those that it starts from now on."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)


def hook(kind: type[BaseException], error: BaseException, _: object) -> None:
    """Take sys.excepthook's place: say what ended the process without the text of the error."""
    if issubclass(kind, KeyboardInterrupt):
        return
    warn(_log, "process_died", error=kind.__name__, at=_places(error))


def contained(name: str, work: Callable[[], None], ended: Callable[[], None]) -> Callable[[], None]:
    """Wrap the body of a foreign library's thread: what it raises is logged without its text and goes no further.

    `ended` is called after such an end, so that nobody waits for the thread.
    """

    def body() -> None:
        try:
            work()
        except Exception as error:
            warn(_log, "foreign_thread_died", thread=name, error=type(error).__name__, at=_places(error))
            ended()

    return body


def _places(error: BaseException) -> str:
    """Say where an error came from. Its text may quote a patient's data; its places in the code never do."""
    return " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
    )
