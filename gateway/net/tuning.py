"""The one place that knows pynetdicom's insides: what it sends with, how long it waits, what it may log.

Its seams are `ApplicationEntity._create_socket`, which makes a caller's socket; `AssociationSocket.ready`, asked
before anything is read; `DULServiceProvider.to_provider_queue`, which takes what is sent, and `to_user_queue`, at
which one who is called waits; `DIMSEServiceProvider.get_msg`, `send_msg` and `msg_queue` for answers;
`Association._serve_request` for requests; `_is_paused`, for which calls wait; `Thread.run` of both reactors.
tests/loopback/test_seams.py fails when pynetdicom moves one. docs/decisions/0005-network.md says why.
"""

import logging
import queue
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
from gateway.net.wires import TlsSocket, WatchedSocket, WireBroken
from gateway.threads import contained

LARGEST_PDU = 128 * 1024  # bytes; also for peers that set no limit: one PDU is one piece of memory
_SMALLEST_PDU = 128  # bytes; nobody means less, and pynetdicom divides by the length less six

_MOST_REQUESTS = 8  # of a peer that was called, waiting to be looked at; one is what the standard knows

GetMessage = Callable[..., tuple[Any, Any]]
Serve = Callable[[Any, int], None]
Inbox = queue.Queue[tuple[Any, int] | None]  # a request and its context; None: the connection has ended


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

    def __init__(
        self,
        ae_title: str,
        *,
        stall: float,
        allowance: int | None,
        tls: tuple[ssl.SSLContext, str] | None = None,
    ) -> None:
        """tls: how its own calls are secured, and the name that the called one must prove."""
        prepare()
        super().__init__(ae_title)
        self.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._stall = stall
        self._allowance = allowance
        self._tls = tls
        self.wire: WatchedSocket | None = None  # of the latest association
        self.inbox: Inbox = queue.Queue(_MOST_REQUESTS)  # likewise

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> AssociationSocket:
        holder = super()._create_socket(assoc, address, tls_args)
        assert holder.socket is not None
        if self._tls is None:
            self.wire = WatchedSocket(holder.socket, stall=self._stall, allowance=self._allowance)
        else:
            context, name = self._tls
            self.wire = TlsSocket(
                holder.socket, stall=self._stall, allowance=self._allowance, context=context, server_name=name
            )
        holder.socket = self.wire
        _see_decrypted(holder)
        tune(assoc, self.inbox)
        return holder


class _Holder(AssociationSocket):
    """pynetdicom's socket, whose "is there something to read" counts what was decrypted, and that alone.

    `select` sees neither bytes that wait decrypted, nor that those of the line are TLS's own; a reactor that reads
    then would stand still until the other side says something, and could not send meanwhile.
    """

    @property
    def ready(self) -> bool:
        wire = self.socket
        if not isinstance(wire, TlsSocket):
            return bool(super().ready)
        return wire.holds or (bool(super().ready) and wire.look())


def _see_decrypted(holder: AssociationSocket) -> None:
    holder.__class__ = _Holder  # pynetdicom makes it in two places, and lets nobody choose the class


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
    if association.dul.socket is not None:
        _see_decrypted(association.dul.socket)

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
        _hear_answers_only(association)
    association._serve_request = _in_turn(association, inbox)  # type: ignore[method-assign, assignment]  # noqa: SLF001
    association.bind(evt.EVT_CONN_CLOSE, _closed, [inbox])
    association.bind(evt.EVT_ACSE_SENT, _leaving)


def _hear_answers_only(association: Association) -> None:
    """Leave a requestor's messages to the call that waits for them, and to that call what answers it alone.

    pynetdicom's reactor calls itself paused a moment before it is: one that wakes late then takes the answer that a
    call waits for, finds it unexpected and drops it, and the call waits until its time is up. The reactor looks
    without blocking, calls look with. And a call takes whatever comes for its answer: of a peer that answers an
    object twice, the second would count for the next object. Requests do not pass here: see `_in_turn`.
    """
    dimse = association.dimse
    get_msg: GetMessage = dimse.get_msg
    send_msg = dimse.send_msg
    asked: int | None = None

    def send(primitive: Any, context_id: int) -> None:  # noqa: ANN401 - pynetdicom's primitives
        nonlocal asked
        if primitive.MessageIDBeingRespondedTo is None:
            asked = primitive.MessageID
        send_msg(primitive, context_id)

    def get(block: bool = False) -> tuple[Any, Any]:  # noqa: FBT001, FBT002 - pynetdicom's signature
        while block:
            context_id, message = get_msg(block=True)
            if message is None or message.MessageIDBeingRespondedTo == asked:
                return context_id, message
        return None, None

    dimse.send_msg = send  # type: ignore[method-assign]
    dimse.get_msg = get  # type: ignore[method-assign]


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
