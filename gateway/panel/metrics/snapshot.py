"""All numbers of the box as one text, made at most every few seconds however often it is asked for."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.config.settings import Settings
from gateway.config.told import FOLDER, told
from gateway.errors import SpoolError
from gateway.panel.metrics import machine, queues
from gateway.panel.metrics.families import Family, gauge
from gateway.panel.shown import forecast
from gateway.spool.disk.wear import SUBJECT
from gateway.spool.processes.live import LiveState
from gateway.spool.queue import backlog
from gateway.spool.spool import Spool

_KEPT_S = 5.0
_MEASURED_S = 300.0  # what reads every picture's record
_DAY_S = 86_400


class Snapshot(Collector):
    """Blocks for a few reads of the index and of files: runs in a thread."""

    def __init__(
        self, *, spool: Spool, settings: Settings, live: Mapping[str, LiveState], says: Path = FOLDER
    ) -> None:
        """`says`: where root of an appliance says how its disk is."""
        self._spool = spool
        self._settings = settings
        self._live = live
        self._says = says
        self._lock = threading.Lock()
        self._text, self._text_ns = b"", 0
        self._measured: list[Family] = []
        self._measured_ns = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the numbers in Prometheus' text format, which are at most `_KEPT_S` old."""
        with self._lock:
            if not self._text or self._age_s(self._text_ns) >= _KEPT_S:
                self._text = generate_latest(self._registry)
                self._text_ns = self._spool.clock.boottime_ns()
            return self._text

    def collect(self) -> Iterator[Metric]:
        """Yield each family. An index that cannot be read takes its own numbers away, no others."""
        yield InfoMetricFamily("scopegate", "What runs here.", value={"version": __version__})
        capture, forward = self._live["capture"].read(), self._live["forward"].read()
        yield from machine.processes(self._live, self._spool.clock)
        yield from machine.sources(self._settings, capture)
        yield from machine.machine(capture)
        yield from machine.disk(self._spool)
        yield from machine.disk_life(told(SUBJECT, self._says))
        yield from machine.time_of_day(self._spool.clock)
        yield from queues.certificates(self._settings)
        yield from queues.audit_messages(forward)
        try:
            found = [
                *queues.destinations(self._settings, self._spool, forward),
                *queues.worklists(self._settings, self._spool),
                *queues.step_messages(self._settings, self._spool),
                *queues.exams(self._spool),
                *self._slowly(),
            ]
        except SpoolError:
            found = []
        yield gauge(
            "index_readable", "0 when the index cannot be read: what is counted there is missing.", bool(found)
        )
        yield from found

    def _slowly(self) -> list[Family]:
        """Return what takes long to count, as it was some minutes ago."""
        if not self._measured or self._age_s(self._measured_ns) >= _MEASURED_S:
            self._measured = list(self._measure())
            self._measured_ns = self._spool.clock.boottime_ns()
        return self._measured

    def _measure(self) -> Iterator[Family]:
        pictures, taken = backlog.kept(self._spool)
        yield gauge("pictures", "Pictures on this box.", pictures)
        yield gauge("pictures_bytes", "What they take, as recorded.", taken)
        today = self._spool.clock.now().local.date()
        seen = forecast.disk(self._spool, self._spool.space.room(), today)
        yield gauge("disk_fill_bytes_per_day", "What pictures took a day, lately.", seen.daily)
        if seen.days is not None:
            help_ = "Until the disk is full, filled as lately while nothing is let go."
            yield gauge("disk_full_in_seconds", help_, seen.days * _DAY_S)

    def _age_s(self, since_ns: int) -> float:
        return (self._spool.clock.boottime_ns() - since_ns) / 1e9
