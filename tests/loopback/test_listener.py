"""Our listener, asked by DCMTK and by those who should not ask."""

import socket
import struct
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest
from pynetdicom.ae import ApplicationEntity

from gateway.config.settings import Address, Destination
from gateway.errors import DeliveryError, ListenerFailed, NeedsConfiguration, TryLater
from gateway.net.association import open_link
from gateway.net.echo import echo
from gateway.net.listener import MOST_ASSOCIATIONS, MOST_CONNECTIONS, Listener
from gateway.net.peers import Context, Peer, Timeouts
from gateway.net.store import StoreAssociation, Wanted
from tests.loopback.listening import listening
from tests.loopback.peers import items
from tests.loopback.peers.namespace import add_address

VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def listener():
    with listening() as started:
        yield started


def _echoscu(port, *, calling="PACS", called="SCOPEGATE"):
    # The full path: a virtual environment with pynetdicom has its own echoscu.
    return subprocess.run(
        ["/usr/bin/echoscu", "-v", "-aet", calling, "-aec", called, "127.0.0.1", str(port)],
        capture_output=True,
        check=False,
        text=True,
        timeout=20,
    )


def _link(port, ae_title="PACS"):
    peer = Peer(kind="box", name="ours", ae_title="SCOPEGATE", host="127.0.0.1", port=port)
    offers = [Context(abstract_syntax=VERIFICATION, transfer_syntax=items.IMPLICIT)]
    return open_link(peer, our_ae=ae_title, contexts=offers, timeouts=Timeouts())


def _associate_from(address, port):
    entity = ApplicationEntity("PACS")
    entity.add_requested_context(VERIFICATION)
    association = entity.associate("127.0.0.1", port, ae_title="SCOPEGATE", bind_address=(address, 0))
    if not association.is_established:
        association.dul.socket.socket.close()  # pynetdicom leaves it open when the other side closed first
    return association


def _eventually(condition, seconds=8.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_configured_system_is_answered(listener):
    assert _echoscu(listener.port).returncode == 0


def test_the_box_can_ask_itself(listener):
    assert echo("127.0.0.1", listener.port, "SCOPEGATE", "SCOPEGATE").ok


def test_an_unknown_title_is_told_so(listener):
    done = _echoscu(listener.port, calling="STRANGER")
    assert done.returncode != 0
    assert "Calling AE Title Not Recognized" in done.stdout + done.stderr


def test_a_call_for_somebody_else_is_told_so(listener):
    done = _echoscu(listener.port, called="ANOTHER")
    assert done.returncode != 0
    assert "Called AE Title Not Recognized" in done.stdout + done.stderr


def test_with_nobody_configured_only_the_box_itself_may_ask():
    with listening(callers=()) as listener:
        assert echo("127.0.0.1", listener.port, "SCOPEGATE", "SCOPEGATE").ok
        assert _echoscu(listener.port, calling="PACS").returncode != 0


def test_nothing_can_be_stored_here(listener):
    destination = Destination(name="ours", ae_title="SCOPEGATE", host="127.0.0.1", port=listener.port)
    wanted = [Wanted(sop_class_uid=items.SECONDARY_CAPTURE, transfer_syntax_uid=items.EXPLICIT, lossy=False)]
    with (
        pytest.raises(NeedsConfiguration) as caught,
        StoreAssociation(destination, our_ae="PACS", wanted=wanted),
    ):
        pass
    assert caught.value.code == "no-context"


def test_an_address_that_is_not_configured_is_not_heard():
    if not add_address("10.77.0.1", 1):
        pytest.skip("the network is shared: it gets no further address")
    with listening(host="0.0.0.0") as listener:
        assert not _associate_from("10.77.0.1", listener.port).is_established
        assert _echoscu(listener.port).returncode == 0


def test_a_configured_address_is_heard():
    if not add_address("10.77.0.2", 2):
        pytest.skip("the network is shared: it gets no further address")
    with listening(host="0.0.0.0", callers=(("PACS", "10.77.0.2"),)) as listener:
        association = _associate_from("10.77.0.2", listener.port)
        assert association.is_established
        assert association.send_c_echo().Status == 0
        association.release()


def test_the_sixth_association_is_asked_to_come_back(listener):
    with ExitStack() as stack:
        links = [stack.enter_context(_link(listener.port)) for _ in range(MOST_ASSOCIATIONS)]
        with pytest.raises(TryLater) as caught:
            _link(listener.port)
        assert caught.value.code == "busy"
        links[0].release()
        assert _eventually(lambda: echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS").ok)


def test_a_port_that_is_taken_is_named(listener):
    second = Listener(Address(host="127.0.0.1", port=listener.port), ae_title="SCOPEGATE")
    with pytest.raises(ListenerFailed) as caught:
        second.open()
    assert caught.value.code == "port-taken"
    assert f"127.0.0.1:{listener.port}" in caught.value.what


def test_the_port_is_free_again_after_stopping():
    with listening() as listener:
        port = listener.port
        assert _echoscu(port).returncode == 0
    again = Listener(Address(host="127.0.0.1", port=port), ae_title="SCOPEGATE")
    again.open()
    again.close()


def test_stopping_does_not_wait_for_those_who_are_connected():
    with listening() as listener:
        link = _link(listener.port)
        idle = socket.create_connection(("127.0.0.1", listener.port), 2)
    with idle:
        assert idle.recv(1) == b""
    link.drop()


_GARBAGE = {
    "a web request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a TLS greeting": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "zeros": bytes(5000),
    "a PDU of four gigabytes": struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + bytes(100_000),
    "an association request of noise": struct.pack(">BBL", 1, 0, 200) + bytes(range(200)),
    "data before any association": struct.pack(">BBLLBB", 4, 0, 6, 2, 1, 3),
    "an abort": struct.pack(">BBLL", 7, 0, 4, 0),
    "half a header": b"\x01\x00",
}


@pytest.mark.parametrize("what", _GARBAGE)
def test_garbage_does_no_harm(listener, what):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", listener.port), 2) as stranger:
            stranger.settimeout(5)
            try:
                stranger.sendall(_GARBAGE[what])
                stranger.shutdown(socket.SHUT_WR)
                while stranger.recv(4096):
                    pass
            except OSError:
                continue  # it has hung up, which is right
    assert _eventually(lambda: echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS").ok)


def _pour(stranger, most):
    """Send until it is refused, at most so many bytes; return how many went."""
    taken = 0
    try:
        while taken < most:
            taken += stranger.send(bytes(65536))
    except OSError:
        return taken
    return taken


def test_a_flood_under_one_announcement_is_cut_off(listener):
    with socket.create_connection(("127.0.0.1", listener.port), 2) as stranger:
        stranger.settimeout(5)
        stranger.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFFF))
        taken = _pour(stranger, 200_000_000)
    assert taken < 50_000_000


def test_a_port_scan_and_silent_callers_block_nobody_for_long(listener):
    for _ in range(200):
        socket.create_connection(("127.0.0.1", listener.port), 2).close()
    seen = [0]

    def crowded():
        seen.append(len(listener._server.active_associations))
        return seen[-1] > MOST_CONNECTIONS

    with ExitStack() as silent:
        for _ in range(40):
            silent.enter_context(socket.create_connection(("127.0.0.1", listener.port), 2))
        assert not _eventually(crowded, 0.5)
        assert _eventually(lambda: echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS").ok)
    assert max(seen) > 1, "nobody was counted"
    assert _eventually(lambda: not listener._server.active_associations)


def _trickle(stranger, begun):
    """Begin a message and never come to its end: a byte is said before anybody calls it silent."""
    try:
        stranger.sendall(begun)
        while True:
            stranger.sendall(bytes(1))
            time.sleep(0.05)
    except OSError:
        return


@pytest.mark.parametrize("what", ["request", "data"])
def test_callers_who_talk_byte_by_byte_do_not_keep_others_out(what):
    with listening(longest_s=0.5) as listener, ExitStack() as slow:
        for _ in range(MOST_CONNECTIONS if what == "request" else MOST_ASSOCIATIONS):
            if what == "request":
                stranger = slow.enter_context(socket.create_connection(("127.0.0.1", listener.port), 2))
                begun = struct.pack(">BBL", 1, 0, 50_000)
            else:
                link = _link(listener.port)
                slow.callback(link.drop)
                stranger, begun = link._wire, struct.pack(">BBL", 4, 0, 50_000)
            threading.Thread(target=_trickle, args=(stranger, begun), daemon=True).start()
        assert not echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS", timeouts=Timeouts(negotiate=1.0)).ok
        assert _eventually(lambda: echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS").ok)
    assert _eventually(lambda: not [t for t in threading.enumerate() if t.name == "caller-deadline"])


def test_stopping_does_not_wait_for_the_end_of_a_message():
    with ExitStack() as slow, listening() as listener:
        stranger = slow.enter_context(socket.create_connection(("127.0.0.1", listener.port), 2))
        threading.Thread(target=_trickle, args=(stranger, struct.pack(">BBL", 1, 0, 50_000)), daemon=True).start()
        assert _eventually(lambda: listener._server.active_associations)


def test_a_caller_who_vanishes_leaves_room_for_the_next(listener):
    for _ in range(MOST_ASSOCIATIONS * 3):
        try:
            link = _link(listener.port)
        except DeliveryError:
            continue
        link._wire.cut()
        link.drop()
    assert _eventually(lambda: _echoscu(listener.port).returncode == 0)
