"""The words for what became of a picture, and no others: a technician must be able to trust each of them."""

from collections.abc import Container
from enum import IntEnum

from gateway.messages import N_
from gateway.model import Delivery, DeliveryState
from gateway.spool.pictures import Picture
from gateway.spool.queue.deliveries import INSTEAD, QUIET


class Fate(IntEnum):
    """How far a picture got; the lowest of several destinations counts."""

    ON_THIS_BOX = 0
    SENDING = 1
    SENT = 2
    FOUND = 3  # the archive was asked and has it
    SAFE = 4  # the archive took responsibility for it


WORDS = N_(
    {
        Fate.ON_THIS_BOX: "On this box",
        Fate.SENDING: "Sending",
        Fate.SENT: "Sent",
        Fate.FOUND: "Found in PACS",
        Fate.SAFE: "Safe in PACS",
    }
)
PREPARED = N_("On this box, being prepared")  # and these say of what is on this box how it goes on with it
NEXT = N_("On this box, leaves next")
WAITS = N_("On this box, waits")  # an archive does not take it at present
STOPPED = N_("On this box, stopped")  # it needs a person
_BY_STATE = {
    DeliveryState.QUEUED: Fate.ON_THIS_BOX,
    DeliveryState.HELD: Fate.ON_THIS_BOX,
    DeliveryState.SENDING: Fate.SENDING,
    DeliveryState.SENT: Fate.SENT,
}


def of_delivery(delivery: Delivery) -> Fate:
    if delivery.state is DeliveryState.COMMITTED:
        return Fate.SAFE if delivery.proof == "commitment" else Fate.FOUND
    return _BY_STATE[delivery.state]


def of_picture(picture: Picture, required: frozenset[str]) -> Fate:
    """Return how far a picture got: the slowest of its deliveries counts.

    Of a clip that a destination does not take as it is, what was made of it counts too, but does not stand for the
    clip, which is on this box: who vouches for some stills does not vouch for the clip.
    """
    return min((of_delivery(d) for d in _counted(picture, required)), default=Fate.ON_THIS_BOX)


def word_of_delivery(delivery: Delivery, away: Container[str] = ()) -> str:
    """Return the word for one delivery, and of what waits how it goes on. `away`: who takes nothing at present."""
    if delivery.state is DeliveryState.HELD and delivery.code not in QUIET:
        return STOPPED
    if delivery.state is DeliveryState.QUEUED:
        return WAITS if delivery.attempts or delivery.destination in away else NEXT
    return WORDS[of_delivery(delivery)]


def word_of_picture(picture: Picture, required: frozenset[str], *, leaves: bool, away: Container[str] = ()) -> str:
    """Return the word for a picture, and of what is on this box how it goes on.

    `leaves`: its exam is over and an archive gets it; `away`: who takes nothing at present.
    """
    fate = of_picture(picture, required)
    if fate is not Fate.ON_THIS_BOX:
        return WORDS[fate]
    words = [word_of_delivery(each, away) for each in _counted(picture, required) if of_delivery(each) is fate]
    if picture.listed.problem_code or STOPPED in words:
        return STOPPED
    if leaves and not picture.sealed:
        return PREPARED
    return next((word for word in (WAITS, NEXT) if word in words), WORDS[fate])


def arrived(picture: Picture, required: frozenset[str]) -> bool:
    """Say whether everything got where it goes; of a clip that a destination does not take, what was made of it."""
    went = [of_delivery(d) for d in _counted(picture, required) if d.code not in INSTEAD]
    return bool(went) and min(went) >= Fate.SENT


def _counted(picture: Picture, required: frozenset[str]) -> list[Delivery]:
    """Return the deliveries that decide: those to required destinations, or all if the clip goes to none of them.

    One that stands for something made of it, in whose place something else went, is none: the clip's says so.
    """
    decided = any(d.destination in required for d in picture.deliveries)
    known = [*picture.deliveries, *(d for d in picture.derived if d.code not in INSTEAD)]
    return [d for d in known if not decided or d.destination in required]
