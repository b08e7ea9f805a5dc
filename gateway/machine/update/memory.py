"""What the box remembers of its updates, on the data partition: it is read by the version before and the one after.

One small JSON file. A version takes of it what it knows; a file that is damaged is as good as none, because
the firmware alone decides what starts.
"""

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path

from gateway.machine import durable

FOLDER = Path("/data/update")
CUT = "cut-off"  # the reason while a slot is written, and for ever when nobody comes to give another
_MOST_BYTES = 65_536
_ONCE, _LEFT, _STAYS = "1", "left", "2"


class Phase(StrEnum):
    """How far the last update came."""

    NONE = "none"
    INSTALLED = "installed"  # written, and started next
    TRYING = "trying"  # started, and not proven yet
    GOOD = "good"
    WENT_BACK = "went-back"  # it did not prove itself; the box runs what it ran before
    FAILED = "failed"  # it was not installed: the box runs what it ran, and the other slot may hold nothing whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """`version` and `slot` are those of the update, `boot_id` is that of the start in which it was installed.

    `floor`: the oldest version that may be installed; it only rises. `reason`: a code, of updates that went wrong.
    `in_a`, `in_b`: which version a slot holds: it ran from there, or was written whole; "" when nobody knows.
    `came_again`: how often the box came to this version again after its trial, which had a bad end or none; "left":
    it is left now, without another trial.
    `proven`: the version that proved itself, from then on until it is remembered as good.
    """

    phase: Phase = Phase.NONE
    version: str = ""
    slot: str = ""
    boot_id: str = ""
    reason: str = ""
    at: str = ""
    floor: str = "0"
    in_a: str = ""
    in_b: str = ""
    came_again: str = ""
    proven: str = ""

    @property
    def stays(self) -> bool:
        """Say whether this version stays, unproven and tried no more: the box came to it again too often."""
        return self.came_again == _STAYS

    @property
    def is_left(self) -> bool:
        """Say whether this version is not tried, and the other one has to be chosen."""
        return self.came_again == _LEFT

    def version_in(self, slot: str) -> str:
        return self.in_a if slot == "a" else self.in_b


def holds(slot: str, version: str) -> dict[str, str]:
    """Return the words that change when a slot gets that version; "" while it is written."""
    return {f"in_{slot}": version}


def once_more(kept: Memory, *, asks_once: bool) -> dict[str, str]:
    """Return the words that change when a version is started that was on trial before.

    asks_once: the firmware starts the other one by itself, so that was tried in between. Where it starts what was
    chosen last, the other one is chosen first; a version that cannot be left stays there as well.
    """
    following = {"": _ONCE, _ONCE: _STAYS if asks_once else _LEFT}
    return {"came_again": following.get(kept.came_again, _STAYS)}


def recalled(folder: Path = FOLDER) -> Memory:
    """Return what is remembered; nothing, when nothing can be read."""
    try:
        with (folder / "memory.json").open("rb") as file:
            said = json.loads(file.read(_MOST_BYTES))
        known = {field.name for field in fields(Memory)}
        words = {name: str(value) for name, value in said.items() if name in known}
        return Memory(**{**words, "phase": Phase(words.get("phase", Phase.NONE))})  # type: ignore[arg-type]
    except (OSError, ValueError, AttributeError):
        return Memory()


def remember(memory: Memory, folder: Path = FOLDER) -> None:
    """Replace what is remembered, durably. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    durable.replace(folder / "memory.json", json.dumps(asdict(memory)).encode(), mode=0o600)
