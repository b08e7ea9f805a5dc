"""The panel process: takes its role, opens the spool, listens, serves until stopped."""

import errno
import logging
import socket
import threading
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from gateway.clock import Clock
from gateway.config.editing import Editor
from gateway.config.settings import Address, Settings, Station
from gateway.errors import ListenerFailed, SpoolError
from gateway.log import event, warn
from gateway.panel.app import create_app
from gateway.panel.doors.connections import BACKLOG, Door, WebServer
from gateway.panel.doors.guard import MAX_BODY
from gateway.panel.doors.waiting import Waiting
from gateway.panel.kiosk import BEAT_NS
from gateway.panel.machine_says import THIS_MACHINE, MachineSays
from gateway.panel.own_files import EVERY_S
from gateway.panel.people.secrets import Hashes
from gateway.panel.people.sessions import Sessions
from gateway.panel.power import NoPower, Switch, UnitSwitch
from gateway.panel.words import Languages
from gateway.spool.files import Files
from gateway.spool.opening import keep_index, open_spool
from gateway.spool.paths import Layout
from gateway.spool.processes import locks
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.patience import insist
from gateway.spool.processes.taking import Others, Taking, Wish
from gateway.spool.spool import Spool
from gateway.threads import Supervisor
from gateway.wire import SOCKET_NAME

_log = logging.getLogger(__name__)
_LIVE_S = 1.0
_SESSIONS = "sessions"  # in the runtime folder, between a panel and its successor
_GRACE_S = 2  # for answers in flight when the panel is stopped
_BACKLOG = 128


def run(
    settings: Settings,
    *,
    clock: Clock,
    supervisor: Supervisor,
    languages: Languages | None = None,
    hashes: Hashes | None = None,
    editor: Editor | None = None,
    taking: Taking | None = None,
    machine_says: MachineSays = THIS_MACHINE,
) -> bool:
    """Serve until `supervisor` is stopped, or a changed configuration is to be taken; False when a thread died.

    Raises SpoolLocked, SpoolDamaged, ListenerFailed. A disk that refuses is waited for, and the screen says so.
    """
    _make_folders(settings.station)
    with locks.role(Layout(settings.station.data_dir), "panel"), listen(settings.panel.listen) as listener:
        live = _begun(settings, clock, taking)
        if (spool := _opened(settings, clock, supervisor.stop, listener)) is None:
            return supervisor.run()
        app = create_app(
            spool=spool,
            settings=settings,
            clock=clock,
            capture_socket=settings.station.runtime_dir / SOCKET_NAME,
            languages=languages,
            hashes=hashes,
            editor=editor,
            revision=taking.revision if taking else "",
            switch=_switch(settings),
            machine_says=machine_says,
        )
        heartbeat = Heartbeat(app, live, "{}:{}".format(*listener.getsockname()[:2]))
        supervisor.every("index", 1.0, lambda: keep_index(spool, settings.destinations))
        if taking:
            _take(taking, settings, spool, supervisor, live)
        try:
            return _serve(heartbeat, listener, supervisor, taking, settings.station.runtime_dir / _SESSIONS)
        finally:
            spool.close()


def _make_folders(station: Station) -> None:
    for folder in (station.data_dir, station.runtime_dir):
        folder.mkdir(parents=True, exist_ok=True)


def _begun(settings: Settings, clock: Clock, taking: Taking | None) -> LiveState:
    live = LiveState(folder=settings.station.runtime_dir, process="panel", files=Files(), clock=clock)
    live.begin(taking.revision if taking else "")
    return live


def _switch(settings: Settings) -> Switch:
    return UnitSwitch(settings.station.runtime_dir, Files()) if settings.panel.switch_off else NoPower()


def _serve(
    heartbeat: "Heartbeat", listener: socket.socket, supervisor: Supervisor, taking: Taking | None, handed: Path
) -> bool:
    """Serve until stopped, with the sessions of a predecessor that ended to take a changed setting."""
    sessions: Sessions = heartbeat.app.state.desk.sessions
    _take_over(sessions, handed)
    server = Server(heartbeat.app)
    supervisor.start("web", lambda: server.serve_until(listener, supervisor.stop))
    supervisor.every("live", _LIVE_S, heartbeat.step)
    supervisor.every("own-files", EVERY_S, heartbeat.app.state.configuring.own_files.clear)
    event(_log, "panel_ready", listen=heartbeat.listen)
    well = supervisor.run()
    if taking and taking.taken:
        with suppress(SpoolError):  # then everybody signs in again
            Files().write_secret(handed, sessions.hand_over())
    return well


def _take_over(sessions: Sessions, handed: Path) -> None:
    """Go on with what a predecessor handed over; once."""
    try:
        raw = handed.read_bytes()
        handed.unlink()
    except OSError:
        return
    sessions.take_over(raw)


def _take(taking: Taking, settings: Settings, spool: Spool, supervisor: Supervisor, live: LiveState) -> None:
    """Start anew for a changed configuration once the other two have it: the screen is last.

    An exam may have been opened since capture took it. For a change of the screen alone it keeps its screen; with
    another one, capture is built anew already, and so must its screen be.
    """
    folder, files, clock = settings.station.runtime_dir, Files(), spool.clock
    lives = [LiveState(folder=folder, process=name, files=files, clock=clock) for name in ("capture", "forward")]
    others = Others(lives, Wish(folder, files))

    def ready() -> bool:
        return others.have_it() and not (taking.of_the_screen and spool.exams.open_one())

    supervisor.every("settings", _LIVE_S, lambda: taking.step(ready, supervisor.stop.set, live.takes))


def _opened(settings: Settings, clock: Clock, stop: threading.Event, listener: socket.socket) -> Spool | None:
    """Return the spool; while the disk refuses it, who asks is told why. None when stopped before."""
    waiting = Waiting(listener, clock, Languages(), settings.panel.language)
    return insist(
        lambda: open_spool(
            settings.station.data_dir,
            clock=clock,
            destinations=settings.destinations,
            reserve_mb=settings.retention.reserve_mb,
            anew=False,  # an index as large as this process's memory would end it at every start
        ),
        stopped=stop.is_set,
        say=waiting.say,
        wait=lambda seconds: waiting.serve_for(seconds, stop),
    )


def listen(address: Address) -> socket.socket:
    """Return a listening socket. Raises ListenerFailed with what to do."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else errno.errorcode.get(error.errno or 0, "unknown")
        raise ListenerFailed(
            f"The panel cannot listen on {address}: {why}.",
            action="Stop the other program, or change [panel] listen, then start again.",
        ) from error


class Heartbeat:
    """Says once a second that the panel is there, and dies when its background work did."""

    def __init__(self, app: Starlette, live: LiveState, listen: str) -> None:
        self.app = app
        self._live = live
        self.listen = listen

    def step(self) -> None:
        for task in self.app.state.background:
            if task.done() and not task.cancelled():
                raise RuntimeError("background work of the panel ended") from task.exception()
        door = self.app.state.second_door
        lan = door.listens_at if door else ""
        monitoring = self.app.state.monitoring
        metrics = monitoring.listens_at if monitoring else ""
        said = {"listen": self.listen, "lan": lan, "metrics": metrics, "watchers": self.app.state.hub.watchers}
        self._live.write({**said, BEAT_NS: self.app.state.kiosk.beat_ns})


class Server:
    """uvicorn, told from outside when to stop."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # addresses of requests stay out of the journal
            lifespan="on",
            loop="asyncio",
            http=Door(),  # type: ignore[arg-type]  # uvicorn only calls it
            backlog=BACKLOG,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=MAX_BODY,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = WebServer(config)
        logging.getLogger("uvicorn.error").addFilter(without_text)

    def serve_until(self, listener: socket.socket, stop: threading.Event) -> None:
        """Serve on `listener` until `stop` is set. Raises when the server ends by itself."""
        stopping = threading.Thread(target=self._end_at, args=(stop,), name="web-stop", daemon=True)
        stopping.start()
        self._server.run(sockets=[listener])

    def _end_at(self, stop: threading.Event) -> None:
        stop.wait()
        self._server.should_exit = True
        if self._app.state.loop is not None and self._app.state.loop.is_running():
            self._app.state.loop.call_soon_threadsafe(self._app.state.hub.close)


def without_text(record: logging.LogRecord) -> bool:
    """Take the text of an exception out of uvicorn's log: it may quote what a request said."""
    if record.exc_info and record.exc_info[0]:
        kind = record.exc_info[0].__name__
        record.exc_info = None
        warn(_log, "request_failed", error=kind)
        return False
    return True
