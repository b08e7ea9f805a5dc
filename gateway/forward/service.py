"""The forward process: takes up what its predecessor left, starts its threads, lives until one of them dies."""

import logging
from functools import partial

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import SpoolError
from gateway.forward import parts
from gateway.forward.keeping import day
from gateway.forward.sending import rearm
from gateway.log import event
from gateway.spool import locks, recovery
from gateway.spool.files import Files
from gateway.spool.live import LiveState
from gateway.spool.opening import keep_index, open_spool
from gateway.spool.paths import Layout
from gateway.spool.patience import insist
from gateway.spool.purging import Purging
from gateway.spool.spool import Spool
from gateway.threads import Supervisor

_log = logging.getLogger(__name__)


def run(settings: Settings, *, clock: Clock, supervisor: Supervisor) -> bool:
    """Forward until stopped; False when a thread died. Raises SpoolLocked, SpoolDamaged or ListenerFailed.

    A disk that refuses is waited for, and the live state says so.
    """
    data_dir = settings.station.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    settings.station.runtime_dir.mkdir(parents=True, exist_ok=True)
    live = LiveState(folder=settings.station.runtime_dir, process="forward", files=Files(), clock=clock)
    with locks.role(Layout(data_dir), "forward"):
        live.begin()
        spool = insist(
            partial(_opened, settings, clock),
            stopped=supervisor.stop.is_set,
            say=live.waits,
            wait=partial(clock.wait, supervisor.stop),
        )
        if spool is None:
            return supervisor.run()
        try:
            _start(settings, spool, supervisor, live)
            supervisor.every("index", 1.0, partial(keep_index, spool, settings.destinations))
            counts = {"destinations": len(settings.destinations), "worklists": len(settings.worklists)}
            event(_log, "forward_started", **counts)
            return supervisor.run()
        finally:
            spool.close()


def _opened(settings: Settings, clock: Clock) -> Spool:
    """Return the spool, with what a predecessor left taken up. Raises SpoolError."""
    spool = open_spool(
        settings.station.data_dir,
        clock=clock,
        destinations=settings.destinations,
        checkpoints=True,
        reserve_mb=settings.retention.reserve_mb,
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
    recovery.adopt_seals(spool, settings.destinations)
    Purging(spool).take_up()
    if any(each.query for each in settings.destinations):
        day.catch_up(spool, spool.clock.now().local.date())
    event(_log, "recovered", deliveries_rearmed=rearmed, captures_tried_again=retried)


def _start(settings: Settings, spool: Spool, supervisor: Supervisor, live: LiveState) -> None:
    built = parts.build(settings, spool, supervisor.stop)
    supervisor.every("live", 1.0, lambda: live.write(built.status.state()))
    supervisor.start("listener", partial(built.listener.serve, supervisor.stop))
    for name, follower in built.followers.items():
        supervisor.start(name, follower.run)
