"""The audit repository on the screen: asked for step by step, tried, removed; the audit file says by whom."""

import json
import tomllib
from pathlib import Path

import pytest

from gateway.model import RequestState
from gateway.spool.processes import trials
from tests.certificates import Authority
from tests.unit.panel.conftest import Bench
from tests.unit.panel.settings_desk import WRITTEN, asked, config, put, revision, with_settings

PAGE, NEW, TRY = "/settings/audit", "/settings/audit/audit/new", "/settings/audit/try"
CA, CERTIFICATE, KEY = (f"certificates/{name}" for name in ("clinic-ca.pem", "box.pem", "box.key"))


@pytest.fixture
def configured(bench: Bench, tmp_path: Path) -> Bench:
    """A box that has the certificates which an administrator brought to its own page."""
    box, authority = with_settings(bench), Authority(tmp_path / "authority")
    ours, folder = authority.issue("box"), config(bench).parent / "certificates"
    folder.mkdir()
    for name, file in ((CA, authority.ca), (CERTIFICATE, ours.certificate), (KEY, ours.key)):
        (config(bench).parent / name).write_bytes(file.read_bytes())
    return box


def set_up(bench: Bench, host: str = "audit.clinic.example") -> None:
    """Answer what the page asks, as it sends the answers."""
    answers = {("host",): host, ("tls", "ca"): CA, ("tls", "certificate"): CERTIFICATE, ("tls", "key"): KEY}
    changes = [put("audit", *place, value=value) for place, value in answers.items()]
    asked(bench, "change", *changes).raise_for_status()


def audit_of(bench: Bench) -> object:
    return tomllib.loads(config(bench).read_text()).get("audit")


def test_without_one_the_page_offers_to_add_it_and_asks_for_all_that_it_needs(configured: Bench) -> None:
    page = configured.client.get(PAGE).raise_for_status().text
    assert f'href="{NEW}"' in page
    assert 'href="/machine/certificate"' in page
    assert TRY not in page
    asking = configured.client.get(NEW).raise_for_status().text
    places = ("host", "port", "ca", "certificate", "key", "check_name")
    assert [f"&#34;{each}&#34;]" in asking for each in places] == [True] * len(places)
    for file in (CA, CERTIFICATE, KEY, "system"):  # the box's own, and no second store
        assert f'value="{file}"' in asking


def test_what_was_answered_is_the_audit_table_of_the_file(configured: Bench) -> None:
    set_up(configured)
    tls = {"ca": CA, "certificate": CERTIFICATE, "key": KEY}
    assert audit_of(configured) == {"host": "audit.clinic.example", "tls": tls}
    page = configured.client.get(PAGE).raise_for_status().text
    assert "audit.clinic.example" in page
    assert f'href="{TRY}"' in page
    assert 'id="remove"' in page
    assert configured.client.get(NEW).status_code == 404  # there is one


def test_it_is_no_repository_without_encryption(configured: Bench) -> None:
    wrong = asked(configured, "check", put("audit", "host", value="audit.clinic.example")).json()["problems"]
    assert [(each["place"], each["reason"]) for each in wrong] == [(["audit"], "tls is missing")]
    assert asked(configured, "change", put("audit", "host", value="audit.clinic.example")).status_code == 422


def test_it_is_removed_with_what_it_was_said_and_the_rest_of_the_file_stays(configured: Bench) -> None:
    set_up(configured)
    config(configured).write_text(f"{config(configured).read_text()}\n# the panel\n[panel]\ntheme = 'light'\n")
    gone = {"place": ["audit"], "remove": True}
    said = asked(configured, "check", gone).json()["differences"]
    assert {each["words"]["about"] for each in said} == {"Audit repository"}
    assert [each["words"]["new"] for each in said] == ["Not set"] * len(said)
    asked(configured, "change", gone).raise_for_status()
    assert audit_of(configured) is None
    left = config(configured).read_text().replace("\n\n\n", "\n\n")
    assert left == f"{WRITTEN}\n# the panel\n[panel]\ntheme = 'light'\n"


def test_who_turns_it_away_stands_in_the_audit_file_by_name(configured: Bench) -> None:
    set_up(configured)
    asked(configured, "change", put("audit", "host", value="elsewhere.example")).raise_for_status()
    noted = json.loads(configured.spool.layout.audit.read_text().splitlines()[-1])
    assert (noted["what"], noted["person"], noted["keys"]) == ("settings-changed", "Huber", "audit.host")
    body = {"revision": revision(configured)}
    configured.client.post("/api/v1/settings/take-back", json=body).raise_for_status()
    assert audit_of(configured)["host"] == "audit.clinic.example"  # type: ignore[index]


@pytest.mark.parametrize("table", ["station", "panel", "retention", "destination", "no_such"])
def test_no_other_table_goes_as_a_whole(configured: Bench, table: str) -> None:
    before = config(configured).read_text()
    assert asked(configured, "change", {"place": [table], "remove": True}).status_code == 422
    assert asked(configured, "change", {"place": [table], "value": {}}).status_code == 422
    assert config(configured).read_text() == before


def test_it_is_not_pointed_at_files_of_the_machine(configured: Bench) -> None:
    set_up(configured)
    answer = asked(configured, "change", put("audit", "tls", "key", value="/etc/ssl/private/other.key"))
    assert answer.status_code == 422
    assert [each["place"] for each in answer.json()["problems"]][-1][:2] == ["audit", "tls"]
    values = {"host": "audit.clinic.example", "tls": {"ca": "/etc/passwd"}}
    configured.refused("/trials", {"table": "audit", "values": values}, 422, "bad-value")


def test_it_is_tried_as_the_file_has_it_and_what_failed_is_said_in_words(configured: Bench) -> None:
    assert configured.client.get(TRY).status_code == 404  # there is none
    set_up(configured)
    page = configured.client.get(TRY).raise_for_status().text
    shown = json.loads(page.partition('id="setup-trial">')[2].partition("</script>")[0])
    assert shown == {"table": "audit", "values": audit_of(configured)}
    assert "AE title" not in page
    begun = configured.client.post("/api/v1/trials", json=shown).raise_for_status().json()
    request = configured.spool.requests.begin(trials.REQUEST)
    assert request is not None
    line = trials.Line(part="answers", ok=False, what="It does not answer.", action="Call IT.", code="unreachable")
    configured.spool.requests.done(request, {"lines": [line.to_json()]})
    assert configured.spool.requests.get(begun["id"]).state is RequestState.DONE
    found = configured.get(f"/trials/{begun['id']}")
    assert (found["done"], found["ok"], found["lines"][0]["code"]) == (True, False, "unreachable")


def test_a_box_without_certificates_says_where_they_are_brought(bench: Bench) -> None:
    asking = with_settings(bench).client.get(NEW).raise_for_status().text
    assert asking.count("Certificates are brought under Settings, This box") == 3


def test_its_encryption_is_changed_and_never_turned_off(configured: Bench) -> None:
    set_up(configured)
    assert 'data-kind="table"' not in configured.client.get("/settings/audit/ask/audit/tls").raise_for_status().text
    gone = asked(configured, "change", {"place": ["audit", "tls"], "remove": True})
    assert (gone.status_code, gone.json()["problems"][0]["reason"]) == (422, "tls is missing")
