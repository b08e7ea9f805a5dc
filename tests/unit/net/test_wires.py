"""TLS on one line between two threads: nothing is lost, mixed up, waited for in vain, or sent in clear."""

import select
import socket
import ssl
import threading

import pytest
import trustme

from gateway.net.tuning import _Holder
from gateway.net.wires import TlsSocket, WireBroken


@pytest.fixture(scope="module")
def contexts():
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("box").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return client, server


class _Pair:
    """Our end, and a plain OpenSSL end as the other side."""

    def __init__(self, contexts, *, stall=5.0, tickets=2, allowance=None):
        client, server = contexts
        server.num_tickets = tickets
        listener = socket.create_server(("127.0.0.1", 0))
        ours = socket.socket()
        ours.settimeout(5)
        self.ours = TlsSocket(ours, stall=stall, allowance=allowance, context=client, server_name="box")
        made = []

        def accept():
            plain, _ = listener.accept()
            plain.settimeout(5)
            made.append(server.wrap_socket(plain, server_side=True))

        thread = threading.Thread(target=accept)
        thread.start()
        self.ours.connect(listener.getsockname())
        thread.join(5)
        listener.close()
        self.ours.settimeout(None)
        self.theirs = made[0]

    def __enter__(self):
        return self.ours, self.theirs

    def __exit__(self, *_):
        self.ours.close()
        self.theirs.close()


def _without_end(action, *args):
    while True:
        action(*args)


def _readable(wire):
    return bool(select.select([wire], [], [], 0)[0])


def _await_readable(wire):
    assert select.select([wire], [], [], 5)[0]


def _holder(wire):
    """Return what pynetdicom's reactor asks before it reads."""
    holder = _Holder.__new__(_Holder)
    holder._is_connected = True
    holder.socket = wire
    return holder


def test_two_messages_in_one_record_are_both_seen(contexts):
    with _Pair(contexts, tickets=0) as (ours, theirs):
        theirs.sendall(b"first.second")
        assert ours.recv(6) == b"first."
        assert not _readable(ours), "the line still holds something: the test shows nothing"
        assert _holder(ours).ready
        assert ours.recv(100) == b"second"
        assert not _holder(ours).ready


def test_what_tls_says_for_itself_is_no_message(contexts):
    """A reactor that went to read such bytes would stand still until the other side says something."""
    with _Pair(contexts, tickets=2) as (ours, theirs):
        _await_readable(ours)  # session tickets
        assert not _holder(ours).ready
        theirs.sendall(b"x")
        _await_readable(ours)
        assert _holder(ours).ready
        assert ours.recv(10) == b"x"


def test_a_goodbye_is_an_end_and_a_cut_line_is_one_too(contexts):
    for how in ("goodbye", "cut"):
        with _Pair(contexts) as (ours, theirs):
            if how == "goodbye":
                theirs.setblocking(False)
                with pytest.raises(ssl.SSLError):  # it would wait for ours
                    theirs.unwrap()
            else:
                theirs.close()
            while not ours.holds:
                _await_readable(ours)
                ours.look()
            assert ours.recv(10) == b""
            assert ours.lost
            assert ours.trouble is None


def test_our_end_says_goodbye_unless_it_is_cut(contexts):
    for cut in (False, True):
        with _Pair(contexts, tickets=0) as (ours, theirs):
            theirs.suppress_ragged_eofs = False
            if cut:
                ours.cut()
            ours.shutdown(socket.SHUT_RDWR)
            if cut:
                with pytest.raises(ssl.SSLEOFError):
                    theirs.recv(10)
            else:
                assert theirs.recv(10) == b""


def test_one_thread_reads_while_another_writes(contexts):
    total = 8_000_000
    block = bytes(range(256)) * 512
    got = {"ours": bytearray(), "theirs": bytearray()}
    with _Pair(contexts) as (ours, theirs):

        def read(wire, name):
            while len(got[name]) < total:
                got[name].extend(wire.recv(4096))

        def write(wire):
            for _ in range(0, total, len(block)):
                wire.sendall(block)

        # Their end has one OpenSSL connection for one thread at a time: it answers what it hears.
        def echo():
            left = total
            while left > 0:
                piece = theirs.recv(65536)
                left -= len(piece)
                got["theirs"].extend(piece)
                theirs.sendall(piece)

        threads = [threading.Thread(target=work, args=args) for work, args in
                   ((read, (ours, "ours")), (write, (ours,)), (echo, ()))]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    whole = block * -(-total // len(block))
    assert got["theirs"][:total] == whole[:total]
    assert got["ours"][:total] == whole[:total]


def test_a_full_line_does_not_keep_the_reader_waiting(contexts):
    """The other side stops reading and says why: that must be heard although our own write is stuck."""
    with _Pair(contexts, tickets=0) as (ours, theirs):
        broken = threading.Event()

        def fill():
            with pytest.raises(WireBroken):
                _without_end(ours.write, bytes(100_000))
            broken.set()

        thread = threading.Thread(target=fill)
        thread.start()
        theirs.sendall(b"enough")
        assert ours.recv(6) == b"enough"
        assert not broken.is_set()
        ours.cut()
        thread.join(5)
        assert broken.is_set()


def test_a_line_on_which_nothing_moves_is_given_up(contexts):
    with _Pair(contexts, stall=0.2, tickets=0) as (ours, _):
        with pytest.raises(TimeoutError):
            ours.recv(1)
        with pytest.raises(WireBroken):
            _without_end(ours.write, bytes(1_000_000))


def test_more_than_was_asked_for_is_not_taken(contexts):
    with _Pair(contexts, allowance=20_000) as (ours, theirs):
        theirs.sendall(bytes(100_000))
        with pytest.raises(OSError, match="more bytes"):
            _without_end(ours.recv, 4096)
        assert ours.overflowed


def test_small_messages_wait_for_nothing(contexts):
    with _Pair(contexts) as (ours, theirs):
        theirs.sendall(b"x")
        ours.recv(1)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)


def test_after_the_end_nothing_is_written_in_clear(contexts):
    """Python's own TLS socket forgets TLS on shutdown, and would send what comes next as it is."""
    for end in ("cut", "shutdown"):
        with _Pair(contexts) as (ours, theirs):
            raw = socket.socket(fileno=theirs.detach())
            ours.cut() if end == "cut" else ours.shutdown(socket.SHUT_WR)
            with pytest.raises(OSError):  # noqa: PT011 - how the system says so is its own affair
                ours.sendall(b"MEIER^ANNA" * 1000)
            raw.settimeout(5)
            heard = b""
            while piece := raw.recv(65536):
                heard += piece
            raw.close()
            assert b"MEIER" not in heard
