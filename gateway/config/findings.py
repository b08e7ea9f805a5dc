"""What was read of the file, table by table, and what was found wrong in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.config.lines import Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One table of the file: where it stands, what it says, and those of its values that are right."""

    place: Place
    raw: Mapping[str, Any]
    good: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A problem whose line is still to be looked up."""

    place: Place
    reason: str


Parts = Mapping[str, list[Part]]
