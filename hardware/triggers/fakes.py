"""Serial ports and GPIO chips that follow a script, and what the worst contacts do. For tests and for the demo."""

from collections.abc import Callable, Iterable, Iterator

from hardware.errors import DeviceMissing
from hardware.gpio import Changes, PinChange, Pins, Wiring
from hardware.serial_port import LINES

Step = tuple[float, bytes | str | None]  # seconds after the opening, and what happens; None = it is unplugged
_KEPT = 16  # edges of a line that the kernel keeps


class FakeSerial:
    """A port and what hangs on it: bytes, "+cts" and "-cts" for a line that goes on and off.

    Every connection plays the next of `scripts` from its beginning; when none is left nothing is plugged in. A line
    wakes nobody, as a real one: whoever wants to know has to look.
    """

    def __init__(
        self, *scripts: Iterable[Step], clock_ns: Callable[[], int], wait: Callable[[float], None]
    ) -> None:
        self._lives = iter(scripts)
        self._clock_ns = clock_ns
        self._wait = wait
        self._script: list[Step] = []
        self._began_ns = 0
        self._on: set[str] = set()
        self._data = b""
        self._plugged = False
        self.looks = self.reads = 0

    def __call__(self, device: str) -> "FakeSerial":
        """Open it. Raises DeviceMissing."""
        script = next(self._lives, None)
        if script is None:
            raise DeviceMissing(f"There is no serial port {device}.")
        self._script, self._began_ns = list(script), self._clock_ns()
        self._on, self._data, self._plugged = set(), b"", True
        self._play()
        return self

    def received(self, seconds: float) -> bytes:
        self.reads += 1
        until = self._clock_ns() + round(seconds * 1e9)
        while not self._play() and (left := until - self._clock_ns()) > 0:
            due = self._due_ns()
            self._wait(left / 1e9 if due is None else max(1e-6, min(left, due - self._clock_ns()) / 1e9))
        data, self._data = self._data, b""
        return data

    def lines(self) -> frozenset[str]:
        self.looks += 1
        self._play()
        return frozenset(self._on & LINES.keys())

    def close(self) -> None:
        self._script = []

    def _due_ns(self) -> int | None:
        return self._began_ns + round(self._script[0][0] * 1e9) if self._script else None

    def _play(self) -> bool:
        """Let happen what is due; True when bytes are there. Raises DeviceMissing when it was unplugged."""
        while (due := self._due_ns()) is not None and due <= self._clock_ns():
            _, what = self._script.pop(0)
            if what is None:
                self._plugged = False
            elif isinstance(what, bytes):
                self._data += what
            else:
                (self._on.add if what[0] == "+" else self._on.discard)(what[1:])
        if not self._plugged:
            raise DeviceMissing("The pedal was unplugged: plug it in again.")
        return bool(self._data)


def worst_pedal(line: str = "cts") -> Iterator[Step]:
    """Yield what the worst contact on a line does: bounces, is held, chatters for a second, is torn out closed."""
    yield from chatter(line, start=0.1, seconds=0.02, period=0.007)
    yield (0.12, f"+{line}")  # held for two seconds, while the port sends what nobody asked for
    yield from ((0.2 + at / 1000, b"\x00\xff" * 400) for at in range(1000))
    yield (2.2, f"-{line}")
    yield from chatter(line, start=3.0, seconds=1.0, period=0.012)
    yield (4.5, f"-{line}")
    yield (5.0, f"+{line}")
    yield (5.1, None)


def chatter(line: str, *, start: float, seconds: float, period: float) -> Iterator[Step]:
    """Yield a contact that closes and opens all the time."""
    for number in range(round(seconds / period)):
        yield (start + number * period, f"{'-' if number % 2 else '+'}{line}")


class FakeChip:
    """A GPIO chip whose pins follow a script of (seconds after the opening, pin, closed); None = it is unplugged.

    As the kernel it stamps each edge, keeps the newest 16, and says when it dropped some.
    """

    def __init__(
        self,
        *scripts: Iterable[tuple[float, int, bool] | None],
        clock_ns: Callable[[], int],
        wait: Callable[[float], None],
    ) -> None:
        self._lives = iter(scripts)
        self._clock_ns = clock_ns
        self._wait = wait
        self._script: list[tuple[float, int, bool] | None] = []
        self._began_ns = 0
        self._closed: set[int] = set()
        self.asked: list[tuple[str, Pins, Wiring]] = []
        self.reads = 0

    def __call__(self, chip: str, pins: Pins, wiring: Wiring) -> "FakeChip":
        """Ask for its lines. Raises DeviceMissing."""
        script = next(self._lives, None)
        if script is None:
            raise DeviceMissing(f"There is no GPIO chip {chip}.")
        self.asked.append((chip, pins, wiring))
        self._script, self._began_ns, self._closed = list(script), self._clock_ns(), set()
        self._due()
        return self

    def changes(self, seconds: float) -> Changes:
        self.reads += 1
        found = self._due()
        if not found:
            ahead = next((step[0] for step in self._script[:1] if step), seconds)
            until = self._began_ns + round(ahead * 1e9) - self._clock_ns()
            self._wait(max(1e-6, min(seconds, until / 1e9 if self._script else seconds)))
            found = self._due()
        return Changes(changes=tuple(found[-_KEPT:]), lost=len(found) > _KEPT)

    def closed(self) -> frozenset[int]:
        return frozenset(self._closed)

    def close(self) -> None:
        self._script = []

    def _due(self) -> list[PinChange]:
        found = []
        while self._script:
            step = self._script[0]
            if step is None:
                raise DeviceMissing("The GPIO chip was unplugged.")
            time_ns = self._began_ns + round(step[0] * 1e9)
            if time_ns > self._clock_ns():
                break
            self._script.pop(0)
            (self._closed.add if step[2] else self._closed.discard)(step[1])
            found.append(PinChange(pin=step[1], closed=step[2], time_ns=time_ns))
        return found
