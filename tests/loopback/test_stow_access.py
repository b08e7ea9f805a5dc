"""Who the box is to a web archive and who the archive is to the box: tokens, passwords, certificates."""

import logging
import ssl
from dataclasses import replace

import pytest

from gateway.errors import DeliveryError, NeedsConfiguration, TryLater
from gateway.net.reach import reach
from tests.certificates import Authority
from tests.loopback.peers import FaultWeb, Orthanc, free_port, items
from tests.loopback.peers.orthanc import DICOM_WEB
from tests.loopback.stowing import answering, channel_to, send_one, store, to

SECRET = "tok3n-that-nobody-may-see"


def test_a_token_is_read_anew_for_each_request_and_shown_to_nobody(web_archive, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    token = tmp_path / "token"
    token.write_text(f"{SECRET}\n")
    with channel_to(to(web_archive.url, token_file=token)) as channel:
        store(channel, items.sample(tmp_path))
        token.write_text("another")
        store(channel, items.sample(tmp_path))
        web_archive.behave = answering(403, SECRET.encode())
        with pytest.raises(NeedsConfiguration) as caught:
            store(channel, items.sample(tmp_path))
        token.write_text(f"{SECRET} with spaces")
        with pytest.raises(TryLater) as unusable:
            store(channel, items.sample(tmp_path))
        token.unlink()
        with pytest.raises(TryLater) as gone:
            store(channel, items.sample(tmp_path))
    assert [asked.headers["authorization"] for asked in web_archive.posts()] == [
        f"Bearer {SECRET}", "Bearer another", "Bearer another",
    ]  # fmt: skip
    assert unusable.value.code == gone.value.code == "secret-file"
    assert unusable.value.nothing_left
    said = "".join(f"{e.value.what}{e.value.action}{e.value!r}" for e in (caught, unusable, gone))
    assert SECRET not in said + caplog.text
    assert "another" not in said + caplog.text
    assert not [record for record in caplog.records if record.name.startswith("http")], "addresses name objects"


def test_a_name_and_a_password_sign_on(tmp_path, still):
    password = tmp_path / "password"
    password.write_text("secret")
    folder = tmp_path / "orthanc"
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"box": "secret"}}
    with Orthanc(folder, Plugins=[DICOM_WEB], DicomWeb={"Enable": True}, **users) as web_archive:
        url = f"http://127.0.0.1:{web_archive.http_port}/dicom-web"
        assert send_one(url, still)[0].code == "not-authorized"
        assert send_one(url, still, user="box", password_file=password)[0].status == "HTTP 200"
        assert reach(to(url), our_ae="X", deadline_s=5).code == "not-authorized"
        assert reach(to(url, user="box", password_file=password), our_ae="X", deadline_s=5).ok


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("clinic"))


def test_https_with_certificates_on_both_sides(clinic, tmp_path):
    box, file = clinic.issue("box"), items.sample(tmp_path, pixels=bytes(3_000_000))
    with FaultWeb(secured=clinic.server(clinic.issue(days=(-1, 20)))) as web_archive:
        assert send_one(web_archive.url, file, tls=clinic.tls(box))[0].status == "HTTP 200"
        assert web_archive.has[file.stem] == file.read_bytes()
        answer = reach(to(web_archive.url, tls=clinic.tls(box)), our_ae="X", deadline_s=5)
        assert answer.ok
        assert answer.proven_until is not None


def test_each_problem_of_a_certificate_has_its_code_over_the_web_too(clinic, tmp_path_factory, still):
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    good = clinic.issue()
    ours = clinic.tls(clinic.issue("box"))
    for shown, tls, code in (
        (clinic.issue(days=(-9, -1)), ours, "tls-expired"),
        (clinic.issue(days=(1, 9)), ours, "tls-not-yet-valid"),
        (stranger.issue(), ours, "tls-unknown-ca"),
        (good, None, "tls-unknown-ca"),
        (clinic.issue("pacs.clinic.example"), ours, "tls-wrong-name"),
        (good, clinic.tls(), "tls-client-certificate-refused"),
        (good, clinic.tls(stranger.issue("box")), "tls-client-certificate-refused"),
        (good, replace(ours, key=good.key), "tls-file"),
    ):
        with FaultWeb(secured=clinic.server(shown)) as web_archive:
            try:
                error, _ = send_one(web_archive.url, still, tls=tls)
            except DeliveryError as unusable:
                error = unusable
            assert error.code == code
            assert error.nothing_left or code == "tls-file"
            assert web_archive.posts() == []
    older = clinic.server(good)  # TLS 1.2 has one word for a missing certificate and for no common cipher
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with FaultWeb(secured=older) as web_archive:
        assert send_one(web_archive.url, still, tls=clinic.tls())[0].code == "tls-client-certificate-refused"
    with FaultWeb() as plain:
        error, _ = send_one(plain.url.replace("http:", "https:"), still, tls=ours)
        assert error.code == "tls-plain-peer"


def test_an_archive_is_tested_from_the_box(web_archive):
    assert reach(to(web_archive.url), our_ae="X", deadline_s=2).ok
    web_archive.behave = lambda request, _: request.answer(404)
    assert reach(to(web_archive.url), our_ae="X", deadline_s=2).code == "wrong-address"
    nobody = reach(to(f"http://127.0.0.1:{free_port()}"), our_ae="X", deadline_s=2)
    assert (nobody.ok, nobody.code) == (False, "unreachable")
