"""The forward process: builds its parts by keyword and starts their threads."""

import logging
from collections.abc import Callable
from functools import partial

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.forward.release import Release
from gateway.forward.sender import Sender
from gateway.forward.status import Status
from gateway.forward.worklist import Refresher
from gateway.forward.wrap import Wrapper
from gateway.log import event
from gateway.net.listener import Listener
from gateway.spool import locks, recovery
from gateway.spool.live import LiveState
from gateway.spool.opening import open_spool
from gateway.spool.paths import Layout
from gateway.spool.spool import Spool
from gateway.threads import Supervisor

_log = logging.getLogger(__name__)
_LOOK_S = 0.25  # between two looks at PRAGMA data_version
_IDLE_S = 2.0  # a step is made at least so often: what waits for a time does not change the database


def run(settings: Settings, *, clock: Clock, supervisor: Supervisor) -> bool:
    """Forward until stopped; False when a thread died. Raises SpoolError or ListenerFailed."""
    data_dir = settings.station.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    settings.station.runtime_dir.mkdir(parents=True, exist_ok=True)
    with locks.role(Layout(data_dir), "forward"):
        names = [destination.name for destination in settings.destinations]
        spool = open_spool(data_dir, clock=clock, destinations=names, checkpoints=True)
        spool.deliveries.forget_leases()
        spool.captures.clear_problems()
        spool.worklist.keep_only([server.name for server in settings.worklists])
        recovery.adopt_seals(spool, names)
        _start(settings, spool, supervisor, names)
        event(_log, "forward_started", destinations=len(names), worklists=len(settings.worklists))
        try:
            return supervisor.run()
        finally:
            spool.close()


def _start(settings: Settings, spool: Spool, supervisor: Supervisor, destinations: list[str]) -> None:
    station = settings.station
    callers = [(peer.ae_title, peer.host) for peer in settings.worklists]
    callers += [(peer.ae_title, peer.host) for peer in settings.destinations]
    listener = Listener(station.listen, ae_title=station.ae_title, callers=callers)
    listener.open()
    release = Release(spool=spool, temporary=settings.release.temporary)
    wrapper = Wrapper(spool=spool, station=station, destinations=destinations)
    senders = {
        destination.name: Sender(spool=spool, destination=destination, our_ae=station.ae_title)
        for destination in settings.destinations
    }
    refresher = Refresher(spool=spool, servers=settings.worklists, our_ae=station.ae_title, clock=spool.clock)
    status = Status(spool=spool, senders=senders, wrapper=wrapper, port=listener.port)
    live = LiveState(folder=station.runtime_dir, process="forward", files=spool.files, clock=spool.clock)

    supervisor.every("live", 1.0, lambda: live.write(status.state()))
    supervisor.start("listener", partial(listener.serve, supervisor.stop))
    _follow(supervisor, spool, "wrap", lambda: release.step() | wrapper.step())
    for name, sender in senders.items():
        _follow(supervisor, spool, f"send-{name}", sender.step)
    _follow(supervisor, spool, "worklist", refresher.step)


def _follow(supervisor: Supervisor, spool: Spool, name: str, step: Callable[[], bool]) -> None:
    """Repeat `step` while it has more to do, then whenever the database changed, and now and then anyway."""

    def follow() -> None:
        seen = -1
        waited = _IDLE_S
        while not supervisor.stop.is_set():
            version = spool.database.version()
            if version != seen or waited >= _IDLE_S:
                seen, waited = version, 0.0
                while step() and not supervisor.stop.is_set():
                    pass
            supervisor.stop.wait(_LOOK_S)
            waited += _LOOK_S

    supervisor.start(name, follow)
