"""Capture's socket: one thread a connection, one call at a time (docs/decisions/0007-capture-socket.md)."""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import wire
from gateway.capture.moment import Ask
from gateway.capture.presses import Origin, Presses
from gateway.capture.preview import Preview
from gateway.capture.recorder import Recorder
from gateway.capture.status import Status
from gateway.errors import BadValue, ScopegateError
from gateway.log import event
from gateway.model import RequestStamp
from gateway.threads import Supervisor
from gateway.wire import Header, Message, WireError

_log = logging.getLogger(__name__)
_MAX_CONNECTIONS = 64
_SEND_S = 2.0  # a reader that is slower is dropped
_STATE_S = 0.1
_STATE_AT_LEAST_S = 1.0
_PREVIEW_WAIT_S = 0.5
_DRAIN_LIMIT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What the socket gives access to."""

    presses: Presses
    recorder: Recorder
    previews: dict[str, Preview]
    status: Status
    start_counter: int


class Server:
    """Listens on the socket and answers."""

    def __init__(self, *, path: Path, desk: Desk, supervisor: Supervisor) -> None:
        self._path = path
        self._desk = desk
        self._supervisor = supervisor
        self._open = 0
        self._calls: dict[str, Callable[[Header], Header]] = {
            "press": self._press,
            "clip_start": self._clip_start,
            "clip_stop": self._clip_stop,
            "drain": self._drain,
        }
        self._streams: dict[str, Callable[[socket.socket, Header], None]] = {
            "state": self._state,
            "preview": self._preview,
        }

    def run(self) -> None:
        """Accept connections until stopped."""
        self._path.unlink(missing_ok=True)  # the role lock says that nobody else listens there
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(self._path))
            self._path.chmod(0o660)
            listener.listen(_MAX_CONNECTIONS)
            listener.settimeout(0.2)
            while not self._supervisor.stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        if self._open >= _MAX_CONNECTIONS:
            connection.close()
            return
        self._open += 1
        self._supervisor.serve("socket", lambda: self._serve(connection))

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                hello = {"protocol": wire.PROTOCOL, "start_counter": self._desk.start_counter}
                connection.sendall(wire.pack({"hello": hello}))
                while not self._supervisor.stop.is_set():
                    connection.settimeout(None)
                    self._answer(connection, wire.receive(connection))
        except (OSError, WireError):
            event(_log, "connection_ended", level=logging.DEBUG)
        finally:
            self._open -= 1

    def _answer(self, connection: socket.socket, message: Message) -> None:
        name = message.header.get("call")
        arguments = message.header.get("arguments", {})
        try:
            if name in self._streams:
                self._streams[name](connection, arguments)
                return
            if name not in self._calls:
                raise BadValue("There is no call of that name.")
            answer: Header = {"result": self._calls[name](arguments)}
        except ScopegateError as error:
            answer = wire.error_header(error)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            answer = wire.error_header(
                BadValue(f"The arguments of this call are not usable ({type(error).__name__}).")
            )
        connection.settimeout(_SEND_S)
        connection.sendall(wire.pack(answer))

    # --- calls --------------------------------------------------------------------------------------------

    def _press(self, arguments: Header) -> Header:
        capture = self._desk.presses.still(_ask(arguments), Origin.SOCKET)
        return {
            "sop_instance_uid": capture.sop_instance_uid,
            "exam": capture.exam,
            "frame": capture.sequence,
            "instance_number": capture.instance_number,
            "taken_at": capture.taken.utc.isoformat(),
        }

    def _clip_start(self, arguments: Header) -> Header:
        return {"clip": self._desk.presses.start_clip(_ask(arguments), Origin.SOCKET)}

    def _clip_stop(self, arguments: Header) -> Header:
        return {"sop_instance_uids": self._desk.presses.stop_clip(arguments["clip"], Origin.SOCKET)}

    def _drain(self, arguments: Header) -> Header:
        seconds = min(float(arguments["seconds"]), _DRAIN_LIMIT_S)
        return {"pending": self._desk.recorder.drain(arguments["exam"], seconds)}

    # --- subscriptions ------------------------------------------------------------------------------------

    def _state(self, connection: socket.socket, _: Header) -> None:
        connection.settimeout(_SEND_S)
        said: dict[str, Any] = {}
        quiet = 0.0
        while not self._supervisor.stop.is_set():
            state = self._desk.status.state()
            if _without_counters(state) != _without_counters(said) or quiet >= _STATE_AT_LEAST_S:
                connection.sendall(wire.pack(state))
                said, quiet = state, 0.0
            if self._supervisor.stop.wait(_STATE_S):
                return
            quiet += _STATE_S

    def _preview(self, connection: socket.socket, arguments: Header) -> None:
        source = arguments.get("source") or next(iter(self._desk.previews))
        if source not in self._desk.previews:
            raise BadValue("There is no picture source of that name.")
        preview, width, sequence = self._desk.previews[source], int(arguments.get("width", 960)), 0
        while not self._supervisor.stop.is_set():
            picture = preview.next(after=sequence, width=width, timeout=_PREVIEW_WAIT_S)
            if picture is None:
                if _hung_up(connection):
                    return
                continue
            sequence = picture.sequence
            header = {
                "event": "preview",
                "sequence": picture.sequence,
                "time_ns": picture.time_ns,
                "width": picture.width,
                "height": picture.height,
            }
            connection.settimeout(_SEND_S)
            connection.sendall(wire.pack(header, picture.jpeg))
            connection.settimeout(None)
            if wire.receive(connection).header.get("call") != "credit":
                raise WireError("A viewer gives credit and nothing else.")


def _ask(arguments: Header) -> Ask:
    request = arguments.get("request")
    return Ask(
        source=str(arguments.get("source", "")),
        exam=str(arguments.get("exam", "")),
        frame=int(arguments.get("frame", 0)),
        request=RequestStamp(id=str(request["id"]), digest=str(request["digest"])) if request else None,
    )


def _without_counters(state: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a state whose change is worth an event of its own."""
    if not state:
        return {}
    sources = [{k: v for k, v in s.items() if k not in {"sequence", "rate"}} for s in state["sources"]]
    clip = {k: v for k, v in (state["clip"] or {}).items() if k not in {"seconds", "frames"}}
    return {**state, "sources": sources, "clip": clip}


def _hung_up(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, TimeoutError):
        return False
    finally:
        connection.settimeout(None)
