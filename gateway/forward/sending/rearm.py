"""What a start finds changed in the settings of its destinations, and what follows for their queues.

Only for the time before any sender runs.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence

from gateway.config.settings import Destination
from gateway.errors import NotFound
from gateway.forward.sending import outgoing
from gateway.log import event, warn
from gateway.spool.queue.deliveries import INSTEAD, WANTED
from gateway.spool.queue.destinations import Known
from gateway.spool.queue.whole_queues import peer_of
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
# Held for what a setting, here or there, may put right.
OF_SETTINGS = (
    *outgoing.OF_THE_FORM,
    "too-large",
    "not-authorized",
    "needs-configuration",
    *WANTED,
    *INSTEAD,
)


def rearm(spool: Spool, destinations: Sequence[Destination]) -> int:
    """Queue again, once, what was held for settings that changed since; return how many deliveries.

    What was taken in no form (`no-context`) is offered once more at every start: the other side's settings are not
    seen from here, and the question costs one association. For the same reason nothing waits for its next try any
    longer. A crash in the middle does it again, which is no harm.
    """
    return sum(_rearm(spool, destination) for destination in destinations)


def _rearm(spool: Spool, destination: Destination) -> int:
    name, peer, settings = destination.name, peer_of(destination), digest_of(destination)
    known = _known(spool, name)
    codes = OF_SETTINGS if known and known.settings != settings else (outgoing.NO_CONTEXT,)
    if known and known.settings != settings:
        spool.destinations.forget_forms(name)
    count = sum(spool.deliveries.release_all(code, destination=name) for code in codes)
    spool.deliveries.forget_waits(name)
    if known and known.peer != peer:
        # An answer of the new one says nothing about what the old one has: "duplicate" is no proof any more.
        spool.deliveries.forget_tries(name)
    now = spool.destinations.put(name, peer=peer, settings=settings)
    if known and known.peer != peer:
        warn(
            _log,
            "destination_replaced",
            destination=name,
            sent_to_the_one_before=spool.destinations.sent_to_others(name),
            waiting_for_the_new_one=spool.destinations.unsettled(name),
            generation=now.generation,
        )
    elif known and known.settings != settings:
        event(_log, "destination_settings_changed", destination=name, queued_again=count)
    return count


def digest_of(destination: Destination) -> str:
    """Return what changes with any of a destination's settings."""
    text = json.dumps(dataclasses.asdict(destination), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _known(spool: Spool, name: str) -> Known | None:
    try:
        return spool.destinations.get(name)
    except NotFound:
        return None
