"""Whether the running version still has to prove itself. What a restart would break off is not begun meanwhile."""

from pathlib import Path

from gateway.config.told import FOLDER, told
from gateway.errors import Refused
from gateway.machine.encryption.key_record import Guard

SUBJECT = "update"  # under which is told what becomes of one
MARK = Path("/run/scopegate-trial")  # there, while nobody called this version good


class NotProven(Refused):
    """The box is proving its new version."""

    code = "version-unproven"
    action = "This takes a few minutes: ask again then."


def refuse_meanwhile(said: Path = FOLDER, mark: Path = MARK) -> None:
    """Raise NotProven while the box may start anew any moment, because a version is tried or was not good.

    A trial that waits for a key is ended by nothing; whoever lost the PIN must be able to erase the box.
    """
    goes_on = mark.exists() or (told(SUBJECT, said) or {}).get("proving")  # in this order: it is told first
    if goes_on and not key_is_awaited(said):
        raise NotProven


def key_is_awaited(said: Path = FOLDER) -> bool:
    """Say whether a version can do nothing before the start PIN is typed, or a chip that locked itself opens.

    Not what closes the data by itself: a chip that gives the key to the version before only is a reason to go back;
    one that locked itself gives it to none.
    """
    data = told("data", said) or {}
    waits = data.get("guard") == Guard.PIN or bool(data.get("chip_locked"))
    return waits and not data.get("opened")
