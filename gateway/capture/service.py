"""The capture process: builds its parts by keyword and starts their threads, ordered start, supervised life."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway import wire
from gateway.capture.clips import Clips
from gateway.capture.grabber import Grabber
from gateway.capture.moment import Moments
from gateway.capture.pedals import Pedal
from gateway.capture.presses import Presses
from gateway.capture.preview import Preview
from gateway.capture.recorder import Recorder
from gateway.capture.ring import Ring
from gateway.capture.server import Desk, Server
from gateway.capture.status import Status
from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.config.settings import Source as SourceSettings
from gateway.config.settings import Trigger as TriggerSettings
from gateway.log import event
from gateway.spool import locks, recovery
from gateway.spool.files import Files
from gateway.spool.live import LiveState
from gateway.spool.opening import open_spool
from gateway.spool.paths import Layout
from gateway.spool.spool import Spool
from gateway.threads import Supervisor
from hardware.indicators import Indicator
from hardware.sources import Source
from hardware.triggers import Trigger

_log = logging.getLogger(__name__)
_MB = 1024 * 1024
_WORKERS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Devices:
    """How the composition root makes devices from the configuration's words."""

    source: Callable[[SourceSettings], Source]
    trigger: Callable[[TriggerSettings], Trigger]
    indicator: Indicator


def run(
    settings: Settings, *, clock: Clock, supervisor: Supervisor, devices: Devices, files: Files | None = None
) -> bool:
    """Capture until stopped; False when a thread died. Raises SpoolError when the spool cannot be opened."""
    data_dir = settings.station.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    settings.station.runtime_dir.mkdir(parents=True, exist_ok=True)
    with locks.role(Layout(data_dir), "capture"):
        names = [destination.name for destination in settings.destinations]
        spool = open_spool(data_dir, clock=clock, files=files, destinations=names)
        recovery.question_after_reboot(spool)
        recovery.recover_captures(spool)
        start_counter = next_start(spool.files, data_dir / "capture.start")
        _start(_build(settings, spool, devices, start_counter), settings, spool, supervisor)
        event(_log, "capture_started", sources=len(settings.sources), start=start_counter)
        try:
            return supervisor.run()
        finally:
            spool.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """The process as built, before any of its threads runs."""

    grabbers: dict[str, Grabber]
    recorder: Recorder
    clips: Clips
    pedals: list[Pedal]
    status: Status
    desk: Desk


def _build(settings: Settings, spool: Spool, devices: Devices, start_counter: int) -> _Parts:
    clock = spool.clock
    grabbers = {
        source.name: Grabber(
            settings=source,
            source=devices.source(source),
            ring=Ring(start_counter=start_counter, budget_bytes=source.ring_mb * _MB),
            clock=clock,
        )
        for source in settings.sources
    }
    recorder = Recorder(spool=spool)
    clips = Clips(spool=spool, recorder=recorder, clock=clock)
    presses = Presses(
        spool=spool,
        moments=Moments(spool=spool, grabbers=grabbers, clock=clock),
        recorder=recorder,
        clips=clips,
        indicator=devices.indicator,
        station=settings.station,
        clock=clock,
    )
    pedals = [
        Pedal(
            name=f"{trigger.kind}-{number}",
            trigger=devices.trigger(trigger),
            source=trigger.source,
            presses=presses,
            clock=clock,
        )
        for number, trigger in enumerate(settings.triggers, 1)
    ]
    status = Status(
        spool=spool,
        grabbers=grabbers,
        pedals=pedals,
        presses=presses,
        clips=clips,
        recorder=recorder,
        clock=clock,
    )
    previews = {name: Preview(ring=grabber.ring) for name, grabber in grabbers.items()}
    desk = Desk(presses=presses, recorder=recorder, previews=previews, status=status, start_counter=start_counter)
    return _Parts(grabbers=grabbers, recorder=recorder, clips=clips, pedals=pedals, status=status, desk=desk)


def _start(parts: _Parts, settings: Settings, spool: Spool, supervisor: Supervisor) -> None:
    """Start storing first, then the sources, then whatever can press."""
    stop, runtime_dir = supervisor.stop, settings.station.runtime_dir
    live = LiveState(folder=runtime_dir, process="capture", files=spool.files, clock=spool.clock)

    def tidy() -> None:
        parts.recorder.write_rows()
        parts.clips.retry_unclosed()
        live.write(parts.status.state())

    for number in range(_WORKERS):
        supervisor.start(f"store-{number + 1}", partial(parts.recorder.work, stop))
    supervisor.every("tidy", 1.0, tidy)
    for name, grabber in parts.grabbers.items():
        supervisor.start(f"source-{name}", partial(grabber.run, stop))
        supervisor.start(f"clip-{name}", partial(parts.clips.work, name, stop))
    for pedal in parts.pedals:
        supervisor.start(f"{pedal.name}-read", partial(pedal.listen, stop))
        supervisor.start(f"{pedal.name}-act", partial(pedal.act, stop))
    server = Server(path=runtime_dir / wire.SOCKET_NAME, desk=parts.desk, supervisor=supervisor)
    supervisor.start("socket", server.run)


def next_start(files: Files, path: Path) -> int:
    """Return how often capture was started, durably counted: frame sequences are never reused."""
    try:
        counter = int(path.read_text()) + 1
    except (FileNotFoundError, ValueError):
        counter = 1
    files.write(path, [f"{counter}\n".encode()])
    return counter
