"""Our listener with TLS: who is heard, who is not, and that nobody keeps the others waiting."""

import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gateway.config.settings import Address
from gateway.errors import ListenerFailed
from gateway.net.association import open_link
from gateway.net.echo import echo
from gateway.net.listener import MOST_ASSOCIATIONS, MOST_CONNECTIONS, Listener
from gateway.net.peers import Context, Peer, Timeouts
from gateway.net.tuning import _Holder
from tests.certificates import Authority
from tests.loopback.listening import listening
from tests.loopback.peers import items

VERIFICATION = "1.2.840.10008.1.1"
_CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("clinic"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def box(clinic):
    return clinic.issue("127.0.0.1", label="box")


@pytest.fixture(scope="module")
def pacs(clinic):
    return clinic.issue("pacs", label="pacs")


@pytest.fixture
def listener(clinic, box):
    with listening(tls=clinic.tls(box)) as started:
        yield started


def _echoscu(port, *options):
    command = ["/usr/bin/echoscu", "-v", *options, "-aet", "PACS", "-aec", "SCOPEGATE", "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=20)


def _shown(identity, authority):
    return "+tls", str(identity.key), str(identity.certificate), "+cf", str(authority.ca)


def _hears(listener, clinic, pacs):
    return echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS", tls=clinic.tls(pacs)).ok


def _eventually(condition, seconds=8.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_system_with_a_certificate_of_the_clinic_is_answered(listener, clinic, pacs):
    assert _echoscu(listener.port, *_shown(pacs, clinic)).returncode == 0
    assert _hears(listener, clinic, pacs)


@pytest.mark.parametrize("who", ["in clear", "without a certificate", "a stranger's", "an old one"])
def test_who_cannot_prove_who_it_is_is_not_answered(request, listener, caplog, who):
    clinic, stranger, pacs = (request.getfixturevalue(name) for name in ("clinic", "stranger", "pacs"))
    options = {
        "in clear": (),
        "without a certificate": ("+tla", "+cf", str(clinic.ca)),
        "a stranger's": _shown(stranger.issue("pacs"), clinic),
        "an old one": _shown(clinic.issue("pacs", days=(-9, -1)), clinic),
    }
    codes = {
        "in clear": "tls-plain-peer",
        "without a certificate": "tls-client-certificate-refused",
        "a stranger's": "tls-unknown-ca",
        "an old one": "tls-expired",
    }
    assert _echoscu(listener.port, *options[who]).returncode != 0
    assert _eventually(lambda: f"code={codes[who]}" in caplog.text), caplog.text
    assert _hears(listener, clinic, pacs)


def test_tls_1_1_is_not_spoken(listener, clinic, pacs):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(clinic.ca)
    context.load_cert_chain(pacs.certificate, pacs.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1):
        if version is ssl.TLSVersion.TLSv1_1:
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                context.minimum_version = context.maximum_version = version
        else:
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", listener.port), 2) as plain:
            if version is ssl.TLSVersion.TLSv1_2:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_silent_and_half_begun_callers_keep_nobody_waiting(listener, clinic, pacs):
    seen = [0]

    def crowded():
        seen.append(len(listener._server.active_associations))
        return seen[-1] > MOST_CONNECTIONS

    with ExitStack() as silent:
        for at in range(40):
            caller = silent.enter_context(socket.create_connection(("127.0.0.1", listener.port), 2))
            if at % 2:
                caller.sendall(_CLIENT_HELLO)
        assert not _eventually(crowded, 0.5)
        assert _eventually(lambda: _hears(listener, clinic, pacs))
    assert max(seen) > 1, "nobody was counted"
    assert _eventually(lambda: not listener._server.active_associations)


def test_who_drips_its_handshake_is_hung_up_on(listener):
    with socket.create_connection(("127.0.0.1", listener.port), 2) as caller:
        ended = threading.Event()

        def drip():
            try:
                for byte in _CLIENT_HELLO + bytes(2000):
                    caller.sendall(bytes([byte]))
                    if ended.wait(0.02):  # each byte within every limit between two bytes
                        return
            except OSError:
                return

        thread = threading.Thread(target=drip)
        thread.start()
        caller.settimeout(10)
        try:
            assert caller.recv(1) == b""
        except ConnectionError:
            pass
        finally:
            ended.set()
            thread.join(5)


def test_the_sixth_association_is_asked_to_come_back(listener, clinic, pacs):
    peer = Peer(
        kind="box", name="ours", ae_title="SCOPEGATE", host="127.0.0.1", port=listener.port, tls=clinic.tls(pacs)
    )
    offers = [Context(abstract_syntax=VERIFICATION, transfer_syntax=items.IMPLICIT)]
    with ExitStack() as stack:
        for _ in range(MOST_ASSOCIATIONS):
            link = stack.enter_context(open_link(peer, our_ae="PACS", contexts=offers, timeouts=Timeouts()))
            assert isinstance(link.association.dul.socket, _Holder)
        assert all(isinstance(a.dul.socket, _Holder) for a in listener._server.active_associations)
        answer = echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS", tls=clinic.tls(pacs))
        assert answer.code == "busy"


def test_a_renewed_certificate_is_shown_to_the_next_caller(clinic, box, pacs, tmp_path):
    laid = tmp_path / "box.pem", tmp_path / "box.key"
    for path, old in zip(laid, (box.certificate, box.key), strict=True):
        path.write_bytes(old.read_bytes())
    tls = clinic.tls(certificate=laid[0], key=laid[1])
    with listening(tls=tls) as listener:
        assert _hears(listener, clinic, pacs)
        new = clinic.issue("another.name.example")
        for path, fresh in zip(laid, (new.certificate, new.key), strict=True):
            path.write_bytes(fresh.read_bytes())
        answer = echo("127.0.0.1", listener.port, "SCOPEGATE", "PACS", tls=clinic.tls(pacs))
        assert answer.code == "tls-wrong-name"


def test_a_file_that_goes_missing_shuts_the_door_and_not_the_listener(clinic, box, pacs, tmp_path):
    key = tmp_path / "box.key"
    key.write_bytes(box.key.read_bytes())
    with listening(tls=replace(clinic.tls(box), key=key)) as listener:
        assert _hears(listener, clinic, pacs)
        key.unlink()
        assert _echoscu(listener.port).returncode != 0
        assert not _hears(listener, clinic, pacs)
        key.write_bytes(box.key.read_bytes())
        assert _hears(listener, clinic, pacs)


def test_files_that_cannot_be_used_are_told_at_the_start(clinic, stranger, box):
    other = stranger.issue("box")
    tls = replace(clinic.tls(box), key=other.key)
    with pytest.raises(ListenerFailed) as caught:
        Listener(Address(host="127.0.0.1", port=0), ae_title="SCOPEGATE", tls=tls).open()
    assert caught.value.code == "tls-file"
    assert "is not the key of" in caught.value.what
