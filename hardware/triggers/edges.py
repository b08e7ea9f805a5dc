"""What makes a press of what contacts and bytes do. The one place that decides what a bounce is, for every kind."""

from collections import deque
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

from hardware.triggers import Action, Press

DEBOUNCE_NS = 50_000_000  # no foot presses twice within it; a worn contact bounces for 20 ms
HELD_NS = 150_000_000  # a pedal that is held repeats its byte; a busy machine hears the next one that late


@dataclass(kw_only=True, slots=True)
class _Contact:
    closed: bool = False
    changed_ns: int | None = None  # when it did anything last
    held: bool = False  # whether it repeats itself


class Edges:
    """Presses of some contacts: the closing edge of one that had been at rest for 50 ms.

    A contact that is held is one press, one that chatters without end too. What was closed when listening began
    has to open first.
    """

    def __init__(self, actions: Mapping[Hashable, Action]) -> None:
        self._actions = actions
        self._contacts: dict[Hashable, _Contact] = {}
        self._presses: deque[Press] = deque()
        self.begin()

    def begin(self, closed: Collection[Hashable] = ()) -> None:
        """Forget what was, and take these contacts as closed already."""
        self._contacts = {each: _Contact(closed=each in closed) for each in self._actions}
        self._presses.clear()

    def level(self, contact: Hashable, *, closed: bool, time_ns: int) -> None:
        """Note how a contact is at that time; the same as before changes nothing."""
        seen = self._contacts.get(contact)
        if seen is None or seen.closed == closed:
            return
        seen.closed = closed
        self._note(contact, seen, time_ns, press=closed)

    def pulse(self, contact: Hashable, time_ns: int) -> None:
        """Note something that has no end, such as a byte."""
        seen = self._contacts.get(contact)
        if seen is not None:
            rest_ns = HELD_NS if seen.held else DEBOUNCE_NS
            seen.held = seen.changed_ns is not None and time_ns - seen.changed_ns <= rest_ns
            self._note(contact, seen, time_ns, press=not seen.held)

    def next(self) -> Press | None:
        """Return the oldest press that was not fetched yet."""
        return self._presses.popleft() if self._presses else None

    def _note(self, contact: Hashable, seen: _Contact, time_ns: int, *, press: bool) -> None:
        before, seen.changed_ns = seen.changed_ns, time_ns
        if press and (before is None or time_ns - before > DEBOUNCE_NS):
            self._presses.append(Press(action=self._actions[contact], time_ns=time_ns))
