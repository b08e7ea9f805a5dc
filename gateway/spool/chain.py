"""Marks that chain the lines of a file: each has its number and the hash of the line before. Writes nothing.

Whoever changes, removes or inserts lines without making every later mark anew is found. Whoever makes them anew is
found by witnesses alone: numbers and hashes that were kept elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.messages import N_

LINE = "line"
BEFORE = "before"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What a line says: its own number, from 1, and the SHA-256 of the line before.

    Where the line before has no mark it is the SHA-256 of everything before, so that old lines are held too.
    """

    line: int
    before: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """A line that was seen: its number, and the SHA-256 that it had. who: where that was kept."""

    who: str
    line: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The first line with which something is wrong, and what."""

    line: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a look at the file found. unmarked: lines at its beginning without a mark; torn: the last is half."""

    lines: int
    unmarked: int
    torn: bool
    fault: Fault | None


def sha256(line: bytes) -> str:
    """Return what the next line has as `before`. line: with its line feed."""
    return hashlib.sha256(line).hexdigest()


def mark_of(line: bytes) -> Mark | None:
    """Return the mark of a line, None when it has none that is usable."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    number, before = entry.get(LINE), entry.get(BEFORE)
    if not isinstance(number, int) or isinstance(number, bool) or not isinstance(before, str):
        return None
    return Mark(line=number, before=before)


def marked(entry: dict[str, Any], mark: Mark) -> bytes:
    """Return a line with its mark."""
    return (json.dumps({**entry, LINE: mark.line, BEFORE: mark.before}) + "\n").encode()


def verify(lines: Iterable[bytes], witnesses: Sequence[Witness] = ()) -> Verdict:
    """Say whether lines are as they were written; the first fault is named and ends the look at the marks."""
    return _Looking(witnesses).over(lines)


class _Looking:
    """One look at a file, line by line."""

    def __init__(self, witnesses: Sequence[Witness]) -> None:
        self._witnesses = witnesses
        self._all = hashlib.sha256()  # of every line so far
        self._last = ""  # hash of the last line, "" when it had no mark
        self._number = 0
        self._unmarked = 0
        self._any_mark = False
        self._torn = False
        self._fault: Fault | None = None
        self._rewritten: Fault | None = None

    def over(self, lines: Iterable[bytes]) -> Verdict:
        for line, following in _with_next(lines):
            if not line.endswith(b"\n"):
                self._torn = True
                break
            self._number += 1
            mark = mark_of(line)
            self._fault = self._fault or self._compared(line, mark, mark_of(following))
            self._seen(line)
            self._all.update(line)
            self._last = sha256(line) if mark else ""
            self._any_mark = self._any_mark or mark is not None
            self._unmarked += not self._any_mark
        return Verdict(
            lines=self._number, unmarked=self._unmarked, torn=self._torn, fault=self._fault or self._at_the_end()
        )

    def _compared(self, line: bytes, mark: Mark | None, following: Mark | None) -> Fault | None:
        """Say what is wrong with a line or with the one before it."""
        number, expected = self._number, self._last or self._all.hexdigest()
        wanted = Mark(line=number, before=expected)
        if mark == wanted or (mark is None and not self._any_mark):
            return None
        if not self._any_mark and number > 1:
            last = number - 1
            why = N_(f"to {last} have no marks, and one of them was changed, removed or inserted")
            return Fault(line=1, why=why)
        if following == wanted:
            return Fault(line=number, why=N_("was inserted here"))
        if mark is None:
            return self._without_mark(line, following)
        if mark.before == expected or (number == 1 and mark.line == number):
            return Fault(line=number, why=N_("was changed"))
        return self._misfit(mark)

    def _misfit(self, mark: Mark) -> Fault:
        """Say what is wrong where a mark does not fit the line before."""
        number = self._number
        if mark.line < number:
            return Fault(line=number, why=N_(f"is out of place: it was written as line {mark.line}"))
        if mark.line == number:
            return Fault(line=number - 1, why=N_(f"was changed, or the mark of line {number}"))
        if mark.line == number + 1:
            return Fault(line=number, why=N_("is missing"))
        last = mark.line - 1
        return Fault(line=number, why=N_(f"and the following ones, to {last}, are missing"))

    def _without_mark(self, line: bytes, following: Mark | None) -> Fault:
        """Tell a line that lost its mark from one that never had one, as far as the next line knows."""
        adopted = self._all.copy()
        adopted.update(line)
        if following and following.before != adopted.hexdigest():
            return Fault(line=self._number, why=N_("was changed"))
        why = N_("has no mark: an earlier version of the program wrote it, or somebody else")
        return Fault(line=self._number, why=why)

    def _seen(self, line: bytes) -> None:
        """Compare a line with what witnesses saw."""
        for witness in self._witnesses:
            if witness.line == self._number and witness.sha256 != sha256(line):
                self._rewritten = self._rewritten or Fault(
                    line=self._number, why=N_(f"is not the one that {witness.who} knows")
                )

    def _at_the_end(self) -> Fault | None:
        """Say what witnesses know that the marks do not."""
        known = max((witness.line for witness in self._witnesses), default=0)
        if self._rewritten is None and known > self._number:
            return Fault(line=self._number + 1, why=N_(f"is missing: there were {known} lines at least"))
        return self._rewritten


def _with_next(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each line with the one after it, b"" after the last."""
    current: bytes | None = None
    for line in lines:
        if current is not None:
            yield current, line
        current = line
    if current is not None:
        yield current, b""
