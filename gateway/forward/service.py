"""The forward process: takes up what its predecessor left, starts its threads, lives until one of them dies."""

import logging
import threading
from collections.abc import Callable
from functools import partial

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import SpoolError
from gateway.forward import noting, parts
from gateway.forward.keeping import day
from gateway.forward.sending import rearm
from gateway.log import event
from gateway.spool.files import Files
from gateway.spool.opening import keep_index, open_spool
from gateway.spool.paths import Layout
from gateway.spool.processes import locks
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.patience import insist
from gateway.spool.processes.taking import Others, Taking, Wish
from gateway.spool.purging import Purging
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from gateway.threads import Supervisor

_log = logging.getLogger(__name__)
_TAKING_S = 1.0


def run(settings: Settings, *, clock: Clock, supervisor: Supervisor, taking: Taking | None = None) -> bool:
    """Forward until stopped, or until a changed configuration is to be taken; False when a thread died.

    Raises SpoolLocked or SpoolDamaged. A disk that refuses is waited for, and the live state says so.
    """
    data_dir = settings.station.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    settings.station.runtime_dir.mkdir(parents=True, exist_ok=True)
    live = LiveState(folder=settings.station.runtime_dir, process="forward", files=Files(), clock=clock)
    with locks.role(Layout(data_dir), "forward"):
        live.begin(taking.revision if taking else "")
        spool = insist(
            partial(_opened, settings, clock),
            stopped=supervisor.stop.is_set,
            say=live.waits,
            wait=partial(clock.wait, supervisor.stop),
        )
        if spool is None:
            return supervisor.run()
        try:
            _start(settings, spool, supervisor, live, taking)
            supervisor.every("index", 1.0, partial(keep_index, spool, settings.destinations))
            counts = {"destinations": len(settings.destinations), "worklists": len(settings.worklists)}
            event(_log, "forward_started", **counts)
            noting.note(spool, "forward-started")
            return supervisor.run()
        finally:
            noting.note(spool, "forward-stopped")
            spool.close()


def _opened(settings: Settings, clock: Clock) -> Spool:
    """Return the spool, with what a predecessor left taken up. Raises SpoolError."""
    spool = open_spool(
        settings.station.data_dir,
        clock=clock,
        destinations=settings.destinations,
        checkpoints=True,
        reserve_mb=settings.retention.reserve_mb,
        anew=False,  # as the panel: this process has room for pictures, not for an index of some years
    )
    try:
        _recover(settings, spool)
    except SpoolError:
        spool.close()
        raise
    return spool


def _recover(settings: Settings, spool: Spool) -> None:
    """Take up what a predecessor left, before any thread runs."""
    spool.deliveries.forget_leases()
    spool.steps.forget_leases()
    spool.requests.forget_running()
    rearmed = rearm.rearm(spool, settings.destinations)
    spool.releases.reconcile()
    retried = spool.captures.clear_problems()
    spool.worklist.keep_only([server.name for server in settings.worklists])
    adopt_seals(spool, settings.destinations)
    Purging(spool).take_up()
    if any(each.query for each in settings.destinations):
        day.catch_up(spool, spool.clock.now().local.date())
    event(_log, "recovered", deliveries_rearmed=rearmed, captures_tried_again=retried)


def _start(
    settings: Settings, spool: Spool, supervisor: Supervisor, live: LiveState, taking: Taking | None
) -> None:
    rest = Rest(supervisor.stop)
    built = parts.build(settings, spool, supervisor.stop, rest)
    supervisor.every("live", 1.0, lambda: live.write(built.status.state()))
    supervisor.start("listener", partial(built.listener.serve, supervisor.stop))
    for name, follower in built.followers.items():
        supervisor.start(name, follower.run)
    if taking:
        rests = Resting(taking=taking, settings=settings, spool=spool, built=built, rest=rest, live=live)
        supervisor.every("settings", _TAKING_S, partial(rests.step, supervisor.stop.set))


class Rest(threading.Event):
    """Set when nothing new is to be begun: by itself, and with the end of the process."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop

    def is_set(self) -> bool:
        return super().is_set() or self._stop.is_set()


class Resting:
    """Lets this process come to rest behind what it is doing, when capture has a changed configuration already."""

    def __init__(
        self,
        *,
        taking: Taking,
        settings: Settings,
        spool: Spool,
        built: parts.Parts,
        rest: threading.Event,
        live: LiveState,
    ) -> None:
        folder = settings.station.runtime_dir
        capture = LiveState(folder=folder, process="capture", files=spool.files, clock=spool.clock)
        self._others = Others([capture], Wish(folder, spool.files))
        self._taking = taking
        self._spool = spool
        self._followers = built.followers.values()
        self._rest = rest
        self._live = live

    def step(self, end: Callable[[], None]) -> None:
        if not self._taking.due():
            self._rest.clear()
        self._taking.step(self._rests, end, self._live.takes)

    def _rests(self) -> bool:
        """Say whether nothing is being made or sent; nothing is begun any more when it is this process's turn.

        A change that is none of its concern is taken in passing.
        """
        if not self._rest.is_set():
            if not self._others.have_it() or (self._others.absent and self._spool.exams.open_one()):
                return False
            if not self._taking.concerned:
                return True
            self._rest.set()
        return not any(follower.busy for follower in self._followers)
