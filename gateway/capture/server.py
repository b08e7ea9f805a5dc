"""Capture's socket: one thread a connection, kept for the next (docs/decisions/0007-capture-socket.md)."""

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import wire
from gateway.capture.answers import FAILURES, explained
from gateway.capture.arguments import Arguments
from gateway.capture.moment import Ask
from gateway.capture.presses import Origin, Presses
from gateway.capture.preview import Preview
from gateway.capture.recorder import Recorder
from gateway.capture.status import Status
from gateway.capture.trying import found_on, heard_by, looked_at
from gateway.capture.workbench import Workbench
from gateway.clock import Clock
from gateway.errors import BadValue, Busy
from gateway.log import event
from gateway.model import Capture
from gateway.threads import Supervisor
from gateway.wire import Header, WireError
from hardware.indicators import Answer

_log = logging.getLogger(__name__)
_MAX_CONNECTIONS = 64
_MAX_VIEWERS = 24  # among them: whoever watches the picture must not keep a press from being heard
_MAX_CALL = 64 * 1024  # bytes: whoever asks for more memory is no caller of ours
_IDLE_S = 5.0  # a connection without a call is closed, so that forgotten ones do not use up all of them
_STATE_S = 0.1
_STATE_AT_LEAST_S = 1.0
_PREVIEW_WAIT_S = 0.5
_PREVIEW_WIDTH = 960
_DRAIN_LIMIT_S = 30.0
_MOST_MOVED = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What the socket gives access to."""

    presses: Presses
    recorder: Recorder
    previews: dict[str, Preview]
    status: Status
    bench: Workbench
    start_counter: int
    clock: Clock


class Server:
    """Listens on the socket and answers."""

    def __init__(self, *, path: Path, desk: Desk, supervisor: Supervisor, slowest_s: float = 2.0) -> None:
        self._path = path
        self._slowest_s = slowest_s  # a reader that takes longer is dropped
        self._desk = desk
        self._supervisor = supervisor
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.listening = threading.Event()
        self._viewers = threading.BoundedSemaphore(_MAX_VIEWERS)
        self._presses: dict[str, Callable[[Arguments], Callable[[], Header]]] = {
            "press": self._press,
            "clip_start": self._clip_start,
        }
        self._calls: dict[str, Callable[[Arguments], Header]] = {
            "clip_stop": self._clip_stop,
            "drain": self._drain,
            "numbers": self._numbers,
            "sign": self._sign,
            "devices": lambda _: found_on(self._desk.bench),
        }
        self._streams: dict[str, Callable[[socket.socket, Arguments], None]] = {
            "state": self._state,
            "preview": self._preview,
            "look": self._look,
            "hear": self._hear,
        }

    def run(self) -> None:
        """Accept connections until stopped."""
        self._path.unlink(missing_ok=True)  # the role lock says that nobody else listens there
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(self._path))
            self._path.chmod(0o660)
            listener.listen(_MAX_CONNECTIONS)
            self.listening.set()
            listener.settimeout(0.05)
            while not self._supervisor.stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                self._take(connection)
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # the other side may be gone
                    connection.shutdown(socket.SHUT_RD)  # wakes the thread that waits for a call

    def _take(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._connections) >= _MAX_CONNECTIONS:
                connection.close()
                return
            self._connections.add(connection)
        self._supervisor.attend("socket", lambda: self._serve(connection))

    def _serve(self, connection: socket.socket) -> None:
        try:
            hello = {"protocol": wire.PROTOCOL, "start_counter": self._desk.start_counter}
            self._send(connection, wire.pack({"hello": hello}))
            while not self._supervisor.stop.is_set():
                self._answer(connection, _next(connection, _IDLE_S))
        except (OSError, WireError):
            event(_log, "connection_ended", level=logging.DEBUG)
        finally:
            with self._lock:
                self._connections.remove(connection)
                connection.close()

    def _answer(self, connection: socket.socket, asked: Header) -> None:
        name = str(asked.get("call"))
        try:
            arguments = Arguments(asked.get("arguments", {}))
            if name in self._streams:
                self._streams[name](connection, arguments)
                return
            answer: Header = {"result": self._result(connection, name, arguments)}
        except FAILURES as failure:
            answer = wire.error_header(explained(failure))
        self._send(connection, wire.pack(answer))

    def _result(self, connection: socket.socket, name: str, arguments: Arguments) -> Header:
        if name in self._presses:
            stored = self._presses[name](arguments)
            self._send(connection, wire.pack({"event": wire.PINNED}))
            return stored()
        if name in self._calls:
            return self._calls[name](arguments)
        raise BadValue("There is no call of that name.")

    def _send(self, connection: socket.socket, message: bytes) -> None:
        connection.settimeout(self._slowest_s)
        connection.sendall(message)

    # --- calls --------------------------------------------------------------------------------------------

    def _press(self, arguments: Arguments) -> Callable[[], Header]:
        """Pin what a press is about; what is returned waits until it is durable."""
        future = self._desk.presses.take_still(self._ask(arguments), Origin.SOCKET)
        return lambda: _told(future.result())

    def _clip_start(self, arguments: Arguments) -> Callable[[], Header]:
        future = self._desk.presses.take_clip(self._ask(arguments), Origin.SOCKET)
        return lambda: {"clip": future.result()}

    def _clip_stop(self, arguments: Arguments) -> Header:
        return {"sop_instance_uids": self._desk.presses.stop_clip(arguments.text("clip"), Origin.SOCKET)}

    def _drain(self, arguments: Arguments) -> Header:
        seconds = arguments.seconds("seconds", most=_DRAIN_LIMIT_S)
        return {"pending": self._desk.recorder.drain(arguments.text("exam"), seconds)}

    def _numbers(self, arguments: Arguments) -> Header:
        count = arguments.whole("count")
        if not 1 <= count <= _MOST_MOVED:
            raise BadValue(f"'count' must be from 1 to {_MOST_MOVED}.")
        return {"numbers": self._desk.presses.reserve(arguments.text("exam"), count)}

    def _sign(self, arguments: Arguments) -> Header:
        """Show an answer on lamps and loudspeakers, for a test of them."""
        asked = arguments.text("answer")
        if asked not in set(Answer):
            raise BadValue("There is no such answer of lamps and tones.")
        self._desk.presses.rehearse(Answer(asked))
        return {}

    def _ask(self, arguments: Arguments) -> Ask:
        return Ask(
            time_ns=self._desk.clock.boottime_ns(),
            source=arguments.text("source"),
            exam=arguments.text("exam"),
            frame=arguments.whole("frame"),
            anyway=arguments.flag("anyway"),
            side=arguments.side(),
            request=arguments.request(),
        )

    # --- subscriptions ------------------------------------------------------------------------------------

    def _state(self, connection: socket.socket, _: Arguments) -> None:
        said: dict[str, Any] = {}
        quiet = 0.0
        while not self._supervisor.stop.wait(_STATE_S if said else 0):
            state = self._desk.status.state()
            quiet += _STATE_S
            if _without_counters(state) != _without_counters(said) or quiet >= _STATE_AT_LEAST_S:
                self._send(connection, wire.pack(state))
                said, quiet = state, 0.0

    def _preview(self, connection: socket.socket, arguments: Arguments) -> None:
        source = arguments.text("source") or next(iter(self._desk.previews), "")
        if source not in self._desk.previews:
            raise BadValue("There is no picture source of that name.")
        width = arguments.whole("width", default=_PREVIEW_WIDTH)
        if not self._viewers.acquire(blocking=False):
            raise Busy("Too many pages are watching the live picture.", action="Close pages that nobody looks at.")
        try:
            self._show(connection, source, width)
        finally:
            self._viewers.release()

    def _look(self, connection: socket.socket, arguments: Arguments) -> None:
        self._send(connection, wire.pack(*looked_at(self._desk.bench, arguments)))

    def _hear(self, connection: socket.socket, arguments: Arguments) -> None:
        def wanted() -> bool:
            return not self._supervisor.stop.is_set() and not _hung_up(connection)

        self._send(connection, wire.pack({"result": heard_by(self._desk.bench, arguments, wanted)}))

    def _show(self, connection: socket.socket, source: str, width: int) -> None:
        sequence = 0
        while not self._supervisor.stop.is_set() and not _hung_up(connection):
            picture = self._desk.previews[source].next(after=sequence, width=width, timeout=_PREVIEW_WAIT_S)
            if picture is None:
                continue
            sequence = picture.sequence
            header = {
                "event": "preview",
                "sequence": picture.sequence,
                "time_ns": picture.time_ns,
                "width": picture.width,
                "height": picture.height,
            }
            self._send(connection, wire.pack(header, picture.jpeg))
            if _next(connection, None).get("call") != "credit":
                raise WireError("A viewer gives credit and nothing else.")


def _told(capture: Capture) -> Header:
    return {
        "sop_instance_uid": capture.sop_instance_uid,
        "exam": capture.exam,
        "frame": capture.sequence,
        "instance_number": capture.instance_number,
        "taken_at": capture.taken.utc.isoformat(),
    }


def _next(connection: socket.socket, patience_s: float | None) -> Header:
    connection.settimeout(patience_s)
    return wire.receive(connection, limit=_MAX_CALL).header


def _hung_up(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False


def _without_counters(state: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a state whose change is worth an event of its own."""
    if not state:
        return {}
    sources = [{k: v for k, v in s.items() if k not in {"sequence", "rate"}} for s in state["sources"]]
    clip = {k: v for k, v in (state["clip"] or {}).items() if k not in {"seconds", "frames"}}
    machine = {k: v for k, v in state["machine"].items() if k != "zones"}
    return {**state, "sources": sources, "clip": clip, "machine": machine}
