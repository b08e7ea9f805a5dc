"""audit.jsonl: who did what to which exam. Append-only, flushed line by line; names no patient."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.spool.files import Files, locked

_LATELY = 4_000_000  # bytes: weeks of a busy box


class Audit:
    """The audit file and its lock."""

    def __init__(self, *, path: Path, files: Files, clock: Clock) -> None:
        self._path = path
        self._files = files
        self._clock = clock

    def note(self, what: str, *, by: str, **details: str | int) -> None:
        """Append one line, durable when this returns; a torn last line is moved aside first."""
        with locked(self._path.with_suffix(".lock")):
            torn = self._move_torn_line_aside()
            file = self._files.append(self._path)
            try:
                if torn:
                    file.write(self._line("audit-line-torn", "audit", {"kept_in": torn}))
                file.write(self._line(what, by, details))
                file.sync()
            finally:
                file.close()

    def about(self, exam: str) -> Iterator[dict[str, Any]]:
        """Yield the lines about an exam, the oldest first; what cannot be read is passed over."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for line in file:
                if exam.encode() not in line:
                    continue
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict) and entry.get("exam") == exam:
                    yield entry

    def lately(self, what: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of one kind among the last ones, the oldest first; what cannot be read is passed over."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LATELY))
            lines = file.read().splitlines()
        for line in lines:
            if what.encode() not in line:
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("what") == what:
                yield entry

    def _line(self, what: str, by: str, details: dict[str, str | int]) -> bytes:
        entry = {"utc": self._clock.utc().isoformat(), "what": what, "by": by, **details}
        return (json.dumps(entry) + "\n").encode()

    def _move_torn_line_aside(self) -> str:
        """Return the name of the file that now holds what a power cut left of the last line, or ""."""
        if not self._path.exists():
            return ""
        content = self._path.read_bytes() if self._ends_torn() else b""
        if not content:
            return ""
        whole = content.rfind(b"\n") + 1
        aside = self._path.with_name(f"audit.torn-{self._clock.token(8)}")
        self._files.write(aside, [content[whole:]])
        self._files.cut(self._path, whole)
        return aside.name

    def _ends_torn(self) -> bool:
        with self._path.open("rb") as file:
            if file.seek(0, 2) == 0:
                return False
            file.seek(-1, 2)
            return file.read(1) != b"\n"
