"""DICOM over TLS: real archives, and servers with one thing wrong each."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.config.settings import Destination, Worklist
from gateway.errors import DeliveryError, NeedsConfiguration, TryLater, WorklistError
from gateway.net import worklist
from gateway.net.association import open_link
from gateway.net.echo import echo
from gateway.net.peers import Context, Peer, Timeouts
from gateway.net.store import StoreAssociation, StoreResult, Wanted
from gateway.net.wires import WireBroken
from tests.certificates import Authority
from tests.loopback.peers import FaultArchive, FaultWorklist, Orthanc, RawServer, StoreScp, items

# Only where silence is what is waited for: on a machine with much to do, an answer takes its time too.
QUICK = Timeouts(connect=1.5, negotiate=1.0)
MUTED = Timeouts(answer=1.0, stall=1.0, slowest=16e6)
STILL = items.SECONDARY_CAPTURE
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def clinic(folder):
    return Authority(folder / "clinic")


@pytest.fixture(scope="module")
def stranger(folder):
    return Authority(folder / "stranger")


@pytest.fixture(scope="module")
def box(clinic):
    return clinic.issue("scopegate.clinic.example", label="box")


@pytest.fixture(scope="module")
def pacs(clinic):
    return clinic.issue("127.0.0.1", label="pacs")


@pytest.fixture(scope="module")
def storescp(folder, clinic, pacs):
    """DCMTK under BCP 195, which demands a certificate of its callers."""
    words = ["+xa", "+py", "-rc", "+tls", str(pacs.key), str(pacs.certificate), "+cf", str(clinic.ca)]
    with StoreScp(folder / "storescp", *words) as peer:
        yield peer


@pytest.fixture(scope="module")
def orthanc_tls(folder, clinic, pacs):
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(pacs.certificate),
        "DicomTlsPrivateKey": str(pacs.key),
        "DicomTlsTrustedCertificates": str(clinic.ca),
        "DicomTlsRemoteCertificateRequired": True,
    }
    with Orthanc(folder / "orthanc", **settings) as peer:
        yield peer


@pytest.fixture(scope="module")
def ours(clinic, box):
    return clinic.tls(box)


@pytest.fixture(scope="module")
def faults_tls(clinic, pacs):
    with FaultArchive(secured=clinic.server(pacs)) as peer:
        yield peer


def _open(port, tls, *, ae_title="TAKES", timeouts=None):
    destination = Destination(name="pacs", ae_title=ae_title, host="127.0.0.1", port=port, tls=tls)
    wanted = [Wanted(sop_class_uid=STILL, transfer_syntax_uid=items.EXPLICIT, lossy=False)]
    return StoreAssociation(destination, our_ae="SCOPEGATE", wanted=wanted, timeouts=timeouts)


def _store(association, file):
    return association.store(
        file, sop_class_uid=STILL, sop_instance_uid=file.stem, transfer_syntax_uid=items.EXPLICIT
    )


def _ask(port, tls, timeouts=None):
    return echo("127.0.0.1", port, "PACS", "SCOPEGATE", name="pacs", timeouts=timeouts, tls=tls)


def _server(context):
    """Return a server that secures the connection and says nothing more."""

    def behave(connection, _):
        connection.settimeout(5)
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                while secured.recv(4096):
                    pass
        except OSError:
            pass  # it refused, or was refused

    return RawServer(behave)


# --- what arrives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("archive", ["storescp", "orthanc_tls"])
def test_what_arrives_over_tls_is_bit_for_bit_what_was_sealed(request, clinic, box, tmp_path, archive):
    peer = request.getfixturevalue(archive)
    files = [items.sample(tmp_path, pixels=bytes(1_000_000)) for _ in range(3)]
    with _open(peer.port, clinic.tls(box), ae_title=peer.ae_title) as association:
        assert [_store(association, file) for file in files] == [StoreResult(status="0000")] * 3
    for file in files:
        arrived = peer.file(file.stem)
        content = arrived if isinstance(arrived, bytes) else arrived.read_bytes()
        assert items.data_set_bytes(content) == items.data_set_bytes(file.read_bytes())


@pytest.mark.parametrize("version", [V12, V13])
def test_both_versions_carry_objects(clinic, box, pacs, tmp_path, version):
    context = clinic.server(pacs)
    context.minimum_version = context.maximum_version = version
    file = items.sample(tmp_path, pixels=bytes(1_000_000))
    with FaultArchive(secured=context) as peer, _open(peer.port, clinic.tls(box)) as association:
        assert _store(association, file).status == "0000"
        assert association._link._wire._session.version() == {V12: "TLSv1.2", V13: "TLSv1.3"}[version]
        assert peer.arrived[0].data_set == items.data_set_bytes(file.read_bytes())


def test_an_echo_and_a_worklist_go_over_tls_too(clinic, box, pacs, faults_tls):
    assert _ask(faults_tls.port, clinic.tls(box)).ok
    with FaultWorklist(secured=clinic.server(pacs)) as peer:
        server = Worklist(name="ris", ae_title="TAKES", host="127.0.0.1", port=peer.port, tls=clinic.tls(box))
        assert len(worklist.find(server, our_ae="SCOPEGATE", today=date(2026, 11, 21))) == 1
        unsigned = replace(server, tls=clinic.tls())
        with pytest.raises(WorklistError) as caught:
            worklist.find(unsigned, our_ae="SCOPEGATE", today=date(2026, 11, 21))
        assert caught.value.code == "worklist-tls-client-certificate-refused"


# --- what is wrong, each by its code ---------------------------------------------------------------------


def _wrong(clinic, stranger, what):
    """Return the context of a server with one thing wrong, and what the box trusts and shows."""
    box, other = clinic.issue("box"), stranger.issue("box")
    good = clinic.tls(box)
    if what == "old":
        return clinic.server(clinic.issue(days=(-9, -1))), good
    if what == "early":
        return clinic.server(clinic.issue(days=(1, 9))), good
    if what == "another authority":
        return clinic.server(stranger.issue()), good
    if what == "another name":
        return clinic.server(clinic.issue("pacs.clinic.example")), good
    if what == "another address":
        return clinic.server(clinic.issue("10.0.0.6")), good
    version = V12 if what.endswith("1.2") else V13
    secured = clinic.server(clinic.issue())
    secured.minimum_version = secured.maximum_version = version
    ours = {"none": None, "a stranger's": other, "an old one": clinic.issue("box", days=(-9, -1))}
    return secured, clinic.tls(ours[what.partition(",")[0]])


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("old", "tls-expired"),
        ("early", "tls-not-yet-valid"),
        ("another authority", "tls-unknown-ca"),
        ("another name", "tls-wrong-name"),
        ("another address", "tls-wrong-name"),
        *((f"{ours}, TLS {v}", "tls-client-certificate-refused")
          for ours in ("none", "a stranger's", "an old one") for v in ("1.2", "1.3")),
    ],
)  # fmt: skip
def test_each_problem_of_a_certificate_has_its_code_and_needs_somebody(clinic, stranger, what, code):
    context, tls = _wrong(clinic, stranger, what)
    with _server(context) as peer:
        answer = _ask(peer.port, tls)
        with pytest.raises(NeedsConfiguration), _open(peer.port, tls):
            pass
    assert answer.code == code
    assert "pacs" in answer.what
    assert answer.action.startswith("Call IT")
    if "client" in code:
        assert ("which has none" in answer.what) == what.startswith("none")


def test_a_certificate_for_an_ae_title_is_taken_when_its_name_is_not_checked(clinic, box):
    with FaultArchive(secured=clinic.server(clinic.issue("PACS"))) as peer:
        assert _ask(peer.port, clinic.tls(box)).code == "tls-wrong-name"
        assert _ask(peer.port, clinic.tls(box, check_name=False)).ok


def test_an_unchecked_name_does_not_let_a_stranger_in(clinic, stranger, box):
    with FaultArchive(secured=clinic.server(stranger.issue())) as peer:
        assert _ask(peer.port, clinic.tls(box, check_name=False)).code == "tls-unknown-ca"


def test_a_device_that_signed_its_own_certificate_is_trusted_by_that_certificate(stranger, clinic, box):
    device = stranger.issue()
    with FaultArchive(secured=clinic.server(device)) as peer:
        assert _ask(peer.port, replace(clinic.tls(box), ca=device.certificate)).ok


@pytest.mark.parametrize("weak", ["TLS 1.1", "a cipher without forward secrecy"])
def test_what_is_not_safe_enough_is_not_used(clinic, pacs, box, weak):
    context = clinic.server(pacs)
    context.set_ciphers("ALL:@SECLEVEL=0")
    if weak == "TLS 1.1":
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    else:
        context.maximum_version = V12
        context.set_ciphers("AES256-GCM-SHA384")
    with _server(context) as peer:
        assert _ask(peer.port, clinic.tls(box)).code == "tls-version"


_PLAIN = {
    "another DICOM port": None,
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a mail server": b"220 welcome\r\n",
}


@pytest.mark.parametrize("what", _PLAIN)
def test_a_port_without_tls_is_called_so(fault_archive, clinic, box, what):
    def behave(connection, _):
        connection.recv(4096)
        connection.sendall(_PLAIN[what])

    if _PLAIN[what] is None:
        answer = _ask(fault_archive.port, clinic.tls(box))
    else:
        with RawServer(behave) as peer:
            answer = _ask(peer.port, clinic.tls(box))
    assert answer.code == "tls-plain-peer"


def test_who_hangs_up_or_says_nothing_to_tls_is_asked_again_later(clinic, box):
    def hang_up(connection, _):
        connection.recv(10)

    def say_nothing(_, gone):
        gone.wait(10)

    for behave, code, timeouts in ((hang_up, "dropped", None), (say_nothing, "silent", QUICK)):
        with RawServer(behave) as peer:
            answer = _ask(peer.port, clinic.tls(box), timeouts)
            assert answer.code == code
            assert "speaks TLS" in answer.action
            with pytest.raises(TryLater), _open(peer.port, clinic.tls(box), timeouts=timeouts):
                pass


def test_files_that_cannot_be_used_are_named_and_nobody_is_called(clinic, stranger, box, tmp_path):
    other = stranger.issue("box")
    calls = []
    with RawServer(lambda connection, _: calls.append(connection)) as peer:
        for tls, key in (
            (replace(clinic.tls(box), key=other.key), "key"),
            (replace(clinic.tls(box), key=tmp_path / "gone.key"), "key"),
            (replace(clinic.tls(box), certificate=tmp_path / "gone.pem"), "certificate"),
            (replace(clinic.tls(box), certificate=box.key), "certificate"),
            (replace(clinic.tls(box), ca=tmp_path / "gone.pem"), "ca"),
            (replace(clinic.tls(box), ca=box.key), "ca"),
        ):
            answer = _ask(peer.port, tls)
            assert answer.code == "tls-file"
            assert f": {key} in its tls" in answer.what
    assert calls == []


def test_a_renewed_certificate_needs_no_restart(clinic, stranger, tmp_path, pacs):
    ours = tmp_path / "box.pem", tmp_path / "box.key"

    def lay(identity):
        ours[0].write_bytes(identity.certificate.read_bytes())
        ours[1].write_bytes(identity.key.read_bytes())

    tls = clinic.tls(certificate=ours[0], key=ours[1])
    with FaultArchive(secured=clinic.server(pacs)) as peer:
        lay(stranger.issue("box"))
        assert _ask(peer.port, tls).code == "tls-client-certificate-refused"
        lay(clinic.issue("box"))
        assert _ask(peer.port, tls).ok


# --- a line that is bad in other ways --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("MUTE", "timeout"),
        ("STUCK", "timeout"),
        ("ABORT", "aborted"),
        ("DROP", "dropped"),
        ("SA700", "out-of-resources"),
        ("SC000", "refused"),
    ],
)
def test_an_archive_that_misbehaves_over_tls_gets_the_same_words(faults_tls, ours, tmp_path, behaviour, code):
    file = items.sample(tmp_path, pixels=bytes(16_000_000 if behaviour == "STUCK" else 1_000_000))
    timeouts = MUTED if code == "timeout" else None
    with _open(faults_tls.port, ours, ae_title=behaviour, timeouts=timeouts) as association:
        with pytest.raises(DeliveryError) as caught:
            _store(association, file)
        assert caught.value.code == code
        assert association.usable == behaviour.startswith("S") or behaviour == "STUCK"
    assert _ask(faults_tls.port, ours).ok


@pytest.mark.parametrize("line", ["in clear", "over TLS"])
def test_an_archive_that_aborts_is_heard_also_when_sending_to_it_failed_first(clinic, box, pacs, tmp_path, line):
    file = items.sample(tmp_path, pixels=bytes(16_000_000))  # more than the line holds on its way
    failed = threading.Event()
    secured, tls = (clinic.server(pacs), clinic.tls(box)) if line == "over TLS" else (None, None)
    offers = [Context(abstract_syntax=STILL, transfer_syntax=items.EXPLICIT)]
    with FaultArchive(secured=secured) as server:
        peer = Peer(kind="archive", name="pacs", ae_title="LASTWORD", host="127.0.0.1", port=server.port, tls=tls)
        # Whoever reads is held at the answer, and comes to the abort only after the failure.
        link = open_link(
            peer, our_ae="SCOPEGATE", contexts=offers, timeouts=Timeouts(), heard=lambda _: failed.wait(20)
        )
        with pytest.raises(WireBroken):
            link.association.send_c_store(file, msg_id=1)
        failed.set()
        assert link.broken().code == "aborted"
        assert not link.usable


@contextmanager
def _recorded(port):
    """Pass on what the box sends to `port`, and keep it."""
    kept = bytearray()

    def behave(connection, _):
        with socket.create_connection(("127.0.0.1", port), 5) as server:

            def back():
                with suppress(OSError):
                    while piece := server.recv(65536):
                        connection.sendall(piece)

            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            with suppress(OSError):
                while piece := connection.recv(65536):
                    kept.extend(piece)
                    server.sendall(piece)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    with RawServer(behave) as peer:
        yield peer.port, kept


@pytest.mark.parametrize("behaviour", ["TAKES", "STUCK", "DROP", "MUTE"])
def test_nothing_leaves_in_clear_however_the_transfer_ends(faults_tls, clinic, box, tmp_path, behaviour):
    mark = b"MEIER^ANNA-pixels"
    file = items.sample(tmp_path, pixels=mark * 600_000)
    with _recorded(faults_tls.port) as (port, kept):
        try:
            timeouts = MUTED if behaviour in ("STUCK", "MUTE") else None
            with _open(port, clinic.tls(box), ae_title=behaviour, timeouts=timeouts) as association:
                _store(association, file)
        except DeliveryError:
            assert behaviour != "TAKES"
    assert len(kept) > 1_000 * len(mark)  # pixels went; how many of them before a drop is noticed is chance
    assert mark not in kept
    assert b"SCOPEGATE" not in kept
    at, records = 0, 0
    while at + 5 <= len(kept):  # RFC 8446 5.1: type, version, length
        assert kept[at] in (20, 21, 22, 23)
        at += 5 + int.from_bytes(kept[at + 3 : at + 5])
        records += 1
    assert records > 10


_SENDER = """
import json, sys
from pathlib import Path

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

how, port, file, ca, certificate, key = sys.argv[1], int(sys.argv[2]), *map(Path, sys.argv[3:])
SOP, SYNTAX = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.2.1"
if how == "ours":
    from gateway.config.settings import Destination, Tls
    from gateway.net.store import StoreAssociation, Wanted
    tls = Tls(ca=ca, certificate=certificate, key=key)
    pacs = Destination(name="pacs", ae_title="STORESCP", host="127.0.0.1", port=port, tls=tls)
    wanted = [Wanted(sop_class_uid=SOP, transfer_syntax_uid=SYNTAX, lossy=False)]
    with StoreAssociation(pacs, our_ae="SCOPEGATE", wanted=wanted) as association:
        before = memory("VmRSS")
        association.store(file, sop_class_uid=SOP, sop_instance_uid=file.stem, transfer_syntax_uid=SYNTAX)
else:
    import ssl
    from pydicom import dcmread
    from pynetdicom import AE
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    entity = AE("SCOPEGATE")
    entity.add_requested_context(SOP, SYNTAX)
    association = entity.associate("127.0.0.1", port, ae_title="STORESCP", tls_args=(context, "127.0.0.1"))
    before = memory("VmRSS")
    assert association.send_c_store(dcmread(file)).Status == 0
    association.release()
print(json.dumps({"growth": memory("VmHWM") - before}))
"""


def _growth(how, port, file, clinic, box):
    done = subprocess.run(
        [sys.executable, "-c", _SENDER, how, str(port), file, clinic.ca, box.certificate, box.key],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        text=True,
        timeout=240,
    )
    return int(json.loads(done.stdout)["growth"])


def _same_data_set(one, other):
    """Compare two files behind their meta information, piece by piece."""
    with one.open("rb") as first, other.open("rb") as second:
        for file in (first, second):
            head = file.read(4096)
            file.seek(len(head) - len(items.data_set_bytes(head)))
        while piece := first.read(1_000_000):
            if piece != second.read(1_000_000):
                return False
        return second.read(1) == b""


def test_a_very_big_object_goes_over_tls_in_little_memory(storescp, clinic, box, tmp_path):
    size = 300_000_000
    file = items.sample(tmp_path, pixels=bytes(size - size % 256))
    ours = _growth("ours", storescp.port, file, clinic, box)
    arrived = storescp.file(file.stem)
    assert _same_data_set(arrived, file)
    arrived.unlink()
    file.unlink()
    smaller = items.sample(tmp_path, pixels=bytes(100_000_000 - 100_000_000 % 256))
    library = _growth("library", storescp.port, smaller, clinic, box)
    storescp.file(smaller.stem).unlink()
    print(f"memory growth: ours {ours / 1e6:.1f} MB of 300, the library's own way {library / 1e6:.0f} MB of 100")
    assert ours < 30_000_000
    assert library > 60_000_000, "the measure does not see what it is to see"
