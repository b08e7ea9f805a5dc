"""Settings whose passwords are never said again, and who may not see or change any."""

from pathlib import Path
from typing import Any

import pytest

from gateway.panel.people.roles import Role
from tests.unit.panel.conftest import Bench
from tests.unit.panel.settings_desk import PIN, WRITTEN, asked, config, put, revision, with_settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def configured(bench: Bench) -> Bench:
    return with_settings(bench)


# --- secrets ---------------------------------------------------------------------------------------------


def test_a_password_is_kept_in_a_file_and_never_said_again(configured: Bench) -> None:
    values = {"kind": "stow", "name": "cloud", "url": "https://archive.example/dicom-web"}
    asked(configured, "change", {"add": "destination", "values": values}).raise_for_status()
    secret = "hunter2-and-more"
    file = configured.client.post("/api/v1/settings/secrets", json={"secret": secret}).json()["file"]
    answer = asked(
        configured,
        "change",
        put("destination", 1, "user", value="box"),
        put("destination", 1, "password_file", value=file),
    )
    assert answer.status_code == 200, answer.text
    pages = [configured.client.get(f"/settings/{path}").text for path in ("archives", "archives/destination/1")]
    everything = [*pages, configured.client.get("/api/v1/settings").text, config(configured).read_text()]
    assert not any(secret in text for text in everything)
    assert "Kept on this box" in pages[1]
    assert not any(file in text for text in everything[:3])


@pytest.mark.parametrize(
    ("url", "is_another"),
    [
        ("https://archive.example/another/path", False),
        ("https://ARCHIVE.example:443/dicom-web", False),
        ("https://elsewhere.example/dicom-web", True),
        ("https://archive.example:8443/dicom-web", True),
        ("http://archive.example:443/dicom-web", True),
    ],
)
def test_a_password_goes_to_no_other_address_than_the_one_it_was_given_for(
    configured: Bench,
    url: str,
    is_another: bool,  # noqa: FBT001 - a column of the table
) -> None:
    def kept(secret: str) -> str:
        return str(configured.client.post("/api/v1/settings/secrets", json={"secret": secret}).json()["file"])

    values = {"kind": "stow", "name": "cloud", "url": "https://archive.example/dicom-web", "insecure": True}
    values |= {"user": "box", "password_file": kept("hunter2")}
    asked(configured, "change", {"add": "destination", "values": values}).raise_for_status()
    moved = put("destination", 1, "url", value=url)
    wrong = asked(configured, "check", moved).json()["problems"]
    assert [each["place"] for each in wrong] == [["destination", 1, "password_file"]] * is_another
    assert asked(configured, "change", moved).status_code == (422 if is_another else 200)
    anew = put("destination", 1, "password_file", value=kept("another-one"))
    if is_another:
        assert "type it again" in wrong[0]["reason"]
        asked(configured, "change", moved, anew).raise_for_status()
        # Neither the old one for the new address, nor in two steps, nor the new one for the old address.
        old = put("destination", 1, "password_file", value=values["password_file"])
        assert asked(configured, "change", old).status_code == 422
        back = put("destination", 1, "url", value=values["url"])
        assert asked(configured, "change", back).status_code == 422
        body = {"revision": revision(configured)}
        configured.client.post("/api/v1/settings/take-back", json=body).raise_for_status()  # both as they were


def test_another_address_is_asked_for_together_with_its_password(configured: Bench) -> None:
    file = configured.client.post("/api/v1/settings/secrets", json={"secret": "hunter2"}).json()["file"]
    values = {"kind": "stow", "name": "cloud", "url": "https://archive.example/dicom-web", "token_file": file}
    asked(configured, "change", {"add": "destination", "values": values}).raise_for_status()
    page = configured.client.get("/settings/archives/ask/destination/1/url").text
    assert page.count('data-kind="secret"') == 1
    assert "hunter2" not in page
    alone = configured.client.get("/settings/archives/ask/destination/1/name").text
    assert 'data-kind="secret"' not in alone


def test_what_is_no_secret_is_not_kept(configured: Bench) -> None:
    for secret in ("", "two words", "ü", 7, "x" * 20_000):
        answer = configured.client.post("/api/v1/settings/secrets", json={"secret": secret})
        assert answer.status_code == 422


# --- attacks ---------------------------------------------------------------------------------------------


def test_nobody_without_the_pin_and_no_other_role_sees_or_changes_settings(bench: Bench) -> None:
    config(bench).write_text(WRITTEN)
    for method, path in (
        ("GET", ""),
        ("GET", "/state"),
        ("GET", "/before"),
        ("POST", "/change"),
        ("POST", "/secrets"),
    ):
        answer = bench.client.request(method, f"/api/v1/settings{path}", json={} if method == "POST" else None)
        assert answer.status_code == 401
    bench.client.post("/api/v1/people/first", json={"name": "Huber", "pin": PIN}).raise_for_status()
    for role in (Role.TECHNICIAN, Role.REVIEWER, Role.SERVICE):
        person = {"name": f"a {role}", "role": role, "pin": "731840"}
        bench.client.post("/api/v1/people", json=person).raise_for_status()
    bench.client.post("/api/v1/session/end", json={})
    for role in (Role.TECHNICIAN, Role.REVIEWER, Role.SERVICE):
        bench.client.post("/api/v1/session", json={"name": f"a {role}", "pin": "731840"}).raise_for_status()
        answer = bench.client.get("/api/v1/settings")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-permitted")
    assert config(bench).read_text() == WRITTEN


def test_another_pages_request_changes_nothing(configured: Bench) -> None:
    body = {"changes": [put("station", "name", value="X")], "revision": revision(configured)}
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}):
        assert configured.client.post("/api/v1/settings/change", json=body, headers=headers).status_code in {
            403,
            421,
        }
    assert config(configured).read_text() == WRITTEN


@pytest.mark.parametrize(
    "change",
    [
        put("station", "data_dir", value="/tmp/elsewhere"),
        put("station", "runtime_dir", value="/tmp/elsewhere"),
        put("panel", "listen", value="127.0.0.1:9"),
        put("no_such_table", "key", value="x"),
        put("station", "no_such_key", value="x"),
        put("station", 0, "name", value="x"),
        put("destination", "name", value="x"),
        put("destination", 99, "name", value="x"),
        {"add": "station", "values": {"name": "x"}},
        {"add": "../../etc/passwd", "values": {}},
        {"place": ["destination"], "remove": True},
        {"place": ["station", "name"], "value": 1.5},
        {"place": ["station", "name"], "value": None},
        {"place": ["station", "name"], "value": "x", "more": 1},
        {"place": ["station", {"a": 1}], "value": "x"},
        {"place": ["station", "name"], "value": ["x" * 2000]},
        "no change at all",
    ],
)
def test_what_is_no_part_of_the_settings_is_refused(configured: Bench, change: dict[str, Any]) -> None:
    assert asked(configured, "change", change).status_code == 422
    assert config(configured).read_text() == WRITTEN


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (("source", 0, "device"), "file:/etc/passwd"),
        (("source", 0, "profile"), "../../../../etc/x.toml"),
        (("destination", 0, "tls"), "/etc/ssl/certs/ca-certificates.crt"),
        (("station", "tls"), "../people.json"),
    ],
)
def test_the_box_is_not_pointed_at_files_of_its_machine(
    configured: Bench, place: tuple[str | int, ...], path: str
) -> None:
    value = {"ca": path} if place[-1] == "tls" else path
    answer = asked(configured, "change", put(*place, value=value))
    assert answer.status_code == 422
    assert "file" in answer.text
    assert config(configured).read_text() == WRITTEN
