"""audit.jsonl: who did what to which exam. Append-only, flushed line by line, chained; names no patient."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from gateway.clock import Clock
from gateway.errors import SpoolDamaged, SpoolError
from gateway.log import warn
from gateway.spool import chain
from gateway.spool.chain import Mark, Verdict, Witness
from gateway.spool.files import Files, locked

_log = logging.getLogger(__name__)
_LATELY = 4_000_000  # bytes: weeks of a busy box
_A_LINE = 4096  # bytes; nearly every line is shorter
_LONGEST = 1_000_000  # bytes: no line of ours is
CHANGED = "audit-changed"  # the code of a file that is not as it was written


class Audit:
    """The audit file and its lock."""

    def __init__(self, *, path: Path, files: Files, clock: Clock) -> None:
        self._path = path
        self._head = path.with_suffix(".head")
        self._files = files
        self._clock = clock

    def note(self, what: str, *, by: str, **details: str | int) -> None:
        """Append one line, durable when this returns; a torn last line is moved aside first. Raises SpoolError."""
        with locked(self._path.with_suffix(".lock")), self._files.translated():
            torn = self._move_torn_line_aside()
            mark = self._next_mark()
            file = self._files.append(self._path)
            try:
                if torn:
                    line = self._line("audit-line-torn", "audit", {"kept_in": torn}, mark)
                    file.write(line)
                    mark = Mark(line=mark.line + 1, before=chain.sha256(line))
                line = self._line(what, by, details, mark)
                file.write(line)
                file.sync()
            finally:
                file.close()
            self._keep_head(Witness(who=self._head.name, line=mark.line, sha256=chain.sha256(line)))

    def verify(self, *witnesses: Witness, step: Callable[[], None] = lambda: None) -> Verdict:
        """Read the whole file and say whether it is as it was written. witnesses: what others know of its lines.

        `step` is called at each line; what it raises ends the look. Raises SpoolDamaged when it cannot be read.
        """
        with locked(self._path.with_suffix(".lock")):
            head = self.witness(self._head)
            size = self._path.stat().st_size if self._path.exists() else 0
        # Lines that are there stay as they are: they are read without the lock, so nobody who works waits for it.
        known = [*witnesses, head] if head else witnesses
        try:
            return chain.verify(self._lines(size, step), known)
        except OSError as error:
            raise SpoolDamaged("The audit file cannot be read.", code="file-unreadable") from error

    def witness(self, path: Path) -> Witness | None:
        """Return what a file beside it knows of a line; None when that file is not there, or not whole."""
        try:
            kept = json.loads(path.read_bytes())
            return Witness(who=path.name, line=int(kept["line"]), sha256=str(kept["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):  # a power cut may leave nothing of it
            return None

    def since(self, offset: int, most: int) -> tuple[int, bytes]:
        """Return whole lines from `offset` on, all of them on the disk, and where they begin.

        A file that ends before `offset` has none: what is written next begins at its end. most: bytes, if one line
        is no longer. Raises DiskFailed.
        """
        # Who writes lets go of the lock when the line is on the disk.
        with locked(self._path.with_suffix(".lock")), self._files.translated():
            if not self._path.exists():
                return 0, b""
            with self._path.open("rb") as file:
                start = min(offset, file.seek(0, 2))
                file.seek(start)
                content = file.read(most)
                if b"\n" not in content:
                    content += file.readline()
        return start, content[: content.rfind(b"\n") + 1]

    @property
    def last(self) -> int:
        """The number of the last line, as it was kept beside the file; 0 when it was not."""
        head = self.witness(self._head)
        return head.line if head else 0

    def about(self, exam: str) -> Iterator[dict[str, Any]]:
        """Yield the lines about an exam, the oldest first; what cannot be read is passed over."""
        yield from (entry for entry in self._with(exam) if entry.get("exam") == exam)

    def of_kinds(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Yield every line of these kinds, the oldest first; what cannot be read is passed over."""
        yield from (entry for entry in self._with(*kinds) if entry.get("what") in kinds)

    def _with(self, *words: str) -> Iterator[dict[str, Any]]:
        """Yield the lines in which one of these words stands. One line at a time is in memory."""
        marks = [word.encode() for word in words]
        size = self._path.stat().st_size if self._path.exists() else 0
        for line in self._lines(size, lambda: None):
            if any(mark in line for mark in marks):
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict):
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

    def _lines(self, size: int, step: Callable[[], None]) -> Iterator[bytes]:
        """Yield the lines among the first bytes; one that is too long for ours in pieces, each a wrong line."""
        if not size:
            return
        with self._path.open("rb") as file:
            while line := file.readline(min(size, _LONGEST)):
                step()
                size -= len(line)
                yield line if len(line) < _LONGEST else line.rstrip(b"\n") + b"\n"

    def _line(self, what: str, by: str, details: dict[str, str | int], mark: Mark) -> bytes:
        return chain.marked({"utc": self._clock.utc().isoformat(), "what": what, "by": by, **details}, mark)

    def _next_mark(self) -> Mark:
        """Return the mark of the next line: it follows the last one that was written, also if that is gone."""
        found, head = self._found_mark(), self.witness(self._head)
        if head and head.line + 1 >= found.line:
            return Mark(line=head.line + 1, before=head.sha256)
        return found

    def _found_mark(self) -> Mark:
        """Return the mark that follows the file as it is. Behind a line without a mark everything is read, once."""
        if not self._path.exists():
            return Mark(line=1, before=chain.sha256(b""))
        with self._path.open("rb") as file:
            last = _last_line(file)
            if mark := chain.mark_of(last):
                return Mark(line=mark.line + 1, before=chain.sha256(last))
            file.seek(0)
            content = file.read()
        return Mark(line=content.count(b"\n") + 1, before=chain.sha256(content))

    def _keep_head(self, head: Witness) -> None:
        """Remember the last line beside the file, so that a tail that is gone is missed.

        Not flushed: after a power cut it may be older than the file, never newer.
        """
        try:
            self._files.replace_quickly(self._head, json.dumps({"line": head.line, "sha256": head.sha256}).encode())
        except SpoolError as error:  # the line itself is on the disk
            warn(_log, "audit_head_not_kept", code=error.code)

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


def _last_line(file: BinaryIO) -> bytes:
    """Return the last line of a file that ends with a whole one."""
    size = file.seek(0, 2)
    length = _A_LINE
    while True:
        file.seek(max(0, size - length))
        tail = file.read()
        start = tail.rfind(b"\n", 0, -1)
        if start >= 0 or length >= size:
            return tail[start + 1 :]
        length *= 8
