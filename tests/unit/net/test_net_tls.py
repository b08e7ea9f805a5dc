"""Words of TLS, dates of certificates, and what the settings demand of a connection."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from gateway.config.settings import Tls
from gateway.errors import TryLater
from gateway.net import expiry, tls
from gateway.net.peers import Peer
from tests.certificates import Authority


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("clinic"))


def _error(reason, kind=ssl.SSLError):
    error = kind(1, "words")
    error.reason = reason
    return error


def test_only_tls_1_2_and_1_3_with_forward_secrecy_are_spoken(clinic):
    for context in (tls.for_calls(clinic.tls()), tls.for_callers(clinic.tls(clinic.issue("box")))):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.options & ssl.OP_NO_COMPRESSION
        ciphers = context.get_ciphers()
        assert len(ciphers) > 5
        for cipher in ciphers:
            assert cipher["aead"]
            assert cipher["protocol"] == "TLSv1.3" or cipher["kea"] in {"kx-ecdhe", "kx-dhe"}


def test_names_are_checked_unless_somebody_said_not_to(clinic):
    assert tls.for_calls(clinic.tls()).check_hostname
    assert not tls.for_calls(clinic.tls(check_name=False)).check_hostname


def test_the_system_s_authorities_are_there():
    assert tls.for_calls(Tls(ca=None)).cert_store_stats()["x509_ca"] >= 0


def test_a_handshake_refused_after_all_was_agreed_is_about_our_certificate():
    refused = _error("SSLV3_ALERT_HANDSHAKE_FAILURE")
    assert tls.fault_of(refused) is tls.VERSION
    assert tls.fault_of(refused, agreed=True, shown=False) is tls.OURS_MISSING
    assert tls.fault_of(refused, agreed=True, shown=True) is tls.OURS_REFUSED


def test_what_has_no_words_of_its_own_is_tried_again():
    peer = Peer(kind="archive", name="pacs", ae_title="P", host="h", port=1)
    error = tls.refusal(peer, _error("SOMETHING_NEW"))
    assert isinstance(error, TryLater)
    assert error.code == "tls-failed"
    assert "something new" in error.what


def test_a_certificate_that_is_unfit_otherwise_is_said_with_the_reason():
    peer = Peer(kind="archive", name="pacs", ae_title="P", host="h", port=1)
    error = ssl.SSLCertVerificationError(1, "words")
    error.verify_code, error.verify_message = 26, "unsuitable certificate purpose"
    found = tls.refusal(peer, error)
    assert found.code == "tls-certificate"
    assert "unsuitable certificate purpose" in found.what


def test_the_end_of_every_certificate_of_a_file_is_read(clinic):
    soon, late = clinic.issue("box", days=(-1, 20)), clinic.issue("box", days=(-1, 20_000))
    both = clinic.ca.with_name("both.pem")
    both.write_bytes(b"words before\n" + soon.certificate.read_bytes() + late.certificate.read_bytes())
    now = datetime.now(UTC)
    assert [round((end - now) / timedelta(days=1)) for end in expiry.ends(both)] == [20, 20_000]


def test_what_is_no_certificate_has_no_end(tmp_path):
    path = tmp_path / "x.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match="not a certificate"):
        expiry.ends(path)
    path.write_text("")
    assert expiry.ends(path) == []
