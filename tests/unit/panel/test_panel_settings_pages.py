"""The pages of the settings: each question is there, also of what this machine has not got or still needs."""

import html
import json
import socket
import tomllib
from pathlib import Path

import pytest

from gateway.panel.shown.setting_words import PAGES
from gateway.panel.this_machine import lacking
from tests.unit.panel.conftest import Bench, seal
from tests.unit.panel.fake_capture import START
from tests.unit.panel.settings_desk import WRITTEN, asked, config, put, with_settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def configured(bench: Bench) -> Bench:
    return with_settings(bench)


# --- pages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", list(PAGES))
def test_each_page_and_each_question_on_it_is_there(configured: Bench, page: str) -> None:
    assert configured.client.get(f"/settings/{page}").status_code == 200
    answer = configured.client.get("/api/v1/settings").json()
    (found,) = [each for each in answer["pages"] if each["id"] == page]
    for section in found["sections"]:
        for entry in section["entries"]:
            for field in entry["fields"]:
                place = "/".join(map(str, field["place"]))
                asking = configured.client.get(f"/settings/{page}/ask/{place}")
                assert asking.status_code == 200
                assert field["label"] in asking.text or field.get("fields")
        for kind in section["kinds"] or [""] if section["many"] else []:
            new = configured.client.get(
                f"/settings/{page}/{section['table']}/new", params={"kind": kind} if kind else {}
            )
            assert new.status_code == 200
    for wrong in ("ask/station/data_dir", "ask/no/such", "destination/99", "destination/new?kind=evil", "ask/../x"):
        assert configured.client.get(f"/settings/{page}/{wrong}").status_code in {404, 200}
    assert configured.client.get(f"/settings/{page}/ask/station/data_dir").status_code == 404


# --- what this machine has not got -----------------------------------------------------------------------


def test_an_address_that_this_box_cannot_listen_at_is_refused(configured: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for value in ("192.0.2.1:11112", f"127.0.0.1:{taken.getsockname()[1]}"):
            answer = asked(configured, "change", put("station", "listen", value=value))
            assert [each["place"] for each in answer.json()["problems"]] == [["station", "listen"]]
    asked(configured, "change", put("station", "listen", value="0.0.0.0:11112")).raise_for_status()


def test_what_a_machine_has_not_got_is_said_where_it_was_asked_for() -> None:
    sources = [{"ring_mb": 500}, {"ring_mb": 600, "pre_record_s": 3}, {}]
    (problem,) = lacking({}, {"source": sources}, memory=3_000_000_000)
    assert problem.place == ("source", 1, "ring_mb")
    assert "1796 MB of memory; this box has 1500" in problem.reason
    assert not [*lacking({}, {"source": sources}, memory=4_000_000_000)]
    assert not [*lacking({"source": sources}, {"source": sources}, memory=1)]  # it is so already


# --- archives with pictures that wait --------------------------------------------------------------------


def test_an_archive_that_has_not_got_all_of_its_pictures_cannot_vanish(configured: Bench) -> None:
    exam = configured.open_exam()
    uid = configured.capture.store(configured.spool.exams.get(exam), frame=START + 1).sop_instance_uid
    configured.spool.exams.finish(exam)
    seal(configured, exam, uid, ("pacs",))
    for change in ({"place": ["destination", 0], "remove": True}, put("destination", 0, "name", value="other")):
        answer = asked(configured, "change", change)
        assert answer.status_code == 422
        (problem,) = answer.json()["problems"]
        assert problem["reason"].startswith("1 pictures still wait for it")
    asked(configured, "change", put("destination", 0, "host", value="10.0.0.9")).raise_for_status()


# --- a stick ---------------------------------------------------------------------------------------------


def test_a_pedal_is_learned_in_the_settings_as_in_the_first_start(configured: Bench) -> None:
    assert "/settings/pedals/trigger/learn" in configured.client.get("/settings/pedals").text
    page = configured.client.get("/settings/pedals/trigger/learn").raise_for_status().text
    assert 'id="setup-pedal"' in page
    assert 'name="source" value="ultrasound"' in page
    config(configured).write_text("")
    without = configured.client.get("/settings/pedals/trigger/learn").raise_for_status().text
    assert 'id="setup-pedal"' not in without
    assert 'href="/settings/sources"' in without


def test_storage_commitment_of_another_address_is_shown_and_can_be_kept(configured: Bench) -> None:
    other = 'commitment = { ae_title = "PACS_SC", host = "127.0.0.1", port = 105 }\n'
    config(configured).write_text(f"{WRITTEN}{other}")
    page = configured.client.get("/settings/archives/ask/destination/0/commitment").raise_for_status().text
    kept = json.dumps({"ae_title": "PACS_SC", "host": "127.0.0.1", "port": 105})
    assert f'value="{html.escape(kept)}" checked'.replace("&quot;", "&#34;") in page
    assert "PACS_SC 127.0.0.1 105" in page


def test_a_picture_source_is_chosen_from_what_is_plugged_in(configured: Bench) -> None:
    page = configured.client.get("/settings/sources/ask/source/0/device").raise_for_status().text
    assert 'value="pattern:ultrasound" checked' in page
    assert page.count('type="radio"') > 1
    profiles = configured.client.get("/settings/sources/ask/source/0/profile").raise_for_status().text
    assert 'value="dvi-1080p-ultrasound"' in profiles
    assert 'data-device="pattern:ultrasound"' in profiles  # profiles.js looks at it with each of them
    assert "data-device" not in page
    configured.capture.stop()
    typed = configured.client.get("/settings/sources/ask/source/0/device").raise_for_status().text
    assert 'type="radio"' not in typed  # nobody says what is there: it is typed


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("station/ask/station/name", "code"),
        ("network/ask/station/ae_title", "code"),
        ("screen/ask/panel/operators", "name"),
        ("station/ask/station/institution", "search"),
    ],
)
def test_a_field_is_typed_with_the_capitals_that_it_has_wherever_else_it_is_typed(configured, path, keys):
    assert f'data-keys="{keys}"' in configured.client.get(f"/settings/{path}").text


def test_storage_commitment_of_another_address_is_typed_where_it_is_rarely_needed(configured: Bench) -> None:
    page = configured.client.get("/settings/archives/destination/0").raise_for_status().text
    folded = page.partition("<details")[2].partition("</details>")[0]
    for service in ("commitment", "query"):
        assert f"/settings/archives/elsewhere/destination/0/{service}" in folded
    asking = configured.client.get("/settings/archives/elsewhere/destination/0/commitment").raise_for_status().text
    assert asking.count("<fieldset") == 3  # one value: its title, its address, its port
    assert 'data-whole="[&#34;destination&#34;, 0, &#34;commitment&#34;]"' in asking
    other = {"ae_title": "PACS_SC", "host": "127.0.0.1", "port": 105}
    said = asked(configured, "check", put("destination", 0, "commitment", value=other)).json()["differences"]
    label = "Another address confirms what it stored: Its name for DICOM (AE title)"
    assert (said[0]["words"]["label"], said[0]["words"]["new"]) == (label, "PACS_SC")
    asked(configured, "change", put("destination", 0, "commitment", value=other)).raise_for_status()
    assert tomllib.loads(config(configured).read_text())["destination"][0]["commitment"] == other
    assert "PACS_SC 127.0.0.1 105" in configured.client.get("/settings/archives/destination/0").text
    wrong = asked(configured, "check", put("destination", 0, "commitment", value={**other, "port": 0})).json()
    assert [each["place"] for each in wrong["problems"]] == [["destination", 0, "commitment"]]


def test_a_service_of_another_address_is_asked_for_of_dicom_archives_alone(configured: Bench) -> None:
    for kind, where in (
        ("stow", {"url": "https://archive.example/dicom-web"}),
        ("media", {"folder": "/media/usb"}),
    ):
        values = {"kind": kind, "name": kind, **where}
        asked(configured, "change", {"add": "destination", "values": values}).raise_for_status()
    for number in (1, 2):
        assert "<details" not in configured.client.get(f"/settings/archives/destination/{number}").text
    for place in ("destination/1/query", "destination/0/host", "destination/9/commitment", "station/name"):
        assert configured.client.get(f"/settings/archives/elsewhere/{place}").status_code == 404


def test_encryption_that_is_set_is_first_asked_about_as_a_whole_and_goes_as_a_whole(configured: Bench) -> None:
    ask = "/settings/archives/ask/destination/0/tls"
    assert 'data-kind="table"' not in configured.client.get(ask).raise_for_status().text
    asked(configured, "change", put("destination", 0, "tls", value={"ca": "system"})).raise_for_status()
    page = configured.client.get(ask).raise_for_status().text
    assert page.partition("<fieldset")[2].partition(">")[0].count('data-kind="table"') == 1
    asked(configured, "change", {"place": ["destination", 0, "tls"], "remove": True}).raise_for_status()
    assert "tls" not in tomllib.loads(config(configured).read_text())["destination"][0]
