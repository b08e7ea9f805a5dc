"""What keeps an archive from getting its pictures, in words for the delivery screen and with what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.clock import Clock
from gateway.config.settings import Destination
from gateway.model import Delivery, DeliveryState
from gateway.panel.shown import names
from gateway.spool.deliveries import AFTER_REBUILD, BY_PERSON, FILE_LOST, LOST_BY_ARCHIVE, Deliveries

AWAY, REFUSES, UNCONFIRMED = "NET-02", "PAC-01", "PAC-02"  # as the screens name them (docs/errors.md)
_OWN_WORDS = frozenset({AFTER_REBUILD, BY_PERSON, LOST_BY_ARCHIVE, *FILE_LOST})  # held, but nobody refused it
_PATIENCE = timedelta(hours=1)  # yellow for the first hour, then red
_IN_DETAILS = "It waits for a person: touch its exam, then Delivery, then Send."
_NO_HELP = "Trying again will not help as things are: call IT."
_BY_ITSELF = "It is tried again by itself; call IT if it lasts."


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """One archive that does not get its pictures."""

    name: str
    what: str
    count: int  # pictures that stay on this box for it
    action: str
    code: str
    bad: bool
    screen: str = ""  # the code of the screens; "" where `code` says more
    waits: bool = False  # its queue goes by itself once this is over


def troubles(
    *, deliveries: Deliveries, destinations: Sequence[Destination], forward: Mapping[str, Any] | None, clock: Clock
) -> list[Trouble]:
    """Return what is wrong, by destination: what a person must decide, then what is waited for.

    `forward`: what the forward process said of itself last, None when it is not there.
    """
    counts, stopped = deliveries.counts(), deliveries.stopped()
    said = {each["name"]: each for each in (forward or {}).get("destinations", [])}
    found = []
    for destination in destinations:
        name, medium = destination.name, destination.kind == "media"
        if first := deliveries.first_stopped(name):
            found.append(_held(first, stopped.get(name, 1), medium=medium))
        waiting = counts.get((name, DeliveryState.QUEUED), 0)
        state = said.get(name, {})
        if waiting and state.get("state") == "paused":
            found.append(_paused(name, state, waiting, clock, medium=medium))
        elif waiting and forward is None:
            found.append(_nobody(name, waiting))
        unproven, proof = counts.get((name, DeliveryState.SENT), 0), state.get("proof") or {}
        if unproven and proof.get("state", "ok") != "ok":
            found.append(_unconfirmed(name, proof, unproven))
    return found


def _held(first: Delivery, count: int, *, medium: bool) -> Trouble:
    by_person = first.code == BY_PERSON
    return Trouble(
        name=first.destination,
        what=first.reason,
        count=count,
        action=_IN_DETAILS if by_person else _NO_HELP,
        code=first.code,
        bad=not by_person,
        screen="" if medium or first.code in _OWN_WORDS else REFUSES,
    )


def _paused(name: str, state: Mapping[str, Any], count: int, clock: Clock, *, medium: bool) -> Trouble:
    since = datetime.fromisoformat(state["since"])
    local = names.clock_time(since.astimezone(clock.now().local.tzinfo))
    what = f"{state.get('what', 'It does not answer.')} Since {local}; next try in {state['next_attempt_in_s']} s."
    return Trouble(
        name=name,
        what=what,
        count=count,
        action=state.get("action") or _BY_ITSELF,
        code=state.get("code", ""),
        bad=clock.utc() - since > _PATIENCE,
        screen="" if medium else AWAY,
        waits=True,
    )


def _unconfirmed(name: str, proof: Mapping[str, Any], count: int) -> Trouble:
    """Never red: they are in both places as far as anybody knows, and the box keeps its own."""
    return Trouble(
        name=name,
        what=proof["what"],
        count=count,
        action=proof["action"],
        code=proof["code"],
        bad=False,
        screen=UNCONFIRMED,
    )


def _nobody(name: str, count: int) -> Trouble:
    what = "The delivery process does not run."
    action = "It starts again by itself; call service if it stays away."
    return Trouble(name=name, what=what, count=count, action=action, code="forward-gone", bad=True, waits=True)
