"""The words for what became of a picture, and no others: a technician must be able to trust each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import IntEnum

from gateway.model import Delivery, DeliveryState
from gateway.spool.deliveries import QUIET


class Fate(IntEnum):
    """How far a picture got; the lowest of several destinations counts."""

    ON_THIS_BOX = 0
    SENDING = 1
    SENT = 2
    FOUND = 3  # the archive was asked and has it
    SAFE = 4  # the archive took responsibility for it


WORDS = {
    Fate.ON_THIS_BOX: "On this box",
    Fate.SENDING: "Sending",
    Fate.SENT: "Sent",
    Fate.FOUND: "Found in PACS",
    Fate.SAFE: "Safe in PACS",
}
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


def instead(deliveries: Iterable[Delivery], derived: Sequence[Delivery]) -> list[Delivery]:
    """Return an object's deliveries, with those of what was made of it in place of each to where that went instead.

    None of them counts as more than sent: who vouches for some stills does not vouch for the clip.
    """
    found: list[Delivery] = []
    for each in deliveries:
        others = [d for d in derived if d.destination == each.destination and d.code not in QUIET]
        others = others if each.code in QUIET else []
        found += [_at_most_sent(other) for other in others] or [each]
    return found


def _at_most_sent(delivery: Delivery) -> Delivery:
    committed = delivery.state is DeliveryState.COMMITTED
    return replace(delivery, state=DeliveryState.SENT, proof="") if committed else delivery


def of_deliveries(deliveries: Iterable[Delivery], required: frozenset[str]) -> Fate:
    """Return the fate of one picture: its required destinations decide, or all when none of them is required."""
    known = list(deliveries)
    counted = [d for d in known if d.destination in required] or known
    return min((of_delivery(d) for d in counted), default=Fate.ON_THIS_BOX)
