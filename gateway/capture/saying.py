"""What is said of a press: the one answer that it gets, by lamp and tone and in the state. Decides no outcome."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from gateway.capture.answers import fail, give
from gateway.capture.recording import End, Recording
from gateway.errors import ScopegateError
from gateway.model import Capture
from hardware.indicators import Answer, Indicator

_ENDED = {  # what is said of a clip that nobody stopped
    End.LIMIT: "The clip was ended: it reached its longest time. It is stored.",
    End.SIGNAL: "The clip was ended: the picture was lost. What was recorded until then is stored.",
    End.SIZE: "The clip was ended: the picture changed its size too often. What was recorded is stored.",
    End.DISK: "The clip was ended: the box is nearly full. What was recorded until then is stored.",
    End.FAILED: "The clip was ended by an error. What was recorded until then is stored.",
    End.PROCESS: "The clip was ended: the recorder was stopped. What was recorded until then is stored.",
}


class Origin(StrEnum):
    PEDAL = "pedal"
    SOCKET = "socket"


@dataclass(frozen=True, kw_only=True, slots=True)
class LastAnswer:
    """The answer that the last press got."""

    number: int
    answer: Answer
    origin: Origin
    code: str = ""
    what: str = ""
    sop_instance_uid: str = ""


class Saying:
    """Speaks to lamps and loudspeakers; `last` is what the screen says."""

    def __init__(self, indicator: Indicator) -> None:
        self._indicator = indicator
        self._lock = threading.Lock()
        self.last: LastAnswer | None = None
        self.refused = 0  # presses after which nothing was stored

    def pressed(self) -> None:
        """Show that a press was seen."""
        self._indicator.pressed()

    def noticed(self, origin: Origin) -> None:
        """Show that a press was seen, unless that was shown when it was heard."""
        if origin is not Origin.PEDAL:
            self._indicator.pressed()

    def rehearse(self, answer: Answer) -> None:
        """Show an answer that answers nothing, for somebody who tests lamps and tones."""
        self._indicator.pressed()
        self._indicator.show(answer)

    def refuse(self, error: ScopegateError, origin: Origin) -> None:
        """Say that nothing was stored, and why."""
        self._say(Answer.NOT_STORED, origin, code=error.code, what=error.what)

    @contextmanager
    def refusals(self, origin: Origin) -> Iterator[None]:
        """Say each refusal that is raised in this."""
        try:
            yield
        except ScopegateError as error:
            self.refuse(error, origin)
            raise

    def still(self, origin: Origin, done: Future[Capture]) -> None:
        """Say what became of a still."""
        if isinstance(error := done.exception(), ScopegateError):
            self.refuse(error, origin)
        else:
            self._say(Answer.STORED, origin, uid=done.result().sop_instance_uid)

    def clip_begun(self, origin: Origin, begun: Future[str]) -> None:
        """Say whether a clip has begun."""
        if isinstance(error := begun.exception(), ScopegateError):
            self.refuse(error, origin)
        else:
            self._say(Answer.CLIP_STARTED, origin, uid=begun.result())

    def clip_done(self, origin: Origin, recording: Recording, done: Future[Capture]) -> None:
        """Say that a clip is stored, and why it ended when nobody asked it to."""
        if recording.begun.exception():
            return  # said already
        if isinstance(error := done.exception(), ScopegateError):
            self.refuse(error, origin)
        elif (last := recording.last).end is End.ASKED:
            self._say(Answer.CLIP_STOPPED, origin, uid=last.uid)
        else:
            self._say(Answer.CLIP_STOPPED, origin, code=f"clip-{last.end}", what=_ENDED[last.end], uid=last.uid)

    def _say(self, answer: Answer, origin: Origin, *, code: str = "", what: str = "", uid: str = "") -> None:
        with self._lock:
            number = self.last.number + 1 if self.last else 1
            self.refused += answer is Answer.NOT_STORED
            self.last = LastAnswer(
                number=number, answer=answer, origin=origin, code=code, what=what, sop_instance_uid=uid
            )
            self._indicator.show(answer)


def pass_on(answer: Future[Capture], done: Future[Capture]) -> None:
    """Settle an answer as another one was; who cancelled that one says why."""
    if done.cancelled():
        return
    if isinstance(error := done.exception(), ScopegateError):
        fail(answer, error)
    else:
        give(answer, done.result())
