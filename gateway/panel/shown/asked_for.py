"""What somebody is answered who wants that everything is tried at once. Looks; changes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.config.settings import Destination
from gateway.messages import N_
from gateway.model import DeliveryState
from gateway.panel.shown import archives, badge
from gateway.spool.queue import backlog
from gateway.spool.queue.backlog import Which
from gateway.spool.spool import Spool


def answer(spool: Spool, destinations: Sequence[Destination], forward: Mapping[str, Any] | None) -> str:
    """Return what happens now that everything that waits for these destinations is asked for.

    `forward`: what it said of itself last, None when it is not there.
    """
    wanted = [each.name for each in destinations if each.kind != "media"]
    count = _queued(spool, wanted)
    if not count:
        return _nothing(spool, destinations)
    if forward is None:
        return N_(f"Asked for. Pictures that are tried as soon as the delivery process runs again: {count}.")
    away = archives.away(archives.troubles(spool=spool, destinations=destinations, forward=forward))
    silent = [name for name in wanted if name in away]
    if not silent:
        return N_(f"Asked for. Pictures that are tried again now: {count}.")
    name = ", ".join(silent)
    return N_(
        f"Asked for. Pictures that are tried again now: {count}. "
        f"Whether {name} takes them is seen here within a minute."
    )


def _nothing(spool: Spool, destinations: Sequence[Destination]) -> str:
    if any(each.kind != "media" for each in destinations) and (count := backlog.preparing(spool)):
        return N_(f"Nothing waits for its next try. Being prepared, and sent by themselves: {count}.")
    if count := badge.stopped(spool, [each.name for each in destinations]):
        return N_(f"Nothing waits for its next try. Stopped: {count}: touch an exam, then Details.")
    if count := _queued(spool, [each.name for each in destinations if each.kind == "media"]):
        return N_(f"Nothing waits for an archive. For the stick: {count}: plug it in.")
    return N_("Nothing waits to be sent.")


def _queued(spool: Spool, names: Sequence[str]) -> int:
    return backlog.counted(spool, Which(state=DeliveryState.QUEUED, to=names)).pictures if names else 0
