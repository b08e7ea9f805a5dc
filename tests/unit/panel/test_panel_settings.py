"""Settings over the API: which there are, how they are changed and taken back, what a change costs."""

import json
import tomllib
from pathlib import Path

import pytest

from gateway.config import machine
from gateway.config.keys import tables
from gateway.config.table import Table
from gateway.errors import MediaAbsent
from gateway.model import DeliveryState
from gateway.panel.allowed import OF_THE_MACHINE
from gateway.panel.calls.settings_stick import as_of_settings
from gateway.panel.shown.setting_words import LABELS, OF_BOX, ONE, PAGES
from gateway.spool.processes.live import LiveState
from tests.unit.panel.conftest import Bench
from tests.unit.panel.exams_that_leave import move, sealed_exam
from tests.unit.panel.settings_desk import WRITTEN, asked, config, put, revision, sent, with_settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def configured(bench: Bench) -> Bench:
    return with_settings(bench)


# --- what there is to change -----------------------------------------------------------------------------


def test_every_key_of_the_configuration_is_on_a_page_and_has_words(tmp_path) -> None:
    every, shown = set(), set()

    def walk(name: str, table: Table) -> None:
        for key, rule in table.keys.items():
            every.add(f"{name}.{key}")
            if isinstance(rule, Table):
                walk(key, rule)

    for name, table in (*tables(tmp_path).items(), *machine.tables(tmp_path).items()):
        walk(name, table)
        assert not table.many or name in ONE
    every_table = {**tables(tmp_path), **machine.tables(tmp_path)}
    for page in (*PAGES.values(), *OF_BOX.values()):
        for name, keys in page.tables:
            shown |= {f"{name}.{key}" for key in (keys or every_table[name].keys)}
    hidden = {".".join(each) for each in OF_THE_MACHINE} | {"source.station_ae_title"}  # of a later version
    assert every - hidden == set(LABELS) - hidden
    told = (ROOT / "docs" / "it.md").read_text().partition("**Not there**")[2].partition("\n- **")[0]
    assert [key for key in hidden if f"{key.split('.')[1]}`" not in told] == []  # each with its reason
    assert {key for key in every - hidden if key.split(".")[0] not in {"lan", "tls", "ieee8021x"}} == shown - hidden


def test_the_settings_say_of_each_key_its_kind_its_limits_and_what_it_is(configured: Bench) -> None:
    answer = configured.client.get("/api/v1/settings").json()
    pages = {page["id"]: page for page in answer["pages"]}
    (section,) = pages["retention"]["sections"]
    fields = {field["key"]: field for field in section["entries"][0]["fields"]}
    assert fields["retention.keep_days"] == {
        "place": ["retention", "keep_days"],
        "key": "retention.keep_days",
        "label": "Days after the archives have them",
        "kind": "number",
        "needed": False,
        "is_set": False,
        "low": 0,
        "high": 36500,
        "unit": "days",
        "value": None,
        "default": 30,
    }
    archives = pages["archives"]["sections"][0]
    assert archives["kinds"] == ["dicom", "stow", "media"]
    assert [entry["name"] for entry in archives["entries"]] == ["pacs"]


# --- changing --------------------------------------------------------------------------------------------


def test_a_change_is_tried_then_made_and_noted_by_key_without_its_value(configured: Bench) -> None:
    change = put("destination", 0, "host", value="pacs.house")
    tried = asked(configured, "check", change).json()
    assert tried["problems"] == []
    assert tried["differences"][0]["words"] == {
        "about": "Archive",
        "name": "pacs",
        "label": "Address",
        "old": "127.0.0.1",
        "new": "pacs.house",
    }
    assert config(configured).read_text() == WRITTEN
    assert asked(configured, "change", change).status_code == 200
    assert tomllib.loads(config(configured).read_text())["destination"][0]["host"] == "pacs.house"
    noted = configured.spool.layout.audit.read_text().splitlines()[-1]
    assert json.loads(noted)["keys"] == "destination.pacs.host"
    assert json.loads(noted)["person"] == "Huber"
    assert "pacs.house" not in noted


def test_what_a_change_costs_is_said_before_it_is_made(configured: Bench) -> None:
    for change, which, what in (
        (put("destination", 0, "host", value="pacs.house"), "box", "nothing can be captured"),
        (put("panel", "theme", value="light"), "screen", "Only the screen starts anew"),
    ):
        before = asked(configured, "check", change).json()["starts_anew"]
        assert before["which"] == which
        assert what in before["what"]
        assert "waits until no exam is open" in before["what"]
        asked(configured, "change", change).raise_for_status()
        assert what in configured.client.get("/settings/before").text  # as much as to take it back


def test_which_source_comes_first_is_no_change_of_the_screen_alone(configured: Bench) -> None:
    """The screen shows the first source, and a pedal that names none takes the picture of the recorder's first."""
    sources = ({"name": "first", "device": "pattern:ultrasound"}, {"name": "second", "device": "pattern:bars"})
    for each in sources:
        asked(configured, "change", {"add": "source", "values": each}).raise_for_status()
    count = len(tomllib.loads(config(configured).read_text())["source"])
    moved = [{"place": ["source", count - 2], "remove": True}, {"add": "source", "values": sources[0]}]
    tried = asked(configured, "check", *moved, put("panel", "theme", value="light")).json()
    assert tried["problems"] == []
    assert tried["starts_anew"]["which"] == "box"
    words = tried["differences"][-1]["words"]
    assert (words["label"], words["old"].endswith("first, second")) == ("Which comes first", True)


def test_the_language_of_the_box_and_that_of_this_screen_are_told_apart(configured: Bench) -> None:
    page = configured.client.get("/settings/screen").text
    assert "Language of this box" in page
    assert "<bdi>English</bdi>" in page
    configured.client.cookies.set("language", "de")
    page = configured.client.get("/settings/screen").text
    assert "Sprache dieser Box" in page
    assert "<bdi>English · dieser Bildschirm: Deutsch</bdi>" in page
    asking = configured.client.get("/settings/screen/ask/panel/language").text
    assert "(Mehr, Language)" in asking


def test_an_archive_is_added_and_removed(configured: Bench) -> None:
    values = {"kind": "stow", "name": "cloud", "url": "https://archive.example/dicom-web"}
    asked(configured, "change", {"add": "destination", "values": values}).raise_for_status()
    assert [each["name"] for each in tomllib.loads(config(configured).read_text())["destination"]] == [
        "pacs",
        "cloud",
    ]
    asked(configured, "change", {"place": ["destination", 1], "remove": True}).raise_for_status()
    assert config(configured).read_text().strip() == WRITTEN.strip()


def test_what_is_wrong_stands_at_its_place_and_nothing_is_written(configured: Bench) -> None:
    answer = asked(configured, "change", put("destination", 0, "port", value=70000))
    assert (answer.status_code, answer.json()["code"]) == (422, "settings-wrong")
    (problem,) = answer.json()["problems"]
    assert problem["place"] == ["destination", 0, "port"]
    assert config(configured).read_text() == WRITTEN


def test_who_looked_at_an_older_state_changes_nothing(configured: Bench) -> None:
    before = revision(configured)
    config(configured).write_text(WRITTEN + "# by hand\n")
    body = {"changes": [put("station", "name", value="X")], "revision": before}
    answer = configured.client.post("/api/v1/settings/change", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "settings-moved")
    assert config(configured).read_text().endswith("# by hand\n")


def test_the_last_change_is_taken_back(configured: Bench) -> None:
    nothing = configured.client.get("/api/v1/settings/before")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing-before")
    asked(configured, "change", put("panel", "theme", value="light")).raise_for_status()
    assert "Light" in configured.client.get("/settings/before").text
    body = {"revision": revision(configured)}
    configured.client.post("/api/v1/settings/take-back", json=body).raise_for_status()
    assert config(configured).read_text() == WRITTEN


def test_no_value_is_a_mistake_of_the_panel(configured: Bench) -> None:
    for change in (
        put("destination", 0, "tls", value={"ca": "a\0"}),
        put("source", 0, "device", value="file:\0"),
        put("source", 0, "profile", value="a\0.toml"),
    ):
        assert asked(configured, "check", change).json()["problems"]


def test_what_is_taken_back_leaves_the_data_where_they_are_by_now(configured: Bench) -> None:
    asked(configured, "change", put("panel", "theme", value="light")).raise_for_status()
    moved = WRITTEN.replace('name = "US-ROOM-2"', 'name = "US-ROOM-2"\ndata_dir = "/srv/larger-disk"')
    config(configured).write_text(moved + '\n[panel]\ntheme = "light"\n')  # by hand, since
    body = {"revision": revision(configured)}
    configured.client.post("/api/v1/settings/take-back", json=body).raise_for_status()
    assert tomllib.loads(config(configured).read_text()) == tomllib.loads(moved)


def test_a_broken_file_is_taken_back_as_a_whole_and_takes_nothing_in(configured: Bench) -> None:
    raw = configured.client.get("/api/v1/settings/export").content
    asked(configured, "change", put("panel", "theme", value="light")).raise_for_status()
    config(configured).write_text("[station\n")
    body = {"file": sent(raw), "revision": revision(configured)}
    answer = configured.client.post("/api/v1/settings/import", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "settings-foreign")
    body = {"revision": revision(configured)}
    configured.client.post("/api/v1/settings/take-back", json=body).raise_for_status()
    assert config(configured).read_text() == WRITTEN


def test_during_an_exam_the_screen_says_that_a_change_waits_and_for_what(configured: Bench) -> None:
    configured.open_exam()
    state = asked(configured, "change", put("panel", "theme", value="light")).json()
    assert state["waits"] == {"for": "exam", "what": "A change waits until the exam is finished."}
    assert "A change waits until the exam is finished." in configured.client.get("/settings").text


def test_a_change_is_said_to_wait_for_a_picture_only_while_one_is_being_sent(configured: Bench) -> None:
    sealed_exam(configured, 1)
    move(configured, state=DeliveryState.SENT)
    changed = asked(configured, "change", put("panel", "theme", value="light")).json()["revision"]
    folder, files = configured.settings.station.runtime_dir, configured.spool.files
    for process, has in (("capture", changed), ("forward", "the one before")):
        LiveState(folder=folder, process=process, files=files, clock=configured.clock).write({"settings": has})
    address = "/api/v1/settings/state"
    assert configured.client.get(address).json()["waits"]["for"] == "delivery"
    assert "This takes a few seconds." in configured.client.get("/settings").text
    move(configured, state=DeliveryState.SENDING)
    assert configured.client.get(address).json()["waits"]["for"] == "sending"
    assert "until then the box works as before" in configured.client.get("/settings").text


def test_without_a_stick_nothing_is_said_of_pictures_nobody_asked_about() -> None:
    error = MediaAbsent("There is no stick in this box.", action="Plug one in.")
    said = {"code": error.code, "what": error.what, "safe": error.safe, "action": error.action}
    told = as_of_settings(said)
    assert isinstance(told, MediaAbsent)
    assert (told.what, told.safe, told.action) == (
        "There is no stick in this box.",
        "The settings of this box are as they were.",
        "Plug one in.",
    )
