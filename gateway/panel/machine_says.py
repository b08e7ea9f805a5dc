"""Who says how this machine is: root of an appliance in a folder, the kernel when it is asked. Nobody has to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config.told import FOLDER

Board = Callable[[], Mapping[str, Any]]  # what the board has (hardware/board.py), asked by the composition root


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineSays:
    """`folder`: root's. `board`: the kernel's words; none where nobody asks it. `uploads`: where updates arrive."""

    folder: Path = FOLDER
    uploads: Path = Path("/data/upload")  # image-build/tree/box/usr/lib/scopegate/data.conf
    board: Board = dict


THIS_MACHINE = MachineSays()
