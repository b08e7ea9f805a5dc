"""The mark `<uid>.moved` of a picture that goes to another exam, and what it forbids while that is not done.

A mark that nobody can read, or to an exam that was erased, forbids nothing: the picture is where it was.
"""

from dataclasses import dataclass

from gateway.errors import SpoolDamaged, WrongState
from gateway.spool import records
from gateway.spool.paths import Layout


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """The content of a mark: where it is now, under which number, and the one that it had here."""

    to: str
    number: int
    instance_number: int
    utc: str


def leaves_for(layout: Layout, exam: str, uid: str) -> str:
    """Return to which exam a picture of this one is still to go; "" = it stays."""
    try:
        mark = records.load(Moved, layout.moved(exam, uid).read_bytes())
    except (SpoolDamaged, OSError):
        return ""
    return mark.to if layout.exam(mark.to).is_dir() else ""


def refuse_leaving(layout: Layout, exam: str, uid: str, *, but_to: str = "") -> None:
    """Raise WrongState for a picture whose move failed half-way, to another exam than `but_to`.

    Under the lock of its exam only.
    """
    if leaves_for(layout, exam, uid) not in {"", but_to}:
        raise WrongState(
            "This picture is being moved to another exam.",
            action="Move it there once more, or start the box again.",
        )
