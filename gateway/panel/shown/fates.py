"""The words for what became of a picture, and no others: a technician must be able to trust each of them."""

from enum import IntEnum

from gateway.messages import N_
from gateway.model import Delivery, DeliveryState
from gateway.spool.deliveries import INSTEAD
from gateway.spool.pictures import Picture


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
