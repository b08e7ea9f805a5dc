"""Answers that are due: each press gets one in time, also when the disk says nothing. Decides no outcome."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from gateway.clock import Clock
from gateway.errors import Busy, CaptureSilent, ScopegateError, SpoolDamaged
from hardware.errors import DeviceError

T = TypeVar("T")

STOPPING = "The picture was NOT stored: the recorder is being stopped."
ANSWER_S = 4.5  # a press is answered within 5 s; the rest is for whoever passes the answer on
# What storing may end in. A missing file means that the exam's folder is gone.
FAILURES = (ScopegateError, DeviceError, FileNotFoundError)


def give(future: Future[T], value: T) -> bool:
    """Settle an answer; False when it was given up before."""
    try:
        future.set_result(value)
    except InvalidStateError:
        return False
    return True


def fail(future: Future[Any], error: ScopegateError) -> bool:
    """Settle an answer with an error; False when it was settled before."""
    try:
        future.set_exception(error)
    except InvalidStateError:
        return False
    return True


def settled(value: T) -> Future[T]:
    """Return an answer that is there already."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def given_up(stored: Future[Any]) -> ScopegateError:
    """Give a picture up that is not stored in time, and return what to say of it.

    Nobody knows yet what becomes of one whose record is being written.
    """
    if stored.cancel():
        return Busy("The picture was NOT stored: the box's disk does not answer.")
    return CaptureSilent("Whether the picture was stored is not known yet: the box's disk does not answer.")


def explained(failure: Exception) -> ScopegateError:
    """Return one of `FAILURES` as an error of the product."""
    if isinstance(failure, ScopegateError):
        return failure
    if isinstance(failure, DeviceError):
        return ScopegateError(f"The picture was NOT stored: {failure}", code=failure.code)
    return SpoolDamaged("The picture was NOT stored: the folder of this exam is not on the disk any more.")


class Due:
    """Gives answers up that did not come in time."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, Future[Any], Callable[[], ScopegateError]]] = []

    def expect(self, future: Future[Any], *, since_ns: int, late: Callable[[], ScopegateError]) -> None:
        """Settle `future` with what `late` says when it is not settled ANSWER_S after `since_ns` (boot time)."""
        with self._lock:
            self._waiting.append((since_ns + round(ANSWER_S * 1e9), future, late))

    def step(self) -> None:
        """Give up what is late now."""
        now = self._clock.boottime_ns()
        with self._lock:
            waiting = [entry for entry in self._waiting if not entry[1].done()]
            self._waiting = [entry for entry in waiting if entry[0] > now]
        for due_ns, future, late in waiting:
            if due_ns <= now:
                fail(future, late())
