"""The box's own certificate: made here, signed elsewhere, refused when it does not fit, chosen where needed."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import trustme

from gateway.clock import FakeClock
from gateway.panel.own_certificate import OwnCertificate
from gateway.spool.audit import Audit
from gateway.spool.files import Files
from tests.unit.panel.conftest import Bench
from tests.unit.panel.settings_desk import with_settings

NAMES = ["box.clinic.example", "10.1.2.3"]


class Authority:
    """A clinic's, as the openssl tool signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                      "-days", "3650", "-subj", "/CN=Clinic CA")  # fmt: skip

    @property
    def pem(self) -> str:
        return (self.folder / "ca.pem").read_text()

    def signed(self, request: bytes, days: int = 365) -> str:
        (self.folder / "request").write_bytes(request)
        self._openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", str(days), "-copy_extensions", "copyall", "-out", "signed.pem")  # fmt: skip
        return (self.folder / "signed.pem").read_text()

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def box(bench: Bench) -> Bench:
    return with_settings(bench)


def kept(bench: Bench, name: str) -> Path:
    return bench.settings.station.data_dir / "certificates" / name


def request_of(bench: Bench) -> bytes:
    return bench.client.get("/api/v1/certificate/request").raise_for_status().content


def take(bench: Bench, pem: str) -> httpx2.Response:
    return bench.client.post("/api/v1/certificate/take", json={"pem": pem})


def test_a_key_is_made_here_and_a_certificate_until_somebody_signed_one(box: Bench) -> None:
    assert box.get("/certificate") == {"certificate": None, "authority": None}
    made = box.post("/certificate/make", {"names": NAMES})["certificate"]
    assert made["subject"] == "CN=box.clinic.example"
    assert (made["vouches_for_itself"], made["state"]) == (True, "ok")
    said = subprocess.run(
        ["openssl", "req", "-noout", "-text", "-verify"], input=request_of(box), capture_output=True, check=True
    ).stdout.decode()
    for words in ("DNS:box.clinic.example", "IP Address:10.1.2.3", "TLS Web Client Authentication", "3072 bit"):
        assert words in said
    assert kept(box, "box.key").stat().st_mode & 0o007 == 0
    assert "PRIVATE" not in request_of(box).decode()


def test_what_the_clinic_signed_takes_its_place(box: Bench, authority: Authority) -> None:
    box.post("/certificate/make", {"names": NAMES})
    box.post("/certificate/authority", {"pem": authority.pem})
    found = take(box, authority.signed(request_of(box))).raise_for_status().json()
    assert found["certificate"]["issuer"] == found["authority"]["subject"] == "CN=Clinic CA"
    assert not found["certificate"]["vouches_for_itself"]
    noted = [json.loads(line)["what"] for line in box.spool.layout.audit.read_text().splitlines()]
    assert noted[-3:] == ["certificate-requested", "authority-taken", "certificate-taken"]


def test_a_new_key_waits_until_its_certificate_is_there(box: Bench, authority: Authority) -> None:
    box.post("/certificate/make", {"names": NAMES})
    take(box, authority.signed(request_of(box))).raise_for_status()
    key, certificate = kept(box, "box.key").read_bytes(), kept(box, "box.pem").read_bytes()
    box.post("/certificate/make", {"names": NAMES})
    assert (kept(box, "box.key").read_bytes(), kept(box, "box.pem").read_bytes()) == (key, certificate)
    take(box, authority.signed(request_of(box))).raise_for_status()
    assert kept(box, "box.key").read_bytes() != key
    assert not kept(box, "box-new.key").exists()


def test_a_certificate_that_does_not_fit_changes_nothing(box: Bench, authority: Authority) -> None:
    assert take(box, authority.pem).json()["code"] == "bad-value"  # no key yet
    box.post("/certificate/make", {"names": NAMES})
    before = kept(box, "box.pem").read_bytes()
    foreign = trustme.CA()
    box.post("/certificate/authority", {"pem": foreign.cert_pem.bytes().decode()})
    for pem in (
        authority.pem,
        authority.signed(request_of(box)),
        "nothing",
        "-----BEGIN PRIVATE KEY-----",
        "Ä",
        "",
    ):
        assert take(box, pem).status_code == 422, pem
    assert kept(box, "box.pem").read_bytes() == before
    box.refused("/certificate/authority", {"pem": "nothing"}, 422, "bad-value")
    assert kept(box, "clinic-ca.pem").read_bytes() == foreign.cert_pem.bytes()


@pytest.mark.parametrize("names", [[], ["a b"], ["a,DNS:b"], ["/x"], [1], "box", ["x"] * 11 + ["y/CN=z"]])
def test_names_that_are_none_are_refused(box: Bench, names: object) -> None:
    box.refused("/certificate/make", {"names": names}, 422, "bad-value")
    assert not kept(box, "box.key").exists()


def test_what_is_kept_here_is_chosen_where_a_certificate_is_asked_for(box: Bench) -> None:
    place = "/settings/network/ask/panel/lan"
    assert "certificates/box.pem" not in box.client.get(place).text
    box.post("/certificate/make", {"names": NAMES})
    page = box.client.get(place).text
    assert 'value="certificates/box.pem"' in page
    assert 'value="certificates/box.key"' in page
    lan = {"certificate": "certificates/box.pem", "key": "certificates/box.key"}
    revision = box.client.get("/api/v1/settings/state").json()["revision"]
    change = [{"place": ["panel", "lan", key], "value": value} for key, value in lan.items()]
    answer = box.client.post("/api/v1/settings/check", json={"changes": change, "revision": revision})
    assert answer.json()["problems"] == []


def test_the_page_says_whose_it_is_and_where_files_come_in(box: Bench) -> None:
    page = box.client.get("/machine/certificate").text
    assert "Make a key and a certificate" in page
    assert "/api/v1/certificate/request" not in page
    box.post("/certificate/make", {"names": NAMES})
    page = box.client.get("/machine/certificate").text
    assert "CN=box.clinic.example" in page
    assert "signed by nobody else yet" in page


@pytest.mark.parametrize(("days", "state"), [(61, "ok"), (59, "soon"), (15, "soon"), (13, "now"), (-1, "over")])
def test_an_end_is_said_60_and_14_days_ahead(tmp_path: Path, authority: Authority, days: int, state: str) -> None:
    clock = FakeClock(datetime.now(UTC))
    own = OwnCertificate(
        base=tmp_path,
        files=Files(),
        audit=Audit(path=tmp_path / "audit.jsonl", files=Files(), clock=clock),
        clock=clock,
    )
    own.make(NAMES)
    own.take(authority.signed(own.request(), days=365))
    standing = own.now()
    assert standing
    clock.set(standing.about.until - timedelta(days=days, hours=-1))
    later = own.now()
    assert later
    assert later.state == state
