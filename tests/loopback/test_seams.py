"""What the box holds on to inside pynetdicom is still there: each test fails when a new pynetdicom moves one."""

import inspect
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest
from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationServer, RequestHandler

from gateway.net import tuning
from gateway.net.association import Link, open_link
from gateway.net.peers import Context, Peer, Timeouts
from gateway.net.wires import WatchedSocket, WireBroken
from tests.box import until
from tests.loopback.listening import listening
from tests.loopback.peers import FaultArchive, items

VERIFICATION = "1.2.840.10008.1.1"


def call(port: int, ae_title: str = "TAKES") -> Link:
    peer = Peer(kind="archive", name="pacs", ae_title=ae_title, host="127.0.0.1", port=port)
    offer = Context(abstract_syntax=VERIFICATION, transfer_syntax=items.IMPLICIT)
    return open_link(peer, our_ae="PACS", contexts=[offer], timeouts=Timeouts())


@pytest.fixture
def link(fault_archive: FaultArchive) -> Iterator[Link]:
    with call(fault_archive.port) as opened:
        yield opened


def source(of: Callable[..., object]) -> str:
    return inspect.getsource(of)


# --- sockets ----------------------------------------------------------------------------------------------------


def test_who_calls_and_who_is_called_speak_through_the_box_s_own_socket() -> None:
    with listening() as listener, call(listener.port, "SCOPEGATE") as link:
        assert isinstance(tuning.wire_of(link.association), WatchedSocket)
        server = listener._server
        assert server is not None
        (called,) = server.active_associations
        assert isinstance(tuning.wire_of(called), WatchedSocket)
        assert isinstance(called.dul.to_provider_queue, tuning.DirectQueue)
    assert "self._create_socket(" in source(ApplicationEntity.associate)
    assert "self.socket.accept()" in source(AssociationServer.get_request)


def test_a_caller_is_tuned_before_its_threads_start() -> None:
    told = source(RequestHandler.handle)
    assert 0 < told.index("evt.trigger(assoc, evt.EVT_CONN_OPEN") < told.index("assoc.start()")


def test_pynetdicom_asks_whether_there_is_something_to_read(link: Link) -> None:
    assert source(DULServiceProvider._is_transport_event).count("self.socket.ready") == 2
    assert isinstance(link.association.dul.socket, tuning._Holder)


# --- what is sent, what is answered -----------------------------------------------------------------------------


def test_what_is_sent_passes_the_box_s_own_queue_while_an_association_stands(link: Link) -> None:
    dul = link.association.dul
    assert "self.to_provider_queue.put(primitive)" in source(DULServiceProvider.send_pdu)
    assert isinstance(dul.to_provider_queue, tuning.DirectQueue)
    assert dul.state_machine.current_state == "Sta6"


@pytest.mark.parametrize("send", ["echo", "store", "find", "action"])
def test_a_call_sends_by_way_of_the_box_and_waits_for_its_answer_there(send: str) -> None:
    ask = {
        "echo": Association.send_c_echo,
        "store": Association.send_c_store,
        "find": Association.send_c_find,
        "action": Association.send_n_action,
    }[send]
    told = source(ask)
    assert "self.dimse.send_msg(" in told
    waits = source(Association._wrap_find_responses) if send == "find" else told
    assert "self.dimse.get_msg(block=True)" in waits
    assert "self.msg_queue.get(" in source(DIMSEServiceProvider.get_msg)


def test_an_answer_is_there_for_the_call_that_waits_and_not_for_the_reactor(link: Link) -> None:
    """pynetdicom's reactor drops what it takes: a late one made a store wait for an answer that had come."""
    dimse = link.association.dimse
    answer = (1, SimpleNamespace(MessageIDBeingRespondedTo=None))  # nothing was asked yet
    dimse.msg_queue.put(answer)  # type: ignore[arg-type]  # stands in for one
    deadline = time.monotonic() + 0.2  # some hundred rounds of the reactor
    while time.monotonic() < deadline:
        assert dimse.get_msg(block=False) == (None, None)
    assert dimse.get_msg(block=True) == answer
    looks = "self.dimse.get_msg(block=False)"
    assert looks in source(Association._run_reactor), "pynetdicom's reactor looks for messages in another way"


def test_pynetdicom_still_hands_reports_to_a_thread_of_their_own() -> None:
    """The box takes them from there; if pynetdicom changes this, they would take an answer's place."""
    told = source(DIMSEServiceProvider.receive_primitive)
    assert "make_target(self.assoc._serve_request)" in told
    assert "isinstance(d_primitive, N_EVENT_REPORT) and d_primitive.is_valid_request" in told
    assert "self._serve_request(msg, cast(int, context_id))" in source(Association._run_reactor)


# --- threads that end -------------------------------------------------------------------------------------------


def test_a_call_hears_at_once_that_the_upper_layer_died(fault_archive: FaultArchive) -> None:
    with call(fault_archive.port, "MUTE") as link:
        association = link.association
        nonsense = threading.Timer(0.3, association.dul.event_queue.put, ["no event of the standard"])
        nonsense.start()
        _, answer = association.dimse.get_msg(block=True)
        nonsense.join()
        assert answer is None
        assert not link.usable
        assert link.broken().code != "timeout"


def test_a_call_does_not_wait_for_a_reactor_that_died(link: Link) -> None:
    association = link.association
    association.acse = None  # type: ignore[assignment]  # the reactor stumbles over it
    until("the reactor to end", lambda: not association.is_alive())
    association.is_established = True  # as the call saw it a moment before

    def ask() -> None:
        with suppress(WireBroken):
            association.send_c_echo()

    caller = threading.Thread(target=ask, daemon=True)
    caller.start()
    caller.join(10)
    waits = caller.is_alive()
    association.is_established = False
    assert not waits


@pytest.mark.parametrize("ask", [Association.send_c_store, Association.send_n_action, Association.release])
def test_a_call_waits_until_the_reactor_says_that_it_rests(ask: Callable[..., object]) -> None:
    assert "while not self._is_paused" in source(ask)


def test_a_caller_that_hangs_up_before_it_asked_leaves_its_room_at_once() -> None:
    """pynetdicom would keep its thread until the time for asking is up."""
    with listening(timeouts=Timeouts(negotiate=60, stall=60)) as listener:
        server = listener._server
        assert server is not None
        with socket.create_connection(("127.0.0.1", listener.port), 5):
            until("the caller to be counted", lambda: server.active_associations)
        until("its room to be free", lambda: not server.active_associations, deadline_s=10)


# --- switches ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "switch",
    ["STORE_SEND_CHUNKED_DATASET", "LOG_HANDLER_LEVEL", "LOG_REQUEST_IDENTIFIERS", "LOG_RESPONSE_IDENTIFIERS"],
)
def test_pynetdicom_has_the_switches_that_are_set(switch: str) -> None:
    assert f"\n{switch}: " in inspect.getsource(_config)
