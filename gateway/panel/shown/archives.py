"""What keeps an archive from getting its pictures, in words for the delivery screen and with what to do."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.clock import Clock
from gateway.config.settings import Destination
from gateway.model import UNSETTLED, Delivery, DeliveryState
from gateway.panel.shown import names, reasons, ways
from gateway.spool.queue import backlog
from gateway.spool.queue.backlog import Which
from gateway.spool.queue.deliveries import AFTER_REBUILD, BY_PERSON, FILE_LOST, LOST_BY_ARCHIVE
from gateway.spool.spool import Spool

AWAY, REFUSES, UNCONFIRMED = "NET-02", "PAC-01", "PAC-02"  # as the screens name them (docs/errors.md)
GONE, ORPHANED = "forward-gone", "destination-not-configured"
_OWN_WORDS = frozenset({AFTER_REBUILD, BY_PERSON, LOST_BY_ARCHIVE, *FILE_LOST})  # held, but nobody refused it
_PATIENCE = timedelta(hours=1)  # yellow for the first hour, then red
_IN_DETAILS = "It waits for a person: touch its exam, then Details, then Send."
_NO_HELP = "Trying again will not help as things are: call IT."
_BY_ITSELF = "It is tried again by itself; call IT if it lasts."


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """What keeps archives from their pictures: mostly one, all of them when nobody sends."""

    archives: tuple[str, ...]
    what: str
    count: int  # pictures that stay on this box for it
    action: str
    code: str
    bad: bool
    screen: str = ""  # the code of the screens; "" where `code` says more
    waits: bool = False  # its queue goes by itself once this is over
    partly: bool = False  # what else waits for it may go

    @property
    def name(self) -> str:
        """The archive's; "" when it is about all of them."""
        return self.archives[0] if len(self.archives) == 1 else ""


def troubles(
    *, spool: Spool, destinations: Sequence[Destination], forward: Mapping[str, Any] | None
) -> list[Trouble]:
    """Return what is wrong: that nobody sends, then by destination what a person must decide, what is waited for.

    `forward`: what the forward process said of itself last, None when it is not there.
    """
    said = {each["name"]: each for each in (forward or {}).get("destinations", [])}
    found = _nobody(spool, [each.name for each in destinations]) if forward is None else []
    for destination in destinations:
        found += _of(destination, spool, said.get(destination.name, {}), gone=forward is None)
    return [*found, *_orphaned(spool, [each.name for each in destinations])]


def away(troubles: Iterable[Trouble]) -> set[str]:
    """Return the archives that take nothing at present, as far as anybody knows."""
    return {name for each in troubles if each.waits and not each.partly for name in each.archives}


def of_exam(troubles: Iterable[Trouble], goes_to: frozenset[str], archives: frozenset[str]) -> list[Trouble]:
    """Return why an exam waits, the archives first. `goes_to`: the destinations that have not got all of it."""
    concern = [
        each for each in troubles if each.waits and not each.partly and not goes_to.isdisjoint(each.archives)
    ]
    return sorted(concern, key=lambda each: archives.isdisjoint(each.archives))


def _of(destination: Destination, spool: Spool, state: Mapping[str, Any], *, gone: bool) -> Iterator[Trouble]:
    name, medium = destination.name, destination.kind == "media"
    if first := spool.deliveries.first_stopped(name):
        yield _held(first, _waiting(spool, DeliveryState.HELD, name, stopped=True), medium=medium)
    waiting = _waiting(spool, DeliveryState.QUEUED, name)
    paused = state.get("state") == "paused"
    if paused and not medium:  # what is still made for it waits as well, as the badge counts it
        waiting += backlog.preparing(spool)
    if waiting and paused:
        yield _paused(name, state, waiting, spool.clock, medium=medium)
    elif not gone and not medium and (tried := spool.deliveries.first_tried(name)):
        yield _set_back(tried, _waiting(spool, DeliveryState.QUEUED, name, tried=True), spool.clock)
    proof = state.get("proof") or {}
    if proof.get("state", "ok") != "ok" and (unproven := _waiting(spool, DeliveryState.SENT, name)):
        yield _unconfirmed(name, proof, unproven)


def _waiting(spool: Spool, state: DeliveryState, name: str, *, stopped: bool = False, tried: bool = False) -> int:
    which = Which(state=state, to=(name,), stopped=stopped, tried=tried)
    return backlog.counted(spool, which).pictures


def _held(first: Delivery, count: int, *, medium: bool) -> Trouble:
    by_person = first.code == BY_PERSON
    return Trouble(
        archives=(first.destination,),
        what=first.reason if medium else reasons.of_delivery(first),
        count=count,
        action=_IN_DETAILS if by_person else _NO_HELP,
        code=first.code,
        bad=not by_person,
        screen="" if medium or first.code in _OWN_WORDS else REFUSES,
    )


def _paused(name: str, state: Mapping[str, Any], count: int, clock: Clock, *, medium: bool) -> Trouble:
    since = datetime.fromisoformat(state["since"])
    local = names.clock_time(since.astimezone(clock.now().local.tzinfo))
    said = str(state.get("what", "It does not answer."))
    plain = said if medium else reasons.plain(state.get("code", ""), name, said)
    what = f"{plain} Since {local}; next try in {state['next_attempt_in_s']} s."
    if not state.get("bytes_per_s"):  # it took nothing since forward started: how it was before nobody knows
        what = f"{plain} At least since {local}; next try in {state['next_attempt_in_s']} s."
    return Trouble(
        archives=(name,),
        what=what,
        count=count,
        action=(medium and state.get("action")) or _BY_ITSELF,
        code=state.get("code", ""),
        bad=clock.utc() - since > _PATIENCE,
        screen="" if medium else AWAY,
        waits=True,
    )


def _set_back(first: Delivery, count: int, clock: Clock) -> Trouble:
    """Say why some wait though others may go: the archive answered so about them, or failed a moment ago."""
    again = ways.moment(first.next_attempt_ns, clock)
    return Trouble(
        archives=(first.destination,),
        what=f"{reasons.of_delivery(first)} Next try {again}.",
        count=count,
        action=_BY_ITSELF,
        code=first.code,
        bad=False,
        waits=True,
        partly=True,
    )


def _unconfirmed(name: str, proof: Mapping[str, Any], count: int) -> Trouble:
    """Never red: they are in both places as far as anybody knows, and the box keeps its own."""
    return Trouble(
        archives=(name,),
        what=proof["what"],
        count=count,
        action=proof["action"],
        code=proof["code"],
        bad=False,
        screen=UNCONFIRMED,
    )


def _nobody(spool: Spool, names: Sequence[str]) -> list[Trouble]:
    """Say that nothing is sent, if there is something to send."""
    if not names:
        return []
    waiting = backlog.counted(spool, Which(state=DeliveryState.QUEUED, to=names)).pictures
    count = waiting + backlog.preparing(spool)
    what = "The delivery process does not run."
    action = "It starts again by itself; call service if it stays away."
    gone = Trouble(archives=tuple(names), what=what, count=count, action=action, code=GONE, bad=True, waits=True)
    return [gone] if count else []


def _orphaned(spool: Spool, configured: Collection[str]) -> Iterator[Trouble]:
    """Name the destinations that left the configuration with a queue: nobody sends it."""
    for name in sorted({name for name, state in spool.deliveries.counts() if state in UNSETTLED} - set(configured)):
        queued = Which(state=DeliveryState.QUEUED, to=(name,))
        held = Which(state=DeliveryState.HELD, to=(name,), stopped=True)
        if count := backlog.counted(spool, queued, held).pictures:
            yield Trouble(
                archives=(name,),
                what=f"{name} is not set up any more, and pictures wait for it.",
                count=count,
                action="Call IT: set it up again, or move its pictures to another archive.",
                code=ORPHANED,
                bad=True,
            )
