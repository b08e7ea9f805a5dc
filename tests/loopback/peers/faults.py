"""Peers that misbehave on purpose: an archive and a worklist server by called AE title, and bare sockets.

The archive obeys its called AE title: TAKES, S<4 hex digits> (that status), MUTE, LATE (after `late_s`), ABORT and
DROP (in the middle of the data set), STUCK (stops reading in the middle), NOREPLY (no release), REJ<result><source>
<reason>, ONCE (busy for the first caller, then takes), NONE (accepts no context), TINY (wants PDUs of 16 bytes),
FREE (sets no limit to PDUs), TWICE (answers its first object twice, and refuses all others: A700), POURS (gives
an answer without end), LASTWORD (in the middle: answers what nobody asked, aborts, and takes nothing more).
The worklist server: TAKES, NOUID, NOSTEP, GARBAGE, MIXED, BADCMD, ABORT, ENDLESS, HUGE, MUTE, S<status>.
"""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Self

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_FIND, C_STORE
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import ModalityWorklistInformationFind, Verification

from tests.loopback.peers.items import worklist_item

_ENOUGH = 40_000  # bytes: the middle of an object that fills several PDUs


@dataclass
class Arrived:
    """One object as it came."""

    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes = field(repr=False)


class _Scp:
    """A pynetdicom server on 127.0.0.1 whose behaviour hangs on the called AE title."""

    def __init__(self, *, secured: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._secured = secured
        self.calls: list[str] = []  # called AE titles, one an association
        self.gone = threading.Event()
        self._busy_once: set[str] = set()
        self._server: Any = None
        self._entity = ApplicationEntity("FAULTS")
        self._entity.maximum_associations = 50
        self._entity.acse_timeout = 5
        self._entity.network_timeout = 60

    def handlers(self) -> list[Any]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        handlers = [(evt.EVT_REQUESTED, self._requested), *self.handlers()]
        self._server = self._entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=self._secured
        )
        self.port = self._server.server_address[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.gone.set()
        self._entity.shutdown()

    def _requested(self, event: evt.Event) -> None:
        assoc = event.assoc
        called = assoc.requestor.primitive.called_ae_title
        self.calls.append(called)
        if called.startswith("REJ"):
            self._reject(assoc, *(int(digit) for digit in called[3:6]))
        elif called.startswith("ONCE") and called not in self._busy_once:
            self._busy_once.add(called)
            self._reject(assoc, 2, 3, 1)
        elif called == "NONE":
            assoc.acceptor.supported_contexts = []
        elif called in ("TINY", "FREE"):
            assoc.acceptor.maximum_length = {"TINY": 16, "FREE": 0}[called]

    @staticmethod
    def _reject(assoc: Any, result: int, source: int, reason: int) -> None:
        assoc.acse.send_reject(result, source, reason)
        assoc.kill()


def _called(event: evt.Event) -> str:
    return str(event.assoc.requestor.primitive.called_ae_title)


def commented(status: int, comment: str) -> Dataset:
    """Return a status with its ErrorComment, which holds 64 characters (PS3.7 C.4)."""
    said = Dataset()
    said.Status = status
    said.ErrorComment = comment
    return said


def _stored(event: evt.Event, message: int) -> C_STORE:
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo = message
    answer.AffectedSOPClassUID = event.request.AffectedSOPClassUID
    answer.AffectedSOPInstanceUID = event.request.AffectedSOPInstanceUID
    answer.Status = 0
    return answer


class FaultArchive(_Scp):
    """A C-STORE and C-ECHO server; `arrived` holds what it took."""

    def __init__(self, *, late_s: float = 1.0, secured: ssl.SSLContext | None = None) -> None:
        super().__init__(secured=secured)
        self.arrived: list[Arrived] = []
        self.largest_pdu = 0  # bytes
        self.refuses = False  # see TWICE
        self.comment = ""  # an ErrorComment with each status
        self._late_s = late_s
        self._entity.supported_contexts = [
            *(cx for cx in AllStoragePresentationContexts[:126]),
        ]
        for context in self._entity.supported_contexts:
            context.transfer_syntax = ALL_TRANSFER_SYNTAXES
        self._entity.add_supported_context(Verification, ALL_TRANSFER_SYNTAXES)

    def handlers(self) -> list[Any]:
        return [(evt.EVT_C_STORE, self._store), (evt.EVT_DATA_RECV, self._data), (evt.EVT_C_ECHO, self._echo)]

    def _echo(self, event: evt.Event) -> int | Dataset:
        return self._status(event)

    def _store(self, event: evt.Event) -> int | Dataset:
        called = _called(event)
        if called == "MUTE":
            self.gone.wait(30)
        if called == "LATE":
            self.gone.wait(self._late_s)
        self.arrived.append(
            Arrived(
                sop_instance_uid=str(event.request.AffectedSOPInstanceUID),
                transfer_syntax_uid=str(event.context.transfer_syntax),
                data_set=event.request.DataSet.getvalue(),
            )
        )
        if called == "TWICE":
            if self.refuses:
                return 0xA700
            self.refuses = True
            event.assoc.dimse.send_msg(_stored(event, event.request.MessageID), event.context.context_id)
        if called == "POURS":
            self._pour(event)
        return self._status(event)

    @staticmethod
    def _pour(event: evt.Event) -> None:
        """Send pieces of a command that does not end (PS3.8 E.2: 01), or until the line is cut."""
        piece = bytes(16_000)
        raw = struct.pack(">BBLLBB", 4, 0, len(piece) + 6, len(piece) + 2, event.context.context_id, 1) + piece
        with suppress(OSError):
            event.assoc.dul.socket.socket.sendall(raw * 250)

    def _status(self, event: evt.Event) -> int | Dataset:
        called = _called(event)
        status = int(called[1:5], 16) if called.startswith("S") and len(called) == 5 else 0
        return commented(status, self.comment) if self.comment else status

    def _data(self, event: evt.Event) -> None:
        self.largest_pdu = max(self.largest_pdu, len(event.data))
        if event.data[0] == 5 and _called(event) == "NOREPLY":
            self.gone.wait(30)  # holds the reactor: the release is never answered
        if event.data[0] != 4:
            return
        seen = getattr(event.assoc, "seen", 0) + len(event.data)
        event.assoc.seen = seen
        if seen < _ENOUGH:
            return
        fault = self._middle(event)
        if fault == "ABORT":
            event.assoc.abort()
        elif fault == "DROP":
            event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        elif fault == "STUCK":
            self.gone.wait(30)
        elif fault == "LASTWORD":
            self._last_word(event.assoc)

    @staticmethod
    def _last_word(assoc: Any) -> None:
        """Send an answer and an A-ABORT (PS3.8 9.3.8) past the reactor; what comes from now on is reset."""
        answer = C_STORE()
        answer.MessageIDBeingRespondedTo = 0xFFFF
        answer.AffectedSOPClassUID = answer.AffectedSOPInstanceUID = "1.2"
        answer.Status = 0
        message = C_STORE_RSP()
        message.primitive_to_message(answer)
        (said,) = message.encode_msg(assoc.accepted_contexts[0].context_id, 0)
        line = assoc.dul.socket.socket
        line.sendall(P_DATA_TF(said).encode() + struct.pack(">BBLL", 7, 0, 4, 0))
        line.shutdown(socket.SHUT_RDWR)

    def _middle(self, event: evt.Event) -> str:
        """Return what to do in the middle of a data set."""
        return _called(event)


class FaultWorklist(_Scp):
    """A C-FIND worklist server. `questions` holds the identifiers that were asked."""

    def __init__(self, items: tuple[Dataset, ...] = (), *, secured: ssl.SSLContext | None = None) -> None:
        super().__init__(secured=secured)
        self.items = list(items) or [worklist_item()]
        self.questions: list[Dataset] = []
        self._entity.add_supported_context(
            ModalityWorklistInformationFind, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        )

    def handlers(self) -> list[Any]:
        return [(evt.EVT_C_FIND, self._find)]

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        called = _called(event)
        self.questions.append(event.identifier)
        behaviour: dict[str, Callable[[evt.Event], Iterator[tuple[int, Dataset | None]]]] = {
            "GARBAGE": self._garbage,
            "MIXED": self._mixed,
            "BADCMD": self._bad_command,
            "ABORT": self._abort,
            "ENDLESS": self._endless,
            "HUGE": self._huge,
            "MUTE": self._mute,
        }
        if called in behaviour:
            yield from behaviour[called](event)
        elif called.startswith("S") and len(called) == 5:
            yield int(called[1:], 16), None
        else:
            for item in self.items:
                yield 0xFF00, _without(item, called)

    def _garbage(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        _answer(event, b"<html>this is not a data set</html>")
        yield from ()

    def _mixed(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        _answer(event, b"\x08\x00\x05\x00CS\xff\xff")
        for item in self.items:
            yield 0xFF00, item

    def _bad_command(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        nonsense = b"\x13\x37" * 20
        pdv = struct.pack(">LBB", len(nonsense) + 2, event.context.context_id, 3) + nonsense
        event.assoc.dul.socket.socket.sendall(struct.pack(">BBL", 4, 0, len(pdv)) + pdv)
        self.gone.wait(30)
        yield from ()

    def _abort(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, self.items[0]
        event.assoc.abort()

    def _endless(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        while not self.gone.is_set() and event.assoc.is_established:
            yield 0xFF00, self.items[0]

    def _huge(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        """Send one identifier that never ends."""
        piece = bytes(60_000)
        pdv = struct.pack(">LBB", len(piece) + 2, event.context.context_id, 0) + piece
        _answer(event, b"\x00" * 10, last=False)
        try:
            while not self.gone.is_set():
                event.assoc.dul.socket.socket.sendall(struct.pack(">BBL", 4, 0, len(pdv)) + pdv)
        except (OSError, AttributeError):  # the other side has had enough
            event.assoc.kill()
        yield from ()

    def _mute(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        del event
        self.gone.wait(30)
        yield from ()


def _without(item: Dataset, called: str) -> Dataset:
    missing = {"NOUID": ["StudyInstanceUID"], "NOSTEP": ["ScheduledProcedureStepSequence"]}.get(called, [])
    copy = Dataset()
    copy.update({element.tag: element for element in item if element.keyword not in missing})
    return copy


def _answer(event: evt.Event, identifier: bytes, *, last: bool = True) -> None:
    """Send a pending answer around arbitrary bytes."""
    answer = C_FIND()
    answer.MessageIDBeingRespondedTo = event.request.MessageID
    answer.AffectedSOPClassUID = event.request.AffectedSOPClassUID
    answer.Status = 0xFF00
    answer.Identifier = BytesIO(identifier)
    assoc = event.assoc
    if last:
        assoc.dimse.send_msg(answer, event.context.context_id)
        return
    whole = assoc.dul.send_pdu
    pdus: list[Any] = []
    assoc.dul.send_pdu = pdus.append
    assoc.dimse.send_msg(answer, event.context.context_id)
    assoc.dul.send_pdu = whole
    # The command; its data set follows, or does not. Past the reactor, as what follows goes past it.
    assoc.dul.socket.socket.sendall(P_DATA_TF(pdus[0]).encode())


class RawServer:
    """A bare TCP server on 127.0.0.1: `behave(connection, gone)` runs in a thread for each caller."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self._behave = behave
        self._gone = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._gone.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._behave(connection, self._gone)
            except OSError:
                return


def silent(connection: socket.socket, gone: threading.Event) -> None:
    """Take the connection and say nothing."""
    del connection
    gone.wait(30)


def closes(connection: socket.socket, gone: threading.Event) -> None:
    """Hear the request and hang up."""
    del gone
    connection.recv(1024)


def speaks_http(connection: socket.socket, gone: threading.Event) -> None:
    """Be a web server."""
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    gone.wait(5)


def trickles(connection: socket.socket, gone: threading.Event) -> None:
    """Announce an acceptance of 64 KiB and send it byte by byte, for ever."""
    connection.recv(1024)
    connection.sendall(struct.pack(">BBL", 2, 0, 65536))
    while not gone.wait(0.05):
        connection.sendall(b"\0")
