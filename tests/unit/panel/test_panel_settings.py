"""Settings over the API and on the pages: who may, what is refused, what is never said, what a person is asked."""

import html
import json
import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.config import machine
from gateway.config.keys import tables
from gateway.config.table import Table
from gateway.errors import MediaAbsent
from gateway.model import DeliveryState
from gateway.panel.allowed import OF_THE_MACHINE
from gateway.panel.calls.settings_stick import as_of_settings
from gateway.panel.people.roles import Role
from gateway.panel.shown.setting_words import LABELS, OF_BOX, ONE, PAGES
from gateway.panel.this_machine import lacking
from gateway.spool.live import LiveState
from tests.unit.panel.conftest import Bench, seal
from tests.unit.panel.exams_that_leave import move, sealed_exam
from tests.unit.panel.fake_capture import START
from tests.unit.panel.settings_desk import PIN, WRITTEN, asked, config, put, revision, sent, with_settings

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
