"""The forward process: builds its parts by keyword and starts their threads."""

import logging
from collections.abc import Callable
from functools import partial

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import SpoolError
from gateway.forward import outgoing
from gateway.forward.channel import connector
from gateway.forward.follow import Follower
from gateway.forward.proving import Proving
from gateway.forward.release import Release
from gateway.forward.sender import Sender
from gateway.forward.status import Status
from gateway.forward.worklist import Refresher
from gateway.forward.wrap import Wrapper
from gateway.log import event, warn
from gateway.model import DeliveryState
from gateway.net.listener import Listener
from gateway.spool import locks, recovery
from gateway.spool.files import Files
from gateway.spool.live import LiveState
from gateway.spool.opening import keep_index, open_spool
from gateway.spool.paths import Layout
from gateway.spool.patience import insist
from gateway.spool.spool import Spool
from gateway.threads import Supervisor

_log = logging.getLogger(__name__)
_UNSENT = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD)


def run(settings: Settings, *, clock: Clock, supervisor: Supervisor) -> bool:
    """Forward until stopped; False when a thread died. Raises SpoolLocked, SpoolDamaged or ListenerFailed.

    A disk that refuses is waited for, and the live state says so.
    """
    data_dir = settings.station.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    settings.station.runtime_dir.mkdir(parents=True, exist_ok=True)
    live = LiveState(folder=settings.station.runtime_dir, process="forward", files=Files(), clock=clock)
    with locks.role(Layout(data_dir), "forward"):
        names = [destination.name for destination in settings.destinations]
        spool = insist(
            partial(_opened, settings, clock, names),
            stopped=supervisor.stop.is_set,
            say=live.waits,
            wait=partial(clock.wait, supervisor.stop),
        )
        if spool is None:
            return supervisor.run()
        try:
            _start(settings, spool, supervisor, names, live)
            supervisor.every("index", 1.0, partial(keep_index, spool, names))
            event(_log, "forward_started", destinations=len(names), worklists=len(settings.worklists))
            return supervisor.run()
        finally:
            spool.close()


def _opened(settings: Settings, clock: Clock, destinations: list[str]) -> Spool:
    """Return the spool, with what a predecessor left taken up. Raises SpoolError."""
    spool = open_spool(settings.station.data_dir, clock=clock, destinations=destinations, checkpoints=True)
    try:
        _recover(settings, spool, destinations)
    except SpoolError:
        spool.close()
        raise
    return spool


def _recover(settings: Settings, spool: Spool, destinations: list[str]) -> None:
    """Take up what a predecessor left, before any thread runs."""
    spool.deliveries.forget_leases()
    spool.requests.forget_running()
    # A start is when settings may have changed: what was not taken in any form is offered once more.
    rearmed = spool.deliveries.release_all(outgoing.NO_CONTEXT)
    retried = spool.captures.clear_problems()
    spool.worklist.keep_only([server.name for server in settings.worklists])
    recovery.adopt_seals(spool, destinations)
    event(_log, "recovered", deliveries_rearmed=rearmed, captures_tried_again=retried)


def _start(
    settings: Settings, spool: Spool, supervisor: Supervisor, destinations: list[str], live: LiveState
) -> None:
    station, stop = settings.station, supervisor.stop
    proving = Proving(spool=spool, destinations=settings.destinations, our_ae=station.ae_title, stop=stop)
    listener = _listener(settings, proving)
    release = Release(spool=spool, temporary=settings.release.temporary)
    wrapper = Wrapper(spool=spool, station=station, destinations=destinations)
    senders = {
        destination.name: Sender(
            spool=spool,
            destination=destination,
            connect=connector(destination, our_ae=station.ae_title),
            stop=stop,
        )
        for destination in settings.destinations
    }
    refresher = Refresher(spool=spool, servers=settings.worklists, our_ae=station.ae_title, clock=spool.clock)
    steps: dict[str, Callable[[], bool]] = {
        "wrap": lambda: release.step() | wrapper.step(),
        "worklist": refresher.step,
        **{f"send-{name}": sender.step for name, sender in senders.items()},
        **proving.steps,
    }
    followers = {
        name: Follower(name, step, database=spool.database, clock=spool.clock, stop=stop)
        for name, step in steps.items()
    }
    status = Status(
        clock=spool.clock,
        senders=senders,
        followers=followers,
        proving=proving,
        orphans=_orphans(spool, destinations),
        port=listener.port,
    )
    supervisor.every("live", 1.0, lambda: live.write(status.state()))
    supervisor.start("listener", partial(listener.serve, stop))
    for name, follower in followers.items():
        supervisor.start(name, follower.run)


def _listener(settings: Settings, proving: Proving) -> Listener:
    callers = [(peer.ae_title, peer.host) for peer in settings.worklists]
    callers += [(peer.ae_title, peer.host) for peer in settings.destinations]
    callers += proving.callers
    station = settings.station
    listener = Listener(station.listen, ae_title=station.ae_title, callers=callers, hear=proving.hear)
    listener.open()
    return listener


def _orphans(spool: Spool, destinations: list[str]) -> list[str]:
    """Name the destinations that left the configuration with a queue: it is kept, and somebody must know."""
    waiting: dict[str, int] = {}
    for (name, state), count in spool.deliveries.counts().items():
        if name not in destinations and state in _UNSENT:
            waiting[name] = waiting.get(name, 0) + count
    for name, count in sorted(waiting.items()):
        warn(_log, "destination_not_configured", destination=name, waiting=count)
    return sorted(waiting)
