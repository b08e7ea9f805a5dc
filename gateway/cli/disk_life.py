"""How worn the disk of the pictures is: asked by root once a day, read by `doctor`, which asks itself elsewhere."""

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from gateway.config.told import FOLDER, told
from gateway.forward.connections.finding import Finding
from gateway.machine.telling import tell
from gateway.spool.disk.wear import SUBJECT, Life, judge
from hardware.wear import SYS, Kind, Wear, disk_under, of_smartctl, of_sysfs

_PATIENCE_S = 60
_ASK = ("smartctl", "--json", "--health", "--attributes", "--log=ssd")
Ask = Callable[[str], str]


def smartctl(disk: str) -> str:
    """Return what smartctl prints of a disk; "" where there is none, or it may not ask."""
    with suppress(OSError, subprocess.SubprocessError):
        # Its status has a bit for each thing that is wrong with the disk.
        done = subprocess.run([*_ASK, f"/dev/{disk}"], capture_output=True, timeout=_PATIENCE_S, check=False)
        return done.stdout.decode(errors="replace")
    return ""


def look(folder: Path, *, ask: Ask = smartctl, sys: Path = SYS, number: int | None = None) -> Wear | None:
    """Ask the disk under a folder; None where there is no single one."""
    disk = disk_under(folder, sys, number)
    if disk is None:
        return None
    seen = of_sysfs(disk)
    if seen.kind in (Kind.EMMC, Kind.SD):
        return seen
    try:
        said = json.loads(ask(disk.name) or "{}")
        return of_smartctl(disk.name, said) if said.get("smartctl") else seen
    except (ValueError, TypeError, AttributeError):
        return seen


def say(folder: Path, said: Path = FOLDER) -> None:
    """Say it to the panel and to `doctor`, as root of an appliance."""
    seen = look(folder)
    tell(said, SUBJECT, asdict(seen) if seen else {})


def finding(folder: Path, *, said: Path = FOLDER, ask: Ask = smartctl) -> Finding:
    """Return what `doctor` says of it."""
    seen = told(SUBJECT, said)
    if seen is None:
        found = look(next(path for path in (folder, *folder.parents) if path.exists()), ask=ask)
        seen = asdict(found) if found else {}
    judged = judge(seen)
    ok = {Life.OK: True, Life.UNKNOWN: None}.get(judged.life, False)
    measured = f"{judged.measured} used" if seen.get("used") is not None else judged.measured
    code = f" [{judged.code}]" if judged.code else ""
    says = f"{measured}. {judged.what}{code}" if judged.what else measured
    return Finding(what="disk life", ok=ok, says=says, action=judged.action)
