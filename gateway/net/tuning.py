"""The one place that knows pynetdicom's insides: what it sends with, how long it waits, what it may log.

Five seams are used, each proven by a test that fails when pynetdicom moves it: `ApplicationEntity._create_socket`
and `AssociationServer.get_request` hand out the socket, `DULServiceProvider.to_provider_queue` takes what is sent,
`DIMSEServiceProvider.get_msg` gives answers, `Association._serve_request` gets requests, and the reactors are
`Thread.run`.
docs/decisions/0005-network.md says why.
"""

import logging
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ABORT, A_RELEASE, P_DATA, MaximumLengthNotification
from pynetdicom.transport import AddressInformation, AssociationSocket

from gateway import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from gateway.threads import contained

LARGEST_PDU = 128 * 1024  # bytes; also for peers that set no limit: one PDU is one piece of memory
_SMALLEST_PDU = 128  # bytes; nobody means less, and pynetdicom divides by the length less six

_MOST_REQUESTS = 8  # of a peer that was called, waiting to be looked at; one is what the standard knows

GetMessage = Callable[..., tuple[Any, Any]]
Serve = Callable[[Any, int], None]
Inbox = queue.Queue[tuple[Any, int] | None]  # a request and its context; None: the connection has ended


class WireBroken(Exception):
    """The connection ended while we were writing."""


class WatchedSocket(socket.socket):
    """A TCP socket that never waits without end, tells why it failed, and takes only so many bytes.

    stall: seconds within which some bytes must move; allowance: bytes that may still arrive, None for no bound.
    """

    def __init__(self, plain: socket.socket, *, stall: float, allowance: int | None) -> None:
        """Take over the file descriptor of `plain`."""
        timeout = plain.gettimeout()
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        super().settimeout(timeout)
        self.stall = stall
        self.allowance = allowance
        self.failure: OSError | None = None  # why connecting failed
        self.lost = False  # the other side, or the network, ended it before we did
        self.leaving = False  # we are ending it
        self.received = 0
        self.written = 0

    def settimeout(self, value: float | None) -> None:
        """Set a timeout; "without end" means `stall` here."""
        super().settimeout(self.stall if value is None else value)

    def connect(self, address: Any) -> None:  # noqa: ANN401 - the signature of socket.connect
        try:
            super().connect(address)
        except OSError as error:
            self.failure = error
            raise
        self.speed_up()

    def speed_up(self) -> None:
        """Keep small messages from waiting for each other (Nagle, delayed acknowledgement)."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        try:
            data = super().recv(bufsize, flags)
            if data:
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # the kernel forgets it
        except OSError as error:
            self._ended(error)
            raise
        if not data:
            self._ended()
        self.received += len(data)
        if self.overflowed:
            raise OSError("more bytes than were asked for")  # pynetdicom ends the association
        return data

    @property
    def overflowed(self) -> bool:
        return self.allowance is not None and self.received > self.allowance

    def write(self, data: bytes) -> None:
        """Send all of `data`, at least some of it every `stall` seconds, or raise WireBroken."""
        try:
            self.sendall(data)
        except OSError as error:
            self._ended(error)
            raise WireBroken from error
        self.written += len(data)

    def cut(self) -> None:
        """End the connection at once, whatever any thread waits for on it."""
        self.leaving = True
        self.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how: int) -> None:
        """End it also when the other side did so first: pynetdicom would then forget to close it."""
        with suppress(OSError):
            super().shutdown(how)

    def _ended(self, error: OSError | None = None) -> None:
        if not self.leaving and not isinstance(error, TimeoutError):
            self.lost = True


class DirectQueue(queue.Queue[Any]):
    """Takes pynetdicom's outgoing primitives; P-DATA goes out at once, from the thread that brings it.

    pynetdicom would keep a whole object here, without back-pressure, until its reactor thread has sent it.
    """

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ANN401, FBT001, FBT002 - as queue.Queue has it
        if not isinstance(item, P_DATA):
            super().put(item, block, timeout)
            return
        wire = wire_of(self._association)
        if wire is None or self._association.dul.state_machine.current_state != "Sta6":
            raise WireBroken
        for context_id, data in item.presentation_data_value_list:
            # PS3.8 9.3.5: a P-DATA-TF PDU with one presentation data value
            wire.write(struct.pack(">BBLLB", 4, 0, len(data) + 5, len(data) + 1, context_id) + data)


class Entity(ApplicationEntity):
    """An application entity whose associations are tuned before their first byte."""

    def __init__(self, ae_title: str, *, stall: float, allowance: int | None) -> None:
        prepare()
        super().__init__(ae_title)
        self.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._stall = stall
        self._allowance = allowance
        self.wire: WatchedSocket | None = None  # of the latest association
        self.inbox: Inbox = queue.Queue(_MOST_REQUESTS)  # likewise

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> AssociationSocket:
        holder = super()._create_socket(assoc, address, tls_args)
        assert holder.socket is not None
        self.wire = WatchedSocket(holder.socket, stall=self._stall, allowance=self._allowance)
        holder.socket = self.wire
        tune(assoc, self.inbox)
        return holder


def prepare() -> None:
    """Set pynetdicom's process-wide switches; as often as one likes."""
    _config.STORE_SEND_CHUNKED_DATASET = True  # send_c_store reads the file piece by piece, as it is
    _config.LOG_HANDLER_LEVEL = "none"  # the standard handlers print data sets
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    # Its error lines quote exceptions, and these may quote a patient's data; we report in our own words.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)


def tune(association: Association, inbox: Inbox | None = None) -> None:
    """Make an association that has not started write directly, end visibly, and die quietly.

    inbox: takes the requests of a peer that we called.
    """
    association.dul.to_provider_queue = DirectQueue(association)

    def wake() -> None:
        wire = wire_of(association)
        if wire is not None:
            wire.cut()
        association.is_established = False
        association._is_paused = True  # noqa: SLF001 - pynetdicom's calls spin until the reactor says so
        association.dimse.msg_queue.put((None, None))  # whoever waits for an answer shall not wait longer

    association.dul.run = contained("dicom-upper-layer", association.dul.run, wake)  # type: ignore[method-assign]  # Thread.run of one object
    association.run = contained("dicom-association", association.run, wake)  # type: ignore[method-assign]  # likewise
    if association.is_requestor:
        association.dimse.get_msg = _answers_only(association.dimse.get_msg)  # type: ignore[method-assign]
    association._serve_request = _in_turn(association, inbox)  # type: ignore[method-assign, assignment]  # noqa: SLF001
    association.bind(evt.EVT_CONN_CLOSE, _closed, [inbox])
    association.bind(evt.EVT_ACSE_SENT, _leaving)


def _answers_only(get_msg: GetMessage) -> GetMessage:
    """Leave a requestor's messages to the call that waits for them.

    pynetdicom's reactor calls itself paused a moment before it is: one that wakes late then takes the answer that a
    call waits for, finds it unexpected and drops it, and the call waits until its time is up. The reactor looks
    without blocking, calls look with. Requests do not pass here: see `_in_turn`.
    """

    def get(block: bool = False) -> tuple[Any, Any]:  # noqa: FBT001, FBT002 - pynetdicom's signature
        return get_msg(block=True) if block else (None, None)

    return get


def _in_turn(association: Association, inbox: Inbox | None) -> Serve:
    """Let requests be served one after the other, and by nobody but who is there for it.

    pynetdicom starts a thread for every N-EVENT-REPORT, which answers it beside whatever else goes over the
    connection; a peer that sends a thousand would get a thousand. Here such a thread hands the request on at once:
    where we were called, to the reactor, which serves it in its turn; where we called, to the inbox, from which the
    call that expects a report takes it. What nobody makes room for is not answered.
    """
    serve: Serve = association._serve_request  # noqa: SLF001 - the seam

    def sort(message: Any, context_id: int) -> None:  # noqa: ANN401 - pynetdicom's primitives
        if threading.current_thread() is association:
            serve(message, context_id)
        elif association.is_acceptor:
            association.dimse.msg_queue.put((context_id, message))
        elif inbox is not None:
            with suppress(queue.Full):
                inbox.put_nowait((message, context_id))

    return sort


def wire_of(association: Association) -> WatchedSocket | None:
    """Return the socket below an association, None when it is closed."""
    holder = association.dul.socket
    wire = holder.socket if holder is not None else None
    return wire if isinstance(wire, WatchedSocket) else None


def limit_pdu(association: Association) -> bool:
    """Bound the length of what is sent in one PDU; False when the peer asked for nonsense."""
    for item in association.acceptor.user_information:
        if isinstance(item, MaximumLengthNotification):
            asked = item.maximum_length_received or LARGEST_PDU  # 0: no limit (PS3.8 D.1)
            if asked < _SMALLEST_PDU:
                return False
            item.maximum_length_received = min(asked, LARGEST_PDU)
    return True


def _closed(event: evt.Event, inbox: Inbox | None) -> None:
    association = event.assoc
    association.dimse.msg_queue.put((None, None))  # pynetdicom does so for some endings only
    if inbox is not None:
        with suppress(queue.Full):  # whoever looks finds something anyway
            inbox.put_nowait(None)
    if association.is_acceptor and association.requestor.primitive is None:
        # It waits for a request that cannot come any more, and would until the time is up.
        association.dul.to_user_queue.put(None)  # what it takes for "nothing came"


def _leaving(event: evt.Event) -> None:
    wire = wire_of(event.assoc)
    if wire is not None and isinstance(getattr(event, "primitive", None), (A_ABORT, A_RELEASE)):
        wire.leaving = True  # what the peer does from now on is an answer
