"""How far somebody came in setting the box up: kept in one file, so that a power cut costs no answer.

What was chosen stands in the configuration itself; here stands only which questions were answered, and what was
typed for another system before it is tried and kept.
"""

import json
import threading
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from gateway.spool.files import Files

_LARGEST = 64 * 1024


class Answer(StrEnum):
    SET = "set"
    NONE = "none"  # "we have none"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`whole`: everything is asked, for the file said nothing when the box was first looked at."""

    whole: bool
    done: bool = False
    later: str = ""  # the boot in which somebody said: use the box now
    answers: dict[str, str] = field(default_factory=dict)  # step: an `Answer`
    drafts: dict[str, dict[str, Any]] = field(default_factory=dict)  # step: what was typed so far


class Kept:
    """The file. Reading what is damaged gives None: the questions are asked again, and nothing is lost."""

    def __init__(self, path: Path, files: Files) -> None:
        self._path = path
        self._files = files
        self._lock = threading.Lock()

    def read(self) -> Progress | None:
        try:
            with self._path.open("rb") as file:
                raw = json.loads(file.read(_LARGEST))
            return Progress(
                whole=raw["whole"] is True,
                done=raw["done"] is True,
                later=str(raw["later"]),
                answers={str(step): Answer(answer) for step, answer in raw["answers"].items()},
                drafts={str(step): dict(values) for step, values in raw["drafts"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def change(self, now: Progress, **changes: Any) -> Progress:  # noqa: ANN401 - fields of Progress
        """Keep a change of what holds now; durable when this returns. Raises SpoolError."""
        with self._lock:
            changed = replace(self.read() or now, **changes)
            self._files.write(self._path, [json.dumps(asdict(changed)).encode() + b"\n"])
            return changed
