"""The capture process: puts the spool right, starts the threads in order, lives until one of them dies."""

import logging
from functools import partial
from pathlib import Path

from gateway import wire
from gateway.capture.parts import Devices, Parts, build
from gateway.capture.plugs import note_plugs
from gateway.capture.server import Server
from gateway.capture.stuck import end_when_stuck
from gateway.capture.traces import Traces
from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import SpoolError
from gateway.log import event, warn
from gateway.spool.files import Files
from gateway.spool.opening import keep_index, open_spool
from gateway.spool.paths import Layout
from gateway.spool.processes import locks
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.patience import insist
from gateway.spool.processes.taking import Taking
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.exams import question_after_reboot
from gateway.spool.spool import Spool
from gateway.threads import Supervisor

__all__ = ["Devices", "next_start", "run"]
_log = logging.getLogger(__name__)
_WORKERS = 2
_ALARM_S = 2.0  # between two tries of a disk that refused
_LISTENS_S = 5.0  # at most, until the socket takes connections; a socket that fails ends the process by itself
_LOOK_S = 0.5  # between two looks at what a source shows, and at what is ahead of a clip
_DUE_S = 0.2  # between two looks for answers that are late
_LONGEST_S = 60.0  # what a person waits for may stand still so long, and no longer
_STUCK_CHECK_S = 1.0
_HEAT_S = 1.0
_TAKING_S = 1.0
_TRACES_S = 60.0
_STARTS = 1 << 21  # start counters fit with 32 bits of frames into 53


def run(
    settings: Settings,
    *,
    clock: Clock,
    supervisor: Supervisor,
    devices: Devices,
    files: Files | None = None,
    taking: Taking | None = None,
) -> bool:
    """Capture until stopped, or until a changed configuration is to be taken; False when a thread died.

    Raises SpoolLocked or SpoolDamaged. A disk that refuses is waited for, and the live state says so.
    """
    data_dir = settings.station.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    settings.station.runtime_dir.mkdir(parents=True, exist_ok=True)
    live = LiveState(folder=settings.station.runtime_dir, process="capture", files=files or Files(), clock=clock)
    with locks.role(Layout(data_dir), "capture"):
        live.begin(taking.revision if taking else "")
        spool = insist(
            partial(_opened, settings, clock, files),
            stopped=supervisor.stop.is_set,
            say=live.waits,
            wait=partial(clock.wait, supervisor.stop),
        )
        if spool is None:
            return supervisor.run()
        start_counter = next_start(spool, data_dir / "capture.start")
        parts = build(settings, spool, devices, start_counter)
        _start(parts, settings, live, supervisor)
        _look_after(settings, spool, parts=parts, supervisor=supervisor, devices=devices, live=live, taking=taking)
        event(_log, "capture_started", sources=len(settings.sources), start=start_counter)
        try:
            return supervisor.run()
        finally:
            spool.close()


def _look_after(
    settings: Settings,
    spool: Spool,
    *,
    parts: Parts,
    supervisor: Supervisor,
    devices: Devices,
    live: LiveState,
    taking: Taking | None,
) -> None:
    """Start what is beside storing: what is plugged in, the index, a changed configuration."""
    rests = partial(_rests, parts, spool)
    if taking:
        supervisor.every("settings", _TAKING_S, partial(taking.step, rests, supervisor.stop.set, live.takes))
    if devices.hotplug:
        supervisor.start("hotplug", partial(note_plugs, devices.hotplug, supervisor.stop))
    supervisor.every("index", 1.0, partial(keep_index, spool, settings.destinations))
    supervisor.every("traces", _TRACES_S, Traces(spool, rests).step)


def _rests(parts: Parts, spool: Spool) -> bool:
    """Say whether this process can start anew: no exam is open, and nothing is being stored."""
    if parts.recorder.pending or parts.recorder.without_row() or parts.clips.running():
        return False
    return spool.exams.open_one() is None


def _opened(settings: Settings, clock: Clock, files: Files | None) -> Spool:
    """Return the spool, put right. Raises SpoolError."""
    spool = open_spool(
        settings.station.data_dir,
        clock=clock,
        files=files,
        destinations=settings.destinations,
        reserve_mb=settings.retention.reserve_mb,
    )
    try:
        question_after_reboot(spool)
        recover_captures(spool)
    except SpoolError:
        spool.close()
        raise
    return spool


def _start(parts: Parts, settings: Settings, live: LiveState, supervisor: Supervisor) -> None:
    """Start storing first, then the sources, then what answers, then whatever can press."""
    stop = supervisor.stop
    for number in range(_WORKERS):
        supervisor.start(f"store-{number + 1}", partial(parts.recorder.work, stop))
    supervisor.every("rows", 1.0, parts.recorder.write_rows)
    supervisor.every("leftovers", 1.0, parts.clips.close_leftovers)
    supervisor.every("ends-soon", _LOOK_S, parts.foreseen.step)
    supervisor.every("alarm", _ALARM_S, parts.recorder.alarm.step)
    supervisor.every("due", _DUE_S, parts.due.step, longest_s=_LONGEST_S)
    supervisor.every("heat", _HEAT_S, parts.heat.step)
    supervisor.every("bench", _LOOK_S, parts.desk.bench.step)
    supervisor.every("stuck", _STUCK_CHECK_S, partial(end_when_stuck, parts.grabbers))
    for name, grabber in parts.grabbers.items():
        supervisor.start(f"source-{name}", partial(grabber.run, stop))
        supervisor.every(f"look-{name}", _LOOK_S, grabber.watch.step)
        supervisor.start(f"clip-{name}", partial(parts.clips.work, name, stop))
    for sign in parts.signs:
        supervisor.start(f"{sign.name}-show", partial(sign.work, stop))
    for name, prerecord in parts.prerecords.items():
        supervisor.start(f"before-{name}", partial(prerecord.work, stop))
    for pedal in parts.pedals:
        supervisor.start(f"{pedal.name}-read", partial(pedal.listen, stop))
        supervisor.start(f"{pedal.name}-act", partial(pedal.act, stop))
    server = Server(path=settings.station.runtime_dir / wire.SOCKET_NAME, desk=parts.desk, supervisor=supervisor)
    supervisor.start("socket", server.run)
    server.listening.wait(_LISTENS_S)  # who reads below that capture is there calls it at once
    supervisor.every("live", 1.0, lambda: live.write(parts.status.state()), longest_s=_LONGEST_S)


def next_start(spool: Spool, path: Path) -> int:
    """Return how often capture was started, durably counted: frame sequences are never reused.

    Without a count that can be read and written it is a random number from the upper half: a damaged file or a
    full disk is no reason to give a frame the sequence of another one, nor to have no pictures.
    """
    try:
        counter = (int(path.read_text()) + 1) % _STARTS
    except FileNotFoundError:
        counter = 1
    except (OSError, ValueError):
        counter = _unlikely(spool.clock)
    try:
        spool.files.write(path, [f"{counter}\n".encode()])
    except SpoolError as error:
        warn(_log, "start_not_counted", code=error.code)
        return _unlikely(spool.clock)
    return counter


def _unlikely(clock: Clock) -> int:
    return _STARTS // 2 + int(clock.token(5), 16)
