"""Builds what asks the destinations for proof, by keyword, and says how that goes. Contains no patient data."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.config.settings import Destination
from gateway.forward.patience import Pause
from gateway.forward.proving.commitment import Committer, opener
from gateway.forward.proving.finder import finder_of
from gateway.forward.proving.query import Querier
from gateway.forward.proving.reports import Reports
from gateway.net.commitment import Hear
from gateway.spool.spool import Spool

SILENT = "commitment-silent"


class Proving:
    """Every destination's storage commitment and queries.

    hear: takes reports of who calls us, None when nobody is asked; callers: AE titles and hosts that may report.
    """

    def __init__(
        self, *, spool: Spool, destinations: Sequence[Destination], our_ae: str, stop: threading.Event
    ) -> None:
        self._clock = spool.clock
        vouching = [each for each in destinations if each.commitment]
        entities = [each.entity(each.commitment) for each in vouching]
        self.callers = [(entity.ae_title, entity.host) for entity in entities if entity]
        reports = Reports(spool=spool, destinations=vouching)
        self.hear: Hear | None = reports.hear if vouching else None
        self.committers = {
            each.name: Committer(
                spool=spool,
                destination=each,
                open_way=opener(each, our_ae=our_ae),
                hear=reports.hear_from(each.name),
                stop=stop,
            )
            for each in vouching
        }
        self.queriers = {
            each.name: Querier(spool=spool, destination=each, finder=finder, stop=stop)
            for each in destinations
            if (finder := finder_of(each, our_ae=our_ae))
        }

    @property
    def steps(self) -> dict[str, Callable[[], bool]]:
        """What is to be repeated, by the name of its thread."""
        return {
            **{f"commit-{name}": committer.step for name, committer in self.committers.items()},
            **{f"query-{name}": querier.step for name, querier in self.queriers.items()},
        }

    def state(self, name: str) -> dict[str, Any]:
        """Return how it goes with one destination: ok, paused or silent, and why; nothing when it is not asked."""
        parts: list[Committer | Querier] = [
            part for part in (self.committers.get(name), self.queriers.get(name)) if part
        ]
        if not parts:
            return {}
        if pause := next((part.pause for part in parts if part.pause), None):
            return self._paused(pause)
        committer = self.committers.get(name)
        if committer and committer.silent_since_ns is not None:
            return _silent(name, committer.silent_since_ns)
        return {"state": "ok"}

    def _paused(self, pause: Pause) -> dict[str, Any]:
        error, left_s = pause.error, (pause.until_ns - self._clock.boottime_ns()) / 1e9
        return {
            "state": "paused",
            "code": error.code,
            "what": error.what,
            "action": error.action,
            "since": pause.since.utc.isoformat(),
            "next_attempt_in_s": round(max(0.0, left_s)),
        }


def _silent(name: str, since_ns: int) -> dict[str, Any]:
    return {
        "state": "silent",
        "code": SILENT,
        "what": f"The archive {name} took the pictures but does not confirm that it keeps them.",
        "action": "It is asked again by itself. Call IT: can the archive reach this box to report?",
        "since": datetime.fromtimestamp(since_ns / 1e9, UTC).isoformat(),
    }
