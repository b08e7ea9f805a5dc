"""What root has to say to the panel and to `doctor`: JSON files for everybody, replaced whole, without secrets."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def tell(folder: Path, name: str, said: Mapping[str, Any]) -> None:
    """Replace what is said under a name; of two processes the later one has the last word. Raises OSError."""
    new = folder / f".{name}.json.{os.getpid()}"
    new.unlink(missing_ok=True)
    new.touch(mode=0o644)
    new.write_text(json.dumps(said), encoding="utf-8")
    new.chmod(0o644)  # whatever the umask
    new.rename(folder / f"{name}.json")
