"""Certificates and keys in the configuration: what is refused, and where the message points."""

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.config.reader import check, read
from gateway.config.settings import Tls
from tests.certificates import Authority

PEER = '[[{}]]\nname = "x"\nae_title = "X"\nhost = "10.0.0.6"\nport = 104\n'


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("clinic"))


@pytest.fixture(scope="module")
def box(clinic):
    return clinic.issue("box", label="box")


def _file(tmp_path, text):
    path = tmp_path / "scopegate.toml"
    path.write_text(text)
    return path


def _table(ca, identity=None, key=None):
    lines = [f'ca = "{ca}"']
    if identity:
        lines += [f'certificate = "{identity.certificate}"', f'key = "{key or identity.key}"']
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("table", ["worklist", "destination"])
def test_a_peer_s_files_reach_the_settings(clinic, box, tmp_path, table):
    text = PEER.format(table) + f"[{table}.tls]\n{_table(clinic.ca, box)}check_name = false\n"
    settings = read(_file(tmp_path, text), {})
    (peer,) = getattr(settings, f"{table}s")
    assert peer.tls == Tls(ca=clinic.ca, certificate=box.certificate, key=box.key, check_name=False)


def test_the_system_s_authorities_are_a_word_and_paths_begin_at_the_configuration(box, tmp_path):
    (tmp_path / "our.pem").write_bytes(box.certificate.read_bytes())
    (tmp_path / "our.key").write_bytes(box.key.read_bytes())
    text = PEER.format("worklist") + 'tls = { ca = "system", certificate = "our.pem", key = "our.key" }\n'
    (server,) = read(_file(tmp_path, text), {}).worklists
    assert server.tls == Tls(ca=None, certificate=tmp_path / "our.pem", key=tmp_path / "our.key")


def test_the_listener_s_files_reach_the_settings(clinic, box, tmp_path):
    settings = read(_file(tmp_path, f"[station.tls]\n{_table(clinic.ca, box)}"), {})
    assert settings.station.tls == Tls(ca=clinic.ca, certificate=box.certificate, key=box.key)


def test_an_expired_certificate_is_no_reason_not_to_start(clinic, tmp_path):
    old = clinic.issue("box", days=(-9, -1))
    assert check(_file(tmp_path, f"[station.tls]\n{_table(clinic.ca, old)}"), {}) == []


def _encrypted(box, tmp_path):
    key = tmp_path / "encrypted.key"
    key.write_bytes(
        serialization.load_pem_private_key(box.key.read_bytes(), None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return key


def _wrong(what, clinic, box, tmp_path):
    huge = tmp_path / "huge.pem"
    huge.write_bytes(bytes(5_000_000))
    return {
        "another key": lambda: _table(clinic.ca, box, clinic.issue("other").key),
        "a locked key": lambda: _table(clinic.ca, box, _encrypted(box, tmp_path)),
        "no key": lambda: _table(clinic.ca, box, clinic.ca),
        "no certificate": lambda: _table(clinic.ca, box).replace(str(box.certificate), str(box.key)),
        "public authorities": lambda: _table("system", box),
        "a huge file": lambda: _table(huge, box),
    }[what]()


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("another key", ("station.tls.key", 4, "is not the key of")),
        ("a locked key", ("station.tls.key", 4, "is encrypted")),
        ("no key", ("station.tls.key", 4, "holds no private key in PEM form")),
        ("no certificate", ("station.tls.certificate", 3, "holds no certificate in PEM form")),
        ("public authorities", ("station.tls.ca", 2, "everybody who has a certificate")),
        ("a huge file", ("station.tls.ca", 2, "too large")),
    ],
)
def test_files_that_do_not_fit_are_named_with_key_and_line(clinic, box, tmp_path, what, found):
    key, line, reason = found
    [problem] = check(_file(tmp_path, f"[station.tls]\n{_wrong(what, clinic, box, tmp_path)}"), {})
    assert (problem.key, problem.line) == (key, line)
    assert reason in problem.reason
    assert "PRIVATE" not in problem.reason


def test_a_certificate_without_its_key_is_refused(clinic, box, tmp_path):
    text = PEER.format("destination") + f'tls = {{ ca = "{clinic.ca}", certificate = "{box.certificate}" }}\n'
    [problem] = check(_file(tmp_path, text), {})
    assert (problem.key, problem.line) == ("destination.tls", 6)
    assert "key is missing" in problem.reason
