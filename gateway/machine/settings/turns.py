"""Whose turn it is to set the machine: one after the other, and nobody in the midst of a trial.

What asks for a turn during a trial ends at once, because other units wait behind it: the trial applies the file at
its end by itself.

systemd forgets a file that changes while what it starts for it runs, until that has ended. So what was applied is
remembered, and who looks at the machine asks for another turn when the files are others now.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from gateway.machine.locks import alone
from gateway.machine.settings.applying import Applied, Applying, Places
from gateway.machine.telling import tell

_TRIAL, _APPLIES = ".trial", ".applies"  # locks, in the folder of what root says
_OF = ".applied-of"  # there as well: the sign of the files that were applied last
AGAIN = "again/apply"  # there as well: is here while another turn is asked for (systemd/scopegate-machine.path)
_ROUNDS = 5  # at most, of a file that changes while it is applied


def apply_file(applying: Applying) -> bool:
    """Make the machine what its file says, and tell; say whether it was nobody else's turn.

    A file that changes meanwhile is applied too.
    """
    told = applying.places.told
    (told / AGAIN).unlink(missing_ok=True)  # first: whoever asks from here on is heard
    with alone(told / _APPLIES), alone(told / _TRIAL, patient=False) as no_trial:
        if not no_trial:
            return False
        for _ in range(_ROUNDS):
            before = _sign(applying.places)
            (told / _OF).write_text(json.dumps(before))
            say(told, applying.file(), 0)
            if _sign(applying.places) == before:
                break
        return True


def ask_again(places: Places) -> bool:
    """Ask for another turn if a file is not the one that was applied last; say whether it is not."""
    try:
        applied = json.loads((places.told / _OF).read_text())
    except (OSError, ValueError):  # nothing was applied yet, or it is being written
        return False
    if applied == _sign(places):
        return False
    again = places.told / AGAIN
    again.parent.mkdir(exist_ok=True)  # a folder of its own: systemd looks at each change of it
    again.touch()
    return True


def during_trial(told: Path, trial: Callable[[], bool]) -> bool:
    """Run a trial while nobody else applies anything; return what it returns."""
    with alone(told / _TRIAL):
        return trial()


def _sign(places: Places) -> list[list[int]]:
    """Return of each file that is applied its inode, and when it changed (ns): others once it is replaced."""
    found: list[list[int]] = []
    for path in (places.machine, places.settings, places.heard):
        found.append([])
        with suppress(OSError):
            state = path.stat()
            found[-1] = [state.st_ino, state.st_mtime_ns]
    return found


def say(told: Path, applied: Applied, until_ns: int) -> None:
    """Say what the machine is now; `until_ns`: when that ends (CLOCK_BOOTTIME), 0 = it stays."""
    tell(told, "applied", {**asdict(applied), "until_ns": until_ns})
