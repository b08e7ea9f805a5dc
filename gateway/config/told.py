"""What root of an appliance says of the machine (gateway/machine/telling.py). Another machine says nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path("/run/scopegate-machine")
_LARGEST = 64 * 1024  # bytes


def told(name: str, folder: Path = FOLDER) -> Mapping[str, Any] | None:
    """Return what is said under a name, None for nothing."""
    try:
        with (folder / f"{name}.json").open("rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
