"""What can be wrong with what is stored, in the words of people."""

from dataclasses import dataclass, replace

from gateway.errors import SpoolDamaged, SpoolError
from gateway.messages import N_
from gateway.spool import audit
from gateway.spool.erasure import erased

FEW = 20  # places that are named; the others are counted: a disk that dies has thousands
# What is wrong, is the work safe, what to do, by the code that the commands give.
TROUBLES = N_(
    {
        SpoolDamaged.code: (
            "What is on the disk is not what was stored.",
            "It is not delivered like that. No other picture is touched by it.",
            "Look for it in the archive, and call service: the disk may be failing.",
        ),
        "file-missing": (
            "A file is not on the disk any more.",
            "No other picture is touched by it.",
            "Look for it in the archive, and call service: the disk may be failing.",
        ),
        "file-unreadable": (
            "A file cannot be read from the disk.",
            "Service may still be able to read it. No other picture is touched by it.",
            "Call service, and leave the box on: the disk may be failing.",
        ),
        erased.LEFT: (
            "Of an exam that was erased traces are left on the disk.",
            "No picture is touched by it.",
            "Start the box again while no exam is open: it tries again. If that does not help, call service.",
        ),
        audit.CHANGED: (
            "The audit file is not as it was written.",
            "No picture is touched by it.",
            "Call IT: somebody may have changed this box. Compare it with the audit repository, if there is one.",
        ),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something is wrong, without a patient: exam and file, or a line of the audit file."""

    name: str
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """One kind of trouble, and where it was found: `count` places, of which a few are named."""

    code: str
    what: str
    safe: str
    action: str
    count: int
    places: tuple[Place, ...]


def added(troubles: tuple[Trouble, ...], code: str, place: Place) -> tuple[Trouble, ...]:
    """Return troubles with one more place of that code."""
    if code not in {trouble.code for trouble in troubles}:
        what, safe, action = TROUBLES[code]
        troubles = (*troubles, Trouble(code=code, what=what, safe=safe, action=action, count=0, places=()))
    return tuple(
        replace(each, count=each.count + 1, places=(*each.places, place)[:FEW]) if each.code == code else each
        for each in troubles
    )


def of_error(error: SpoolError) -> Trouble:
    """Return what ended a look before its time."""
    return Trouble(code=error.code, what=error.what, safe=error.safe, action=error.action, count=1, places=())
