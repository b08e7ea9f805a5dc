"""The forward process: builds its parts by keyword and starts their threads."""

import logging
import threading
from collections.abc import Callable
from functools import partial

from gateway.clock import Clock
from gateway.config.settings import Destination, Settings
from gateway.errors import SpoolError
from gateway.forward import rearm
from gateway.forward.channel import connector
from gateway.forward.day import DayCheck
from gateway.forward.fallback import Fallbacks
from gateway.forward.finder import finder_of
from gateway.forward.follow import Follower
from gateway.forward.housekeeping import Housekeeping
from gateway.forward.media.export import Exporter
from gateway.forward.media.sender import MediaSender
from gateway.forward.notices import Notices
from gateway.forward.procedure_steps import ProcedureSteps
from gateway.forward.proving import Proving
from gateway.forward.release import Release
from gateway.forward.retention import Retention, rules_of
from gateway.forward.sender import Sender
from gateway.forward.status import Sends, Status
from gateway.forward.step_sender import StepSender
from gateway.forward.step_sender import connector as step_connector
from gateway.forward.worklist import Refresher
from gateway.forward.wrap import Wrapper
from gateway.log import event
from gateway.net.listener import Listener
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
    event(_log, "recovered", deliveries_rearmed=rearmed, captures_tried_again=retried)


def _start(settings: Settings, spool: Spool, supervisor: Supervisor, live: LiveState) -> None:
    station, stop = settings.station, supervisor.stop
    proving = Proving(spool=spool, destinations=settings.destinations, our_ae=station.ae_title, stop=stop)
    listener = _listener(settings, proving)
    senders = {each.name: _sender(each, settings, spool, stop) for each in settings.destinations}
    tellers = _tellers(settings, spool, stop)
    refresher = Refresher(spool=spool, servers=settings.worklists, our_ae=station.ae_title, clock=spool.clock)
    steps: dict[str, Callable[[], bool]] = {
        "wrap": _preparing(settings, spool),
        "worklist": refresher.step,
        "export": Exporter(spool=spool, destinations=settings.destinations, stop=stop).step,
        **_upkeep(settings, spool),
        **{f"send-{name}": sender.step for name, sender in senders.items()},
        **{f"tell-{name}": teller.step for name, teller in tellers.items()},
        **proving.steps,
    }
    followers = {
        name: Follower(name, step, database=spool.database, clock=spool.clock, stop=stop)
        for name, step in steps.items()
    }
    status = Status(
        clock=spool.clock,
        senders=senders,
        tellers=tellers,
        followers=followers,
        notices=Notices(destinations=spool.destinations, configured=list(senders), clock=spool.clock),
        proving=proving,
        port=listener.port,
    )
    supervisor.every("live", 1.0, lambda: live.write(status.state()))
    supervisor.start("listener", partial(listener.serve, stop))
    for name, follower in followers.items():
        supervisor.start(name, follower.run)


def _preparing(settings: Settings, spool: Spool) -> Callable[[], bool]:
    """Return the step that makes what is sent: procedure steps, then release, so that objects name their step."""
    temporary = settings.release.temporary
    fallbacks = Fallbacks(spool=spool, station=settings.station, destinations=settings.destinations)
    performed = ProcedureSteps(
        spool=spool,
        servers=[server.name for server in settings.procedure_steps],
        station=settings.station,
        sources=settings.sources,
        temporary=temporary,
        settled=fallbacks.settled,
    )
    at_once = settings.release.when == "at-once"
    release = Release(spool=spool, temporary=temporary, at_once=at_once, announce=performed.announce)
    wrapper = Wrapper(spool=spool, station=settings.station, destinations=settings.destinations)
    return lambda: performed.step() | release.step() | wrapper.step() | fallbacks.step()


def _upkeep(settings: Settings, spool: Spool) -> dict[str, Callable[[], bool]]:
    """Return the steps that look after the data folder."""
    names = [destination.name for destination in settings.destinations]
    ours = settings.station.ae_title
    finders = {each.name: finder for each in settings.destinations if (finder := finder_of(each, our_ae=ours))}
    trusted = [each.name for each in settings.destinations if each.trust_query]
    return {
        "disk": Housekeeping(spool=spool, clock=spool.clock).step,
        "retention": Retention(spool=spool, rules=rules_of(settings, trusted)).step,
        "day": DayCheck(spool=spool, destinations=names, finders=finders).step,
    }


def _listener(settings: Settings, proving: Proving) -> Listener:
    """Listen for whoever is configured."""
    callers = [(peer.ae_title, peer.host) for peer in settings.worklists]
    callers += [(peer.ae_title, peer.host) for peer in settings.procedure_steps]
    callers += [(peer.ae_title, peer.host) for peer in settings.destinations if peer.kind == "dicom"]
    station = settings.station
    listener = Listener(
        station.listen,
        ae_title=station.ae_title,
        callers=[*callers, *proving.callers],
        hear=proving.hear,
        tls=station.tls,
    )
    listener.open()
    return listener


def _sender(destination: Destination, settings: Settings, spool: Spool, stop: threading.Event) -> Sends:
    """Return what empties this destination's queue."""
    if destination.kind == "media":
        return MediaSender(spool=spool, destination=destination, stop=stop)
    connect = connector(destination, our_ae=settings.station.ae_title)
    return Sender(spool=spool, destination=destination, connect=connect, stop=stop)


def _tellers(settings: Settings, spool: Spool, stop: threading.Event) -> dict[str, StepSender]:
    return {
        server.name: StepSender(
            spool=spool,
            server=server.name,
            connect=step_connector(server, our_ae=settings.station.ae_title),
            stop=stop,
        )
        for server in settings.procedure_steps
    }
