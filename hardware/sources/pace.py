"""Real time for sources that have no hardware to give it. Knows nothing of pictures."""

from collections.abc import Callable

SLACK_NS = 1000  # a wait that ends this early is on time
_TRIES = 3  # a wait that is cut short as often as this was cut short on purpose


class Pace:
    """Holds a reader until a picture is due. `clock_ns`: CLOCK_BOOTTIME in ns; `wait`: seconds."""

    def __init__(self, *, clock_ns: Callable[[], int], wait: Callable[[float], None]) -> None:
        self.now = clock_ns
        self._wait = wait

    def until(self, due_ns: int, timeout: float) -> bool:
        """Wait until `due_ns`; False when `timeout` seconds passed first or the wait was cut short."""
        give_up = self.now() + round(timeout * 1e9)
        for _ in range(_TRIES):
            now = self.now()
            if now >= due_ns - SLACK_NS:
                return True
            if now >= give_up - SLACK_NS:
                return False
            self._wait((min(due_ns, give_up) - now) / 1e9)
        return self.now() >= due_ns - SLACK_NS
