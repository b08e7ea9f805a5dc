"""audit.sent: how far the audit file has reached whoever keeps a copy. Owns that cursor; sends nothing."""

import io
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.log import warn
from gateway.spool import chain
from gateway.spool.audit import Audit
from gateway.spool.files import Files

_log = logging.getLogger(__name__)
_MOST_BYTES = 1_000_000  # of one look


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditLine:
    """A line as it stands in the file, the number that it has there, where it begins and ends (bytes)."""

    number: int
    entry: Mapping[str, Any]  # {} when it cannot be read
    begin: int
    end: int
    sha256: str


class AuditSent:
    """The lines that nobody elsewhere has yet, the oldest first."""

    def __init__(self, *, path: Path, audit: Audit, files: Files) -> None:
        self._path = path
        self._audit = audit
        self._files = files

    @property
    def left(self) -> int:
        """How many lines wait, as far as is known without reading them."""
        return max(0, self._audit.last - self._cursor().number)

    def waiting(self, most: int) -> list[AuditLine]:
        """Return the next lines, at most so many. Raises DiskFailed when the file cannot be read."""
        cursor = self._cursor()
        offset, number = cursor.end, cursor.number
        if not self._is_there(cursor):  # somebody cut or changed the file: numbers tell what was taken
            warn(_log, "audit_file_not_as_sent", line=number)
            offset, number = 0, 0
        while True:
            start, content = self._audit.since(offset, _MOST_BYTES)
            lines = _lines(start, content, number)
            if found := [line for line in lines if line.number > cursor.number]:
                return found[:most]
            if not lines:
                return []
            offset, number = lines[-1].end, lines[-1].number

    def taken(self, line: AuditLine) -> None:
        """Note that everything up to this line arrived; durable when this returns. Raises SpoolError."""
        cursor = {"line": line.number, "sha256": line.sha256, "begin": line.begin, "end": line.end}
        self._files.write(self._path, [json.dumps(cursor).encode()])

    def _cursor(self) -> AuditLine:
        """Return the last line that was taken, without what it says."""
        try:
            kept = json.loads(self._path.read_bytes())
            return AuditLine(
                number=int(kept["line"]),
                entry={},
                begin=int(kept["begin"]),
                end=int(kept["end"]),
                sha256=str(kept["sha256"]),
            )
        except (OSError, ValueError, KeyError, TypeError):  # all of it goes again: numbers tell who has it already
            return AuditLine(number=0, entry={}, begin=0, end=0, sha256=chain.sha256(b""))

    def _is_there(self, line: AuditLine) -> bool:
        if line.end == 0:
            return True
        start, content = self._audit.since(line.begin, line.end - line.begin)
        return start == line.begin and chain.sha256(content) == line.sha256


def _lines(start: int, content: bytes, number: int) -> list[AuditLine]:
    """Return the lines of a piece of the file; number: of the line before."""
    lines = []
    for raw in io.BytesIO(content):
        mark = chain.mark_of(raw)
        number = mark.line if mark else number + 1
        end = start + len(raw)
        lines.append(AuditLine(number=number, entry=_read(raw), begin=start, end=end, sha256=chain.sha256(raw)))
        start = end
    return lines


def _read(raw: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(raw)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
