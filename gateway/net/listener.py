"""Answers C-ECHO to the systems that are configured, five at a time, takes their storage commitment reports, and
refuses everything else.

Not for objects: nothing can be stored here.
"""

import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import time
from pynetdicom.transport import AssociationServer

from gateway.config.settings import Address, Tls
from gateway.errors import ListenerFailed
from gateway.log import event, warn
from gateway.net import tls
from gateway.net.commitment import PUSH_MODEL, Caller, Hear, answer_to
from gateway.net.hearing import Guest, Hearing
from gateway.net.peers import Timeouts, address_of, addresses
from gateway.net.tuning import Entity, tune, wire_of
from gateway.net.wires import TlsSocket, WatchedSocket

_log = logging.getLogger(__name__)

MOST_ASSOCIATIONS = 5
MOST_CONNECTIONS = 8  # a few more may wait to be told that there are too many
_ALLOWANCE = 1024 * 1024  # bytes one association may say to us; an echo needs less than one thousand
LONGEST_S = 300.0  # that an association may last; a report takes seconds
_GLANCE = 0.25  # seconds between two looks at `stop`
_MOVE_S = 10.0  # until another address was taken, or not
_AGAIN_S = 10.0  # between two tries of an address that could not be taken


class Listener:
    """Listens at `address` under `ae_title` for `callers`: AE titles and hosts, which need not pair up.

    This box itself (its own title, from its own loopback) may always ask, so that it can be tested. `hear` takes
    storage commitment reports; None: nobody was asked for any, and their service is not offered.
    """

    def __init__(
        self,
        address: Address,
        *,
        ae_title: str,
        callers: Iterable[tuple[str, str]] = (),
        hear: Hear | None = None,
        timeouts: Timeouts | None = None,
        tls: Tls | None = None,
        longest_s: float = LONGEST_S,
    ) -> None:
        """tls: then callers must speak TLS and show a certificate of its `ca`; None: in clear."""
        self._longest_s = longest_s
        self._address = address
        self._tls = tls
        self._ae_title = ae_title
        pairs = tuple(callers)
        self._titles = sorted({ae_title, *(title for title, _ in pairs)})
        self._hosts = tuple(sorted({host for _, host in pairs}))
        self._hearing = Hearing(hear)
        self._timeouts = timeouts or Timeouts(negotiate=10.0, stall=10.0)
        self._server: _Server | None = None
        self._welcoming = threading.Lock()  # one guest at a time
        self._wanted: Address | None = None  # where to listen next
        self._moved = threading.Event()
        self._refused: ListenerFailed | None = None
        self._left: list[_Server] = []  # those that were moved away from
        self._ended = False
        self.trouble: ListenerFailed | None = None  # why nobody is heard at present

    @property
    def port(self) -> int:
        """The port that is listened at; the system's choice when 0 was configured."""
        return int(self._server.server_address[1]) if self._server else self._address.port

    def open(self) -> None:
        """Take the port or raise ListenerFailed."""
        self._left = [server for server in self._left if server.active_associations]
        if self._tls is not None:
            _usable(self._tls)
        guest = self._hearing.guest
        title = (guest.ours if guest else "") or self._ae_title
        entity = Entity(title, stall=self._timeouts.stall, allowance=_ALLOWANCE)
        entity.acse_timeout = self._timeouts.negotiate
        entity.dimse_timeout = self._timeouts.answer
        entity.network_timeout = self._timeouts.idle
        entity.maximum_associations = MOST_ASSOCIATIONS
        entity.require_called_aet = True
        entity.require_calling_aet = sorted({*self._titles, *([guest.ae_title] if guest else [])})
        try:
            self._server = _Server(
                entity,
                self._address,
                title,
                hosts=self._hosts,
                hearing=self._hearing,
                timeouts=self._timeouts,
                longest_s=self._longest_s,
                secured=self._tls,
            )
        except OSError as error:
            raise ListenerFailed(
                f"This box cannot listen at {self._address}: {error.strerror or error}.", code="port-taken"
            ) from error

    def begin(self) -> None:
        """Take the port if that is possible; `trouble` says why not. Whoever sends does not wait for it."""
        try:
            self.open()
        except ListenerFailed as error:
            if self.trouble is None or self.trouble.what != error.what:
                warn(_log, "not_listening", at=self._address, code=error.code, why=error.what)
            self._server, self.trouble = None, error
        else:
            self.trouble = None
            event(_log, "listening", at=self._address)

    def serve(self, stop: threading.Event) -> None:
        """Answer until `stop` is set, then close; a taken address is tried again. For a supervised thread."""
        while not stop.is_set():
            if self._wanted is not None:
                self._move(self._wanted)
            if self._server is None:
                self.begin()
                self._rest(stop)
            else:
                self._server.handle_request()
        self.close()

    def _rest(self, stop: threading.Event) -> None:
        """Wait before the next try, unless the port was taken or another address is wanted."""
        for _ in range(round(_AGAIN_S / _GLANCE)):
            if self._server is not None or self._wanted is not None or stop.wait(_GLANCE):
                return

    @contextmanager
    def welcoming(self, guest: Guest, address: Address) -> Iterator[None]:
        """Take a guest's reports as well, at this address, while the block runs; then all is as before.

        Only while `serve` runs. Raises ListenerFailed when the address cannot be taken.
        """
        with self._welcoming:
            before, self._hearing.guest = self._address, guest
            try:
                self._go(address)
                yield
            finally:
                self._hearing.guest = None
                with suppress(ListenerFailed):  # the process ends, or its serving thread did and takes it along
                    self._go(before)

    def _go(self, address: Address) -> None:
        """Have the serving thread open anew, for it alone knows that nobody is being accepted."""
        self._moved.clear()
        self._refused, self._wanted = None, address
        if self._ended or not self._moved.wait(_MOVE_S) or self._ended:
            self._wanted = None
            raise ListenerFailed("This box does not listen at present.", code="not-listening")
        if self._refused is not None:
            raise self._refused

    def _move(self, address: Address) -> None:
        """Listen there; at the old address when that one is refused."""
        before = self._address
        if self._server is not None:
            self._server.server_close()  # who is connected is heard to the end
            self._left.append(self._server)
            self._server = None
        self._address, self._wanted = address, None
        try:
            self.open()
        except ListenerFailed as error:
            self._address, self._refused = before, error
            self.begin()
        else:
            self.trouble = None
        finally:
            self._moved.set()

    def close(self) -> None:
        """Give the port back and end what is still connected."""
        self._ended = True
        self._moved.set()
        if self._server is not None:
            self._server.server_close()
            self._left.append(self._server)
            self._server = None
        for server in self._left:
            server.end_associations()


def _usable(secured: Tls) -> None:
    try:
        tls.for_callers(secured)
    except tls.TlsFileUnusable as error:
        raise ListenerFailed(
            f"This box cannot listen with TLS: {error.which} cannot be used ({error.why}).",
            code="tls-file",
            action="Call IT: put the file right. It is tried again by itself.",
        ) from None


class _Server(AssociationServer):
    """Starts an association's threads itself, so that it has counted one caller before it looks at the next."""

    request_queue_size = 64  # a port scan must not keep others from being heard

    def __init__(
        self,
        entity: Entity,
        address: Address,
        ae_title: str,
        *,
        hosts: tuple[str, ...],
        hearing: Hearing,
        timeouts: Timeouts,
        longest_s: float,
        secured: Tls | None,
    ) -> None:
        self._longest_s = longest_s
        self._hosts = (*hosts, *hearing.hosts())
        self._secured = secured
        self._stall = timeouts.stall
        self._negotiate = timeouts.negotiate
        syntaxes: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        contexts = [build_context(Verification, syntaxes)]
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, self._begins), (evt.EVT_C_ECHO, _echo)]
        if hearing.offered:
            reports = build_context(PUSH_MODEL, syntaxes)
            reports.scu_role, reports.scp_role = False, True  # of the caller, who is the SCP (PS3.4 J.3.3.1)
            contexts.append(reports)
            handlers.append((evt.EVT_N_EVENT_REPORT, _report, [hearing.hear]))
        super().__init__(
            entity,
            (address.host, address.port),
            ae_title,
            contexts,
            evt_handlers=handlers,
        )
        self.timeout = _GLANCE

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = super().get_request()
        try:
            wire = self._watched(plain, str(address[0]))
            wire.settimeout(None)
            wire.speed_up()
        except OSError:
            plain.close()
            raise  # the caller is as good as gone; the next one is not
        return wire, address

    def _watched(self, plain: socket.socket, caller: str) -> WatchedSocket:
        """Return what is read from. TLS is agreed on as its bytes come in, in the association's own thread."""
        if self._secured is None:
            return WatchedSocket(plain, stall=self._stall, allowance=_ALLOWANCE)

        def failed(error: ssl.SSLError) -> None:
            warn(
                _log, "caller_not_secured", address=caller, code=tls.fault_of(error).code, why=tls.reason_of(error)
            )

        try:
            context = tls.for_callers(self._secured)
        except tls.TlsFileUnusable as error:
            warn(_log, "listener_not_secured", code="tls-file", key=error.which, why=error.why)
            raise OSError from None
        return TlsSocket(plain, stall=self._stall, allowance=_ALLOWANCE, context=context, failed=failed)

    def verify_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[Any, ...]
    ) -> bool:
        """Close at once what may not ask: a port scan costs no thread."""
        del request
        if not self._allowed(address_of(client_address)):
            warn(_log, "caller_unknown", address=client_address[0])
            return False
        if len(self.active_associations) >= MOST_CONNECTIONS:
            warn(_log, "callers_too_many", address=client_address[0])
            return False
        return True

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[Any, ...]
    ) -> None:
        """Say that a connection failed before it was one, without its content."""
        del request
        event(_log, "caller_vanished", address=client_address[0])

    def _begins(self, opened: evt.Event) -> None:
        """Tune an association before its threads start; pynetdicom would go on with one that cannot be."""
        try:
            tune(opened.assoc)
            self._limit(opened.assoc)
        except BaseException:
            if wire := wire_of(opened.assoc):
                wire.cut()
            raise

    def _limit(self, association: Association) -> None:
        """Cut off who has not asked in time or does not end, also one who talks on, byte by byte, inside a message.

        pynetdicom reads a message to its end before it looks at any clock.
        """
        wire = wire_of(association)
        assert wire is not None

        def late() -> None:
            if association.is_established:
                start(self._longest_s, wire.cut)
            else:
                wire.cut()

        def start(seconds: float, then: Callable[[], None]) -> None:
            timer = threading.Timer(seconds, then)
            timer.name, timer.daemon = "caller-deadline", True
            association.bind(evt.EVT_CONN_CLOSE, lambda _: timer.cancel())
            timer.start()

        start(self._negotiate, late)

    def end_associations(self) -> None:
        for association in self.active_associations:
            if wire := wire_of(association):
                wire.cut()  # aborting would wait for the end of a message that does not end
            association.abort()

    def _allowed(self, address: str) -> bool:
        caller = ipaddress.ip_address(address)
        return caller.is_loopback or any(address in addresses(host) for host in self._hosts)


def _echo(_: evt.Event) -> int:
    return 0x0000


def _report(heard: evt.Event, hear: Hear) -> tuple[int, None]:
    requestor = heard.assoc.requestor
    assert requestor.address_info is not None
    caller = Caller(ae_title=requestor.ae_title, address=address_of(requestor.address_info.as_tuple))
    return answer_to(heard.request, str(heard.context.transfer_syntax), caller, hear), None
