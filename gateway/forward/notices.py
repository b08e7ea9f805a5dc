"""What somebody should know of the queues: peers that are not configured any more, archives replaced."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.clock import Clock
from gateway.errors import NotFound, SpoolError
from gateway.log import warn
from gateway.spool.queue.destinations import Destinations
from gateway.spool.steps import Steps

_log = logging.getLogger(__name__)
_EVERY_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """`orphans`: name of a destination that is not configured any more -> what waits for it; `servers`: the same of
    procedure step servers. `elsewhere`: name of a configured one -> how many objects only its predecessor got.
    """

    orphans: dict[str, int] = field(default_factory=dict)
    servers: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)


class Notices:
    """Looks now and then; a person may have settled it meanwhile."""

    def __init__(
        self,
        *,
        destinations: Destinations,
        configured: Sequence[str],
        steps: Steps,
        servers: Sequence[str],
        clock: Clock,
    ) -> None:
        self._destinations = destinations
        self._configured = configured
        self._steps = steps
        self._servers = servers
        self._clock = clock
        self._lock = threading.Lock()
        self._due_ns = 0
        self._settled: set[str] = set()  # what was never, or is no longer, elsewhere costs no further look
        self._found = Found()

    def look(self) -> Found:
        """Return what was found last, at most half a minute ago. An index in trouble leaves it as it was."""
        with self._lock:
            if self._clock.boottime_ns() >= self._due_ns:
                self._due_ns = self._clock.boottime_ns() + int(_EVERY_S * 1e9)
                try:
                    self._found = Found(
                        orphans=self._orphans(), servers=self._orphan_messages(), elsewhere=self._elsewhere()
                    )
                except SpoolError as error:
                    warn(_log, "notices_not_read", code=error.code)
            return self._found

    def _orphans(self) -> dict[str, int]:
        found = self._destinations.orphans(self._configured)
        for name in _news(found, self._found.orphans):
            warn(_log, "destination_not_configured", destination=name, waiting=found[name])
        return found

    def _orphan_messages(self) -> dict[str, int]:
        found = self._steps.orphans(self._servers)
        for name in _news(found, self._found.servers):
            warn(_log, "step_server_not_configured", server=name, waiting=found[name])
        return found

    def _elsewhere(self) -> dict[str, int]:
        found = {}
        for name in self._configured:
            if name not in self._settled and self._replaced(name):
                found[name] = self._destinations.sent_to_others(name)
            if not found.get(name):
                self._settled.add(name)
        return {name: count for name, count in found.items() if count}

    def _replaced(self, name: str) -> bool:
        try:
            return self._destinations.get(name).generation > 0
        except NotFound:
            return False


def _news(found: Mapping[str, int], known: Mapping[str, int]) -> list[str]:
    return sorted(found.keys() - known.keys())
