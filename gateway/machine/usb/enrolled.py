"""The list of what may type: /etc/scopegate/usb.json, root's own, in a folder of the group's.

Read bounded and through no link; written whole. A list that cannot be read lets nothing in.
"""

import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.errors import MachineFailed, MachineRequest
from gateway.machine import durable

PLACE = Path("/etc/scopegate/usb.json")
_LARGEST = 64 * 1024
_MOST = 64  # of one box
_KEY = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4} [\x21-\x7e]{1,65}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolled:
    """What somebody let in: what it is known by, and how it called itself."""

    key: str
    name: str


def kept(place: Path = PLACE) -> list[Enrolled]:
    """Return the list; an empty one when it is not there or damaged."""
    try:
        found = json.loads(_read(place))
        return [_entry(each) for each in found["enrolled"]][:_MOST]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def change(wanted: dict[str, str], waiting: Iterable[Enrolled], place: Path = PLACE) -> None:
    """Let in one of those that wait, or put one out. Raises MachineRequest, MachineFailed."""
    now = kept(place)
    match wanted:
        case {"do": "let-in", "device": key}:
            found = [each for each in waiting if each.key == key]
            if not found or len(now) >= _MOST:
                raise MachineRequest
            changed = [*(each for each in now if each.key != key), found[0]]
        case {"do": "put-out", "device": key}:
            changed = [each for each in now if each.key != key]
        case _:
            raise MachineRequest
    content = json.dumps({"enrolled": [asdict(each) for each in changed]}).encode()
    try:
        durable.replace(place, content, mode=0o640)
    except OSError as error:
        raise MachineFailed("The list of USB devices could not be written.") from error


def _entry(raw: dict[str, Any]) -> Enrolled:
    key, name = str(raw["key"]), str(raw["name"])
    if not _KEY.fullmatch(key):
        raise ValueError(key)
    return Enrolled(key=key, name=name)


def _read(place: Path) -> bytes:
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("no file")
        return os.read(fd, _LARGEST)
    finally:
        os.close(fd)
