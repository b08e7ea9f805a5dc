"""The ways of an exam's pictures: each object to each destination, as its details show them. Changes nothing."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.clock import Clock
from gateway.config.settings import Destination
from gateway.model import Delivery, DeliveryState
from gateway.panel.shown import fates, names, reasons
from gateway.spool.pictures import Picture
from gateway.spool.queue.deliveries import QUIET

_SAYS_NOTHING = ("", "0000")  # the status of what went well (PS3.7 C.1.1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One object on its way to one destination. `may`: what a person can do, "hold", "release" or nothing."""

    delivery: int  # its id; 0 = there is none yet
    number: int  # of the picture; 0 = it is a list of key images
    made: bool  # of what was made of a clip
    mark: str
    word: str
    plain: str = ""  # the last answer in plain words, where those are others
    reason: str = ""  # the last answer, word by word
    uid: str = ""  # of the object that is on its way
    codes: str = ""  # the stable code and the status of the last answer
    tries: int = 0
    since: str = ""  # when that became so, local
    again: str = ""  # when it is tried again, local
    may: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One destination and what goes there. `peer`: for IT, its title and address or its folder."""

    name: str
    peer: str
    ways: tuple[Way, ...]
    plain: str = ""  # the last answer about all of them, when it was the same: it stands once
    said: str = ""  # the same word by word


def of_pictures(
    pictures: Sequence[Picture],
    destinations: Sequence[Destination],
    clock: Clock,
    *,
    lists: Sequence[Delivery] = (),
    away: Container[str] = (),
) -> list[Place]:
    """Return where an exam's pictures go, in the order of the configuration; what it lost of its queues last.

    `lists`: the deliveries of its lists of key images, which come after the pictures; `away`: archives that take
    nothing at present.
    """
    kept = [each for each in pictures if not each.removed]
    going: list[tuple[Picture | None, Delivery]]
    going = [(each, delivery) for each in kept for delivery in each.all_deliveries]
    going += [(None, delivery) for delivery in lists]
    peers = {each.name: _peer(each) for each in destinations}
    found = []
    for name in dict.fromkeys([*peers, *(delivery.destination for _, delivery in going)]):
        ways = [_way(picture, delivery, clock, away) for picture, delivery in going if delivery.destination == name]
        if ways:
            found.append(_place(name, peers.get(name, ""), ways))
    return found


def _place(name: str, peer: str, ways: Sequence[Way]) -> Place:
    said = reasons.shared([each.reason for each in ways])
    each = [replace(way, plain="", reason="") for way in ways] if said else ways
    return Place(name=name, peer=peer, ways=tuple(each), plain=ways[0].plain if said else "", said=said)


def unmade(pictures: Sequence[Picture]) -> list[Way]:
    """Return the pictures that go nowhere yet, because their DICOM objects are not made or cannot be."""
    return [
        Way(
            delivery=0,
            number=each.capture.instance_number,
            made=False,
            mark="bad" if each.listed.problem_code else "going",
            word=fates.STOPPED if each.listed.problem_code else fates.PREPARED,
            reason=each.listed.problem,
            codes=each.listed.problem_code,
        )
        for each in pictures
        if not each.removed and not each.sealed and not each.listed.purged
    ]


def _way(picture: Picture | None, delivery: Delivery, clock: Clock, away: Container[str]) -> Way:
    plain = reasons.of_delivery(delivery)
    return Way(
        delivery=delivery.id,
        uid=delivery.sop_instance_uid,
        number=picture.capture.instance_number if picture else 0,
        made=picture is not None and delivery in picture.derived,
        mark=_mark(delivery),
        word=fates.word_of_delivery(delivery, away),
        plain="" if plain == delivery.reason else plain,
        reason=delivery.reason,
        codes=" ".join(each for each in (delivery.code, delivery.status) if each not in _SAYS_NOTHING),
        tries=delivery.attempts,
        since=moment(delivery.changed_ns, clock),
        again=_again(delivery, clock),
        may=_may(delivery),
    )


def _mark(delivery: Delivery) -> str:
    if delivery.state is DeliveryState.HELD:
        return "none" if delivery.code in QUIET else "bad"
    if delivery.state is DeliveryState.QUEUED:
        return "warn" if delivery.attempts else "going"
    return "going" if delivery.state is DeliveryState.SENDING else "ok"


def _may(delivery: Delivery) -> str:
    """Return what a person can do with it: what goes by itself can be held back, what is held can be let go."""
    if delivery.state is DeliveryState.QUEUED:
        return "hold"
    return "release" if delivery.state is DeliveryState.HELD and delivery.code not in QUIET else ""


def _again(delivery: Delivery, clock: Clock) -> str:
    waits = delivery.state is DeliveryState.QUEUED and delivery.next_attempt_ns > clock.utc_ns()
    return moment(delivery.next_attempt_ns, clock) if waits else ""


def _peer(destination: Destination) -> str:
    if destination.kind == "media":
        return str(destination.folder)
    if destination.kind == "stow":
        return destination.url
    return f"{destination.ae_title} · {destination.host}:{destination.port}"


def moment(utc_ns: int, clock: Clock) -> str:
    """Return a time as people here read it: of another day with the day. "" for 0, which means never."""
    if not utc_ns:
        return ""
    now = clock.now().local
    local = datetime.fromtimestamp(utc_ns / 1e9, UTC).astimezone(now.tzinfo)
    return names.clock_time_of_day(local, now.date())
