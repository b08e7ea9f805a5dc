"""Whose turn it is to set the machine: one after the other, and nobody in the midst of a trial.

What asks for a turn during a trial ends at once, because other units wait behind it: the trial applies the file at
its end by itself.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from gateway.machine.locks import alone
from gateway.machine.settings.applying import Applied, Applying, Places
from gateway.machine.telling import tell

_TRIAL, _APPLIES = ".trial", ".applies"  # locks, in the folder of what root says
_ROUNDS = 5  # at most, of a file that changes while it is applied


def apply_file(applying: Applying) -> bool:
    """Make the machine what its file says, and tell; say whether it was nobody else's turn.

    A file that changes meanwhile is applied too: systemd forgets the change of a path while what that starts runs.
    """
    told = applying.places.told
    with alone(told / _APPLIES), alone(told / _TRIAL, patient=False) as no_trial:
        if not no_trial:
            return False
        for _ in range(_ROUNDS):
            before = _sign(applying.places)
            say(told, applying.file(), 0)
            if _sign(applying.places) == before:
                break
        return True


def during_trial(told: Path, trial: Callable[[], bool]) -> bool:
    """Run a trial while nobody else applies anything; return what it returns."""
    with alone(told / _TRIAL):
        return trial()


def _sign(places: Places) -> list[tuple[int, int]]:
    """Return of each file that is applied its inode, and when it changed (ns): others once it is replaced."""
    found = []
    for path in (places.machine, places.settings, places.heard):
        with suppress(OSError):
            state = path.stat()
            found.append((state.st_ino, state.st_mtime_ns))
    return found


def say(told: Path, applied: Applied, until_ns: int) -> None:
    """Say what the machine is now; `until_ns`: when that ends (CLOCK_BOOTTIME), 0 = it stays."""
    tell(told, "applied", {**asdict(applied), "until_ns": until_ns})
