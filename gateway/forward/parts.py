"""The forward process as built, before any of its threads runs: every part, by keyword, from the settings."""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gateway.config.settings import Destination, Settings
from gateway.errors import DiskFull
from gateway.forward.asking import Servers
from gateway.forward.auditing.teller import NAME as AUDIT
from gateway.forward.auditing.teller import AuditTeller, teller_of
from gateway.forward.connections.looking import Looking
from gateway.forward.follow import Follower
from gateway.forward.keeping.day import DayCheck
from gateway.forward.keeping.housekeeping import Housekeeping
from gateway.forward.keeping.idle import Idle
from gateway.forward.keeping.retention import Retention, rules_of
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.making.films import Films
from gateway.forward.making.jpeg_clips import JpegClips
from gateway.forward.making.key_objects import KeyObjects
from gateway.forward.making.procedure_steps import ProcedureSteps
from gateway.forward.making.release import Release
from gateway.forward.making.wrap import Wrapper
from gateway.forward.media.export import Exporter
from gateway.forward.media.sender import MediaSender
from gateway.forward.media.settings_files import SettingsFiles
from gateway.forward.notices import Notices
from gateway.forward.proving.finder import finder_of
from gateway.forward.proving.parts import Proving
from gateway.forward.searching import Searcher
from gateway.forward.sending.channel import connector
from gateway.forward.sending.sender import Sender
from gateway.forward.sending.step_sender import StepSender
from gateway.forward.sending.step_sender import connector as step_connector
from gateway.forward.status import Sends, Status
from gateway.forward.trying.archives import ArchiveTrial
from gateway.forward.trying.trials import Trials
from gateway.forward.trying.way_back import TrialReports, WayBack
from gateway.forward.worklist import Refresher
from gateway.net.listener import Listener
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool
from gateway.threads import give_way

Step = Callable[[], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What runs: each follower in a thread of its own, the listener in another; `status` says how it goes."""

    listener: Listener
    followers: dict[str, Follower]
    status: Status


def build(settings: Settings, spool: Spool, stop: threading.Event, rest: threading.Event | None = None) -> Parts:
    """Build the parts; the listener takes its port if it can.

    While `rest` is set nothing new is begun, and what takes long ends behind the object that it is at.
    """
    rest = rest or stop
    proving = Proving(spool=spool, destinations=settings.destinations, our_ae=settings.station.ae_title, stop=stop)
    trial_reports = TrialReports()
    listener = _listener(settings, proving, trial_reports)
    senders = {each.name: _sender(each, settings, spool, stop, rest) for each in settings.destinations}
    tellers = _tellers(settings, spool, rest)
    auditing = teller_of(settings, spool)
    wrapper, films, jpegs = _sealing(settings, spool, rest)
    steps: dict[str, Step] = {
        "wrap": _making(settings, spool, wrapper, jpegs),
        "film": _encoding(films, jpegs),
        **_asking(settings, spool, rest),
        **_media(settings, spool, stop),
        **{f"send-{name}": sender.step for name, sender in senders.items()},
        **{f"tell-{name}": teller.step for name, teller in tellers.items()},
        "try": _trying(settings, spool, listener, trial_reports, stop),
        **proving.steps,
        **_keeping(settings, spool, auditing),
    }
    followers = {
        name: Follower(name, step, database=spool.database, clock=spool.clock, stop=stop, rest=rest)
        for name, step in steps.items()
    }
    status = Status(
        clock=spool.clock,
        senders=senders,
        tellers=tellers,
        followers=followers,
        encoding=lambda: films.progress or jpegs.progress,
        listening=lambda: listener.trouble,
        notices=_notices(spool, senders, tellers),
        proving=proving,
        auditing=auditing,
    )
    return Parts(listener=listener, followers=followers, status=status)


def _asking(settings: Settings, spool: Spool, rest: threading.Event) -> dict[str, Step]:
    """Return the steps that ask the worklist servers, and everybody once somebody wants to know how all is."""
    servers = Servers(every=settings.worklists, our_ae=settings.station.ae_title, clock=spool.clock)
    return {
        "worklist": Refresher(spool=spool, servers=servers).step,
        "search": Searcher(spool=spool, servers=servers).step,
        "look": Looking(spool=spool, settings=settings, rest=rest, give_way=give_way).step,
    }


def _media(settings: Settings, spool: Spool, stop: threading.Event) -> dict[str, Step]:
    """Return the steps that write onto sticks and into folders because a person wants it."""
    return {
        "settings-file": SettingsFiles(spool=spool, destinations=settings.destinations).step,
        "export": Exporter(spool=spool, destinations=settings.destinations, stop=stop).step,
    }


def _notices(spool: Spool, senders: Collection[str], tellers: Collection[str]) -> Notices:
    return Notices(
        destinations=spool.destinations,
        configured=list(senders),
        steps=spool.steps,
        servers=list(tellers),
        clock=spool.clock,
    )


def _sealing(settings: Settings, spool: Spool, stop: threading.Event) -> tuple[Wrapper, Films, JpegClips]:
    """Return what makes objects of captures: at once, and after encoding; and what makes JPEG of H.264 again."""
    station, destinations = settings.station, settings.destinations
    wrapper = Wrapper(spool=spool, station=station, destinations=destinations)
    films = Films(
        spool=spool, station=station, destinations=destinations, wrapper=wrapper, stop=stop, give_way=give_way
    )
    jpegs = JpegClips(spool=spool, station=station, destinations=destinations, stop=stop)
    return wrapper, films, jpegs


def _encoding(films: Films, jpegs: JpegClips) -> Step:
    """Return the step that encodes: what is not sent in any form yet goes first."""

    def step() -> bool:
        try:
            more = films.step()
        except DiskFull:  # a clip that finds no room keeps none of those waiting that need little or none
            jpegs.step()
            raise
        return more or jpegs.step()

    return step


def _making(settings: Settings, spool: Spool, wrapper: Wrapper, jpegs: JpegClips) -> Step:
    """Return the step that makes what is sent: procedure steps, then release, so that objects name their step."""
    temporary = settings.release.temporary
    fallbacks = Fallbacks(
        spool=spool, station=settings.station, destinations=settings.destinations, short=lambda: jpegs.short
    )
    lists = KeyObjects(spool=spool, station=settings.station, settled=fallbacks.settled)
    performed = ProcedureSteps(
        spool=spool,
        servers=[server.name for server in settings.procedure_steps],
        station=settings.station,
        sources=settings.sources,
        temporary=temporary,
        settled=fallbacks.settled,
        listed=lists.are_made,
    )
    at_once = settings.release.when == "at-once"
    release = Release(spool=spool, temporary=temporary, at_once=at_once, announce=performed.announce)
    return lambda: performed.step() | release.step() | wrapper.step() | fallbacks.step() | lists.step()


def _keeping(settings: Settings, spool: Spool, auditing: AuditTeller | None) -> dict[str, Step]:
    """Return the steps that look after the data folder, and after the copy of its audit file elsewhere."""
    names = [destination.name for destination in settings.destinations]
    ours = settings.station.ae_title
    finders = {each.name: finder for each in settings.destinations if (finder := finder_of(each, our_ae=ours))}
    return {
        "disk": Housekeeping(spool=spool, clock=spool.clock).step,
        "retention": Retention(spool=spool, rules=rules_of(settings)).step,
        "idle": Idle(
            spool=spool,
            sources=settings.sources,
            capture=LiveState(
                folder=settings.station.runtime_dir, process="capture", files=spool.files, clock=spool.clock
            ),
            clock=spool.clock,
        ).step,
        "day": DayCheck(spool=spool, destinations=names, finders=finders).step,
        **({AUDIT: auditing.step} if auditing else {}),
    }


def _trying(
    settings: Settings, spool: Spool, listener: Listener, reports: TrialReports, stop: threading.Event
) -> Step:
    """Return the step that tries other systems for whoever configures them."""
    station = settings.station
    way_back = WayBack(reports=reports, welcome=listener.welcoming, clock=spool.clock, stop=stop)
    archives = ArchiveTrial(sources=settings.sources, data_dir=station.data_dir, way_back=way_back)
    return Trials(spool=spool, our_ae=station.ae_title, listen=station.listen, archives=archives).step


def _listener(settings: Settings, proving: Proving, trial_reports: TrialReports) -> Listener:
    """Listen for whoever is configured."""
    callers = [(peer.ae_title, peer.host) for peer in settings.worklists]
    callers += [(peer.ae_title, peer.host) for peer in settings.procedure_steps]
    callers += [(peer.ae_title, peer.host) for peer in settings.destinations if peer.kind == "dicom"]
    station = settings.station
    listener = Listener(
        station.listen,
        ae_title=station.ae_title,
        callers=[*callers, *proving.callers],
        hear=trial_reports.before(proving.hear),
        tls=station.tls,
    )
    listener.begin()
    return listener


def _sender(
    destination: Destination, settings: Settings, spool: Spool, stop: threading.Event, rest: threading.Event
) -> Sends:
    """Return what empties this destination's queue."""
    if destination.kind == "media":
        return MediaSender(spool=spool, destination=destination, stop=stop)
    connect = connector(destination, our_ae=settings.station.ae_title)
    return Sender(spool=spool, destination=destination, connect=connect, stop=rest)


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
