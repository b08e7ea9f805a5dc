"""Who works at this box, as somebody said with one touch. Never asked for: pictures are taken whoever it is."""

from collections.abc import Sequence

from gateway.clock import Clock
from gateway.errors import BadValue
from gateway.model import Exam, ExamState

IDLE_S = 900.0  # without an exam; then it may be somebody else


class Operators:
    """Those who may work here, and who does. Known while the panel runs; a restart asks anew."""

    def __init__(self, *, names: Sequence[str], clock: Clock, idle_s: float = IDLE_S) -> None:
        self.names = tuple(names)
        self._clock = clock
        self._idle_ns = int(idle_s * 1e9)
        self._chosen = ""
        self._since_ns = 0

    def choose(self, name: str) -> None:
        """Note who works here now, "" for nobody. Raises BadValue for somebody who is not configured."""
        if name and name not in self.names:
            raise BadValue("Nobody of this name works at this box.", action="Choose one of the configured names.")
        self._chosen, self._since_ns = name, self._clock.boottime_ns()

    def now(self, latest: Exam | None) -> str:
        """Return who works here; `latest`: the exam that was opened last.

        It ends with 15 minutes without an exam, counted from the end of the last one or from the touch.
        """
        if latest is not None and latest.state is ExamState.OPEN:
            self._since_ns = self._clock.boottime_ns()
        elif latest is not None and latest.ended and latest.ended.boot_id == self._clock.now().boot_id:
            self._since_ns = max(self._since_ns, latest.ended.boottime_ns)
        if self._clock.boottime_ns() - self._since_ns > self._idle_ns:
            self._chosen = ""
        return self._chosen
