"""Where each key of a TOML text stands. Reads only text that tomllib has accepted, and judges nothing."""

import tomllib
from collections.abc import Mapping

Place = tuple[str | int, ...]  # ("source", 0, "device"); arrays count from 0

_SPACE = " \t\r\n"
_BARE_END = frozenset(",]}#\r\n")


class Lines:
    """Line numbers, from 1, of the tables, keys and array elements of one text."""

    def __init__(self, lines: Mapping[Place, int]) -> None:
        self._lines = dict(lines)

    @classmethod
    def of(cls, text: str) -> "Lines":
        """Index a text that tomllib has accepted."""
        return cls(_Scanner(text).scan())

    def of_place(self, place: Place) -> int:
        """Return the line of a place, or of the nearest table around it; 0 when the text has neither."""
        while place:
            if place in self._lines:
                return self._lines[place]
            place = place[:-1]
        return 0


class _Scanner:
    """Walks over the text once, statement by statement (TOML 1.0)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counts: dict[Place, int] = {}  # elements of each array of tables so far
        self._lines: dict[Place, int] = {}

    def scan(self) -> dict[Place, int]:
        table: Place = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip_blank()
        return self._lines

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _move(self, count: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _skip_blank(self) -> None:
        """Skip spaces, line ends and comments."""
        while self._at < len(self._text):
            if self._text[self._at] in _SPACE:
                self._move(1)
            elif self._text[self._at] == "#":
                end = self._text.find("\n", self._at)
                self._move((end if end >= 0 else len(self._text)) - self._at)
            else:
                return

    def _header(self) -> Place:
        """Read `[a.b]` or `[[a.b]]`; return the table that the following keys belong to."""
        line = self._line
        double = self._text.startswith("[[", self._at)
        self._move(2 if double else 1)
        *parents, last = self._key()
        self._move(2 if double else 1)
        place = (*self._within_arrays((), parents), last)
        if double:
            self._lines.setdefault(place, line)
            index = self._counts[place] = self._counts.get(place, -1) + 1
            place = (*place, index)
        self._lines.setdefault(place, line)
        return place

    def _within_arrays(self, start: Place, names: list[str]) -> Place:
        """Follow names to the newest element of each array of tables on the way."""
        place = start
        for name in names:
            place = (*place, name)
            if place in self._counts:
                place = (*place, self._counts[place])
        return place

    def _key(self) -> list[str]:
        """Read a dotted key up to its `=` or `]`."""
        names = []
        while True:
            self._skip_blank()
            names.append(self._key_part())
            self._skip_blank()
            if self._peek() != ".":
                return names
            self._move(1)

    def _key_part(self) -> str:
        start = self._at
        quote = self._peek()
        if quote in {'"', "'"}:
            self._string()
            raw = self._text[start : self._at]
            return str(tomllib.loads(f"k = {raw}")["k"])
        while self._peek().isalnum() or self._peek() in {"-", "_"}:
            self._move(1)
        return self._text[start : self._at]

    def _pair(self, table: Place) -> None:
        """Read `a.b = value` below that table."""
        line = self._line
        place = table
        for name in self._key():
            place = (*place, name)
            self._lines.setdefault(place, line)
        self._move(1)  # the equals sign
        self._skip_blank()
        self._value(place)

    def _value(self, place: Place) -> None:
        first = self._peek()
        if first in {'"', "'"}:
            self._string()
        elif first == "[":
            self._array(place)
        elif first == "{":
            self._inline_table(place)
        else:
            while self._at < len(self._text) and self._text[self._at] not in _BARE_END:
                self._move(1)

    def _string(self) -> None:
        """Skip a string; a multi-line one may end with up to two quotes of its own before the last three."""
        quote = self._peek()
        long = self._text.startswith(quote * 3, self._at)
        end = quote * 3 if long else quote
        self._move(len(end))
        while not self._text.startswith(end, self._at):
            self._move(2 if quote == '"' and self._peek() == "\\" else 1)
        self._move(len(end))
        while long and self._peek() == quote:
            self._move(1)

    def _array(self, place: Place) -> None:
        self._move(1)
        self._skip_blank()
        index = 0
        while self._peek() != "]":
            self._lines.setdefault((*place, index), self._line)
            self._value((*place, index))
            index += 1
            self._skip_separator()
        self._move(1)

    def _inline_table(self, place: Place) -> None:
        self._move(1)
        self._skip_blank()
        while self._peek() != "}":
            self._pair(place)
            self._skip_separator()
        self._move(1)

    def _skip_separator(self) -> None:
        self._skip_blank()
        if self._peek() == ",":
            self._move(1)
            self._skip_blank()
