"""Why an update is not installed: what happened, what holds still, a code.

The box runs what it ran. Once RAUC began to write, what was in the other slot is gone, and with it the way back.
"""

from typing import ClassVar

from gateway.errors import ScopegateError

_ANOTHER = "Get the file again from where it came from, and copy it once more."


class UpdateRefused(ScopegateError):
    """The update was not installed."""

    code: ClassVar[str] = "update-failed"
    safe = "The box runs what it ran before."
    action = "Try again; if it happens again, call service."


class NoUpdates(UpdateRefused):
    """This box takes no updates: it was built without its maker's keys."""

    code = "update-none"
    action = "Service writes a new image onto its disk."


class NotSigned(UpdateRefused):
    """This file was not signed by the maker of this box."""

    code = "update-foreign"
    action = "Do not install it. Ask whoever gave it to you where it comes from."


class Damaged(UpdateRefused):
    """This file is damaged, or is no update."""

    code = "update-damaged"
    action = _ANOTHER


class OtherMachine(UpdateRefused):
    """This update is for another kind of box."""

    code = "update-other-machine"
    action = "Get the one for this box: its kind stands in More, Service."


class TooOld(UpdateRefused):
    """This update is older than what this box may run."""

    code = "update-too-old"
    action = "Get a newer one."


class ExamIsOpen(UpdateRefused):
    """An exam is open, or nobody knows whether one is."""

    code = "update-exam-open"
    action = "Finish the exam first."


class NoSuchFile(UpdateRefused):
    """There is no such update here."""

    code = "update-absent"
    action = "Put the stick in again, or send the file again."


class StillTrying(UpdateRefused):
    """The version that runs has not proven itself yet."""

    code = "update-trying"
    action = "Wait a few minutes."


class BrokenOff(UpdateRefused):
    """What was asked for was broken off."""

    code = "update-broken-off"


# What RAUC 1.13 says, and what it means; the first that is found counts.
_MEANINGS: tuple[tuple[str, type[UpdateRefused]], ...] = (
    ("Compatible mismatch", OtherMachine),
    ("Version mismatch", TooOld),
    ("signature verification failed", NotSigned),
    ("bundle format", Damaged),
    ("Bundle format", Damaged),
    ("Input/output error", Damaged),
    ("exceeds bundle size", Damaged),
    ("No such file", NoSuchFile),
)


def meant(said: str) -> UpdateRefused:
    """Return what RAUC's words mean for a person."""
    for words, kind in _MEANINGS:
        if words in said:
            return kind()
    return UpdateRefused()
