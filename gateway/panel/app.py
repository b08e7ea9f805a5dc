"""Builds the panel's web application from its parts. The one place where routes and parts come together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from gateway.clock import Clock
from gateway.config.editing import Editor
from gateway.config.settings import Settings
from gateway.errors import ScopegateError
from gateway.panel import calls, pages, problems
from gateway.panel.calls.captures import CaptureCalls
from gateway.panel.calls.updates import UPLOAD
from gateway.panel.configuring import Configuring
from gateway.panel.context import API, Context, Timing
from gateway.panel.doors.guard import Guard
from gateway.panel.doors.monitoring import Monitoring
from gateway.panel.doors.routing import Files, declared
from gateway.panel.doors.second_door import SecondDoor
from gateway.panel.first_start.setting_up import SettingUp
from gateway.panel.first_start.steps import says_nothing
from gateway.panel.kiosk import Kiosk
from gateway.panel.live.changes import Changes
from gateway.panel.live.hub import Hub
from gateway.panel.live.presses import Presses
from gateway.panel.live.recorder import Recorder
from gateway.panel.live.streams import Streams
from gateway.panel.machine_says import THIS_MACHINE, MachineSays
from gateway.panel.metrics.snapshot import Snapshot
from gateway.panel.operators import Operators
from gateway.panel.own_certificate import OwnCertificate
from gateway.panel.own_data import OwnData
from gateway.panel.own_machine import OwnMachine
from gateway.panel.own_repair import OwnRepair
from gateway.panel.own_updates import OwnUpdates
from gateway.panel.own_upload import OwnUpload
from gateway.panel.own_usb import OwnUsb
from gateway.panel.pages.frame import Frame
from gateway.panel.people.desk import Desk
from gateway.panel.people.hosts import Names
from gateway.panel.people.roles import EVERYBODY
from gateway.panel.people.secrets import Hashes
from gateway.panel.people.store import People
from gateway.panel.pictures.small import Pictures
from gateway.panel.power import NoPower, Power, Switch
from gateway.panel.practice import Practice
from gateway.panel.self_test.running import SelfTest
from gateway.panel.shown.report import Report
from gateway.panel.stored_data.checking import StoredData
from gateway.panel.timekeeping import OfTheMachine, Timekeeping
from gateway.panel.words import Languages
from gateway.panel.work import Work
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.taking import Wish
from gateway.spool.spool import Spool

_HERE = Path(__file__).parent
_ANSWERS = {
    ScopegateError: problems.answer_error,
    HTTPException: problems.answer_http,
    Exception: problems.answer_bug,
}


def create_app(
    *,
    spool: Spool,
    settings: Settings,
    clock: Clock,
    capture_socket: Path,
    timing: Timing | None = None,
    languages: Languages | None = None,
    hashes: Hashes | None = None,
    switch: Switch | None = None,
    editor: Editor | None = None,
    revision: str = "",
    timekeeping: Timekeeping | None = None,
    machine_says: MachineSays = THIS_MACHINE,
) -> Starlette:
    """Return the application. `editor` changes the file that the settings are from, as it was at `revision`."""
    live, work, people = _live(spool, settings, clock), Work(), _people(spool, clock, hashes)
    configuring = _configuring(spool, settings, live, editor, revision)
    context = Context(
        spool=spool,
        settings=settings,
        clock=clock,
        recorder=Recorder(capture_socket, live["capture"].read),
        work=work,
        pictures=Pictures(spool),
        hub=Hub(),
        live=live,
        report=Report(spool=spool, settings=settings, clock=clock, live=live),
        timing=timing or Timing(),
        languages=languages or Languages(),
        desk=Desk(people=people, audit=spool.audit, work=work, clock=clock),
        operators=Operators(names=settings.panel.operators, clock=clock),
        power=_power(spool, settings, work, switch or NoPower()),
        practice=Practice(settings=settings, spool=spool, files=spool.files),
        kiosk=Kiosk(settings=settings, files=spool.files, clock=clock),
        configuring=configuring,
        setting_up=_setting_up(spool, settings, configuring, people, timekeeping),
        own_machine=_own_machine(spool, settings, configuring, live, machine_says),
    )
    return _built(context, people)


def _own_machine(
    spool: Spool, settings: Settings, configuring: Configuring, live: dict[str, LiveState], says: MachineSays
) -> OwnMachine:
    """Return what asks root of an appliance, and tests the machine and what it stores."""
    folder, clock, requests = configuring.allowed.base, spool.clock, settings.station.runtime_dir
    report = Report(spool=spool, settings=settings, clock=clock, live=live)
    updates = OwnUpdates(requests=requests, spool=spool, says=says.folder)
    # Practice runs on the same machine and takes no updates: what arrives there is the box's.
    arrives = requests / "no-upload" if settings.panel.practice_of is not None else says.uploads
    return OwnMachine(
        folder=folder,
        requests=requests,
        files=spool.files,
        audit=spool.audit,
        clock=clock,
        says=says.folder,
        data=OwnData(requests=requests, files=spool.files, clock=clock, says=says.folder),
        usb=OwnUsb(requests=requests, files=spool.files, audit=spool.audit, says=says.folder),
        updates=updates,
        upload=OwnUpload(place=arrives, updates=updates, spool=spool),
        repair=OwnRepair(requests=requests, spool=spool, settings=settings, clock=clock, says=says.folder),
        certificate=OwnCertificate(base=folder, files=spool.files, audit=spool.audit, clock=clock),
        stored_data=StoredData(spool),
        self_test=SelfTest(spool=spool, clock=clock, live=live, report=report, says=says),
    )


def _people(spool: Spool, clock: Clock, hashes: Hashes | None) -> People:
    return People(path=spool.layout.people, files=spool.files, clock=clock, hashes=hashes or Hashes())


def _setting_up(
    spool: Spool, settings: Settings, configuring: Configuring, people: People, timekeeping: Timekeeping | None
) -> SettingUp:
    return SettingUp(
        spool=spool,
        configuring=configuring,
        people=people,
        timekeeping=timekeeping or OfTheMachine(),
        untouched=says_nothing(settings),
        archives=bool(settings.destinations),
    )


def _built(context: Context, people: People) -> Starlette:
    """Return the application around its parts. Its background work begins and ends with its lifespan."""
    changes, frame, names, lan = _changes(context), Frame(context), Names(), context.settings.panel.lan
    app = Starlette(
        routes=declared(_routes(context, changes, frame)),
        middleware=[
            Middleware(
                Guard,
                desk=context.desk,
                names=names,
                captures=bool(lan and lan.capture),
                uploads=frozenset({f"{API}{UPLOAD}"}),
            )
        ],
        exception_handlers=dict(_ANSWERS),
        lifespan=_lifespan(context, changes),
    )
    _tell(app, context, frame, names)
    app.state.second_door = SecondDoor(app=app, lan=lan, people=people, names=names) if lan else None
    app.state.monitoring = _monitoring(context)
    return app


def _monitoring(context: Context) -> Monitoring | None:
    """Return what the clinic's monitoring asks, where that is configured."""
    listen = context.settings.metrics.listen
    if listen is None:
        return None
    snapshot = Snapshot(spool=context.spool, settings=context.settings, live=context.live)
    return Monitoring(listen=listen, text=lambda: context.work.spool(snapshot.text))


def _tell(app: Starlette, context: Context, frame: Frame, names: Names) -> None:
    """Hand over what middleware, error handlers and the process itself look for in the application."""
    app.state.hub = context.hub
    app.state.kiosk = context.kiosk
    app.state.languages = context.languages
    app.state.desk = context.desk
    app.state.names = names
    app.state.look_again_s = context.timing.heartbeat  # at whether somebody who watches is still signed in
    app.state.refused_page = frame.refused
    app.state.configuring = context.configuring
    app.state.background = []
    app.state.loop = None


def _live(spool: Spool, settings: Settings, clock: Clock) -> dict[str, LiveState]:
    return {
        process: LiveState(folder=settings.station.runtime_dir, process=process, files=spool.files, clock=clock)
        for process in ("capture", "forward", "panel")
    }


def _power(spool: Spool, settings: Settings, work: Work, switch: Switch) -> Power:
    archives = frozenset(each.name for each in settings.destinations if each.kind != "media")
    return Power(switch=switch, spool=spool, work=work, archives=archives)


def _configuring(
    spool: Spool, settings: Settings, live: dict[str, LiveState], editor: Editor | None, revision: str
) -> Configuring:
    """Return what looks after the configuration; without a file, it is one of the data folder that begins empty."""
    editor = editor or Editor(settings.station.data_dir / "scopegate.toml", disk=spool.files)
    wish = Wish(settings.station.runtime_dir, spool.files)
    return Configuring(editor=editor, wish=wish, spool=spool, lives=live, revision=revision or editor.revision())


def _changes(context: Context) -> Changes:
    return Changes(
        spool=context.spool,
        pictures=context.pictures,
        work=context.work,
        hub=context.hub,
        recorder=context.recorder,
        poll_s=context.timing.poll,
    )


def _routes(context: Context, changes: Changes, frame: Frame) -> list[BaseRoute]:
    static = Files("/static", StaticFiles(directory=_HERE / "static"), who=EVERYBODY)
    captures = CaptureCalls(context)  # presses of the live screen are the same call
    connected = [*Streams(context, changes).routes(), *Presses(captures).routes()]
    api = Mount(API, routes=[*calls.routes(context, captures), *connected])
    return [api, static, *pages.routes(context, frame)]


def _lifespan(context: Context, changes: Changes) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Return what runs beside the requests: following capture and the spool."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.loop = asyncio.get_running_loop()
        await context.work.spool(context.own_machine.upload.begin_anew)
        app.state.background = [
            asyncio.create_task(context.recorder.watch(changes.said)),
            asyncio.create_task(changes.run()),
            asyncio.create_task(context.power.run(context.timing.switch)),
            asyncio.create_task(context.kiosk.run(context.work)),
            asyncio.create_task(context.own_machine.stored_data.run(context.work, context.timing.poll)),
        ]
        if door := app.state.second_door:
            app.state.background.append(asyncio.create_task(door.run()))
        if monitoring := app.state.monitoring:
            app.state.background.append(asyncio.create_task(monitoring.run()))
        try:
            yield
        finally:
            context.hub.close()
            for task in app.state.background:
                task.cancel()
            await asyncio.gather(*app.state.background, return_exceptions=True)
            context.work.close()

    return lifespan
