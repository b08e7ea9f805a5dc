"""Whose turn it is to set the machine: one after the other, and nobody in the midst of a trial.

What asks for a turn during a trial ends at once, because other units wait behind it: the trial applies the file at
its end by itself.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from gateway.machine.locks import alone
from gateway.machine.settings.applying import Applied, Applying
from gateway.machine.telling import tell

_TRIAL, _APPLIES = ".trial", ".applies"  # locks, in the folder of what root says


def apply_file(applying: Applying) -> bool:
    """Make the machine what its file says, and tell; say whether it was nobody else's turn."""
    told = applying.places.told
    with alone(told / _APPLIES), alone(told / _TRIAL, patient=False) as no_trial:
        if no_trial:
            say(told, applying.file(), 0)
        return no_trial


def during_trial(told: Path, trial: Callable[[], bool]) -> bool:
    """Run a trial while nobody else applies anything; return what it returns."""
    with alone(told / _TRIAL):
        return trial()


def say(told: Path, applied: Applied, until_ns: int) -> None:
    """Say what the machine is now; `until_ns`: when that ends (CLOCK_BOOTTIME), 0 = it stays."""
    tell(told, "applied", {**asdict(applied), "until_ns": until_ns})
