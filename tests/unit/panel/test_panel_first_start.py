"""A box that nobody set up yet: it asks, keeps every answer, and lets a patient go first."""

import html
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.model import Identity, Patient
from gateway.spool.processes import trials
from gateway.spool.processes.trials import Line
from gateway.spool.subjects import Subject
from tests.unit.panel.conftest import Bench, running

PIN = "402918"


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Bench]:
    """A box whose file says nothing of devices and other systems, and which nobody administers."""
    with running(tmp_path, untouched=True) as bench:
        yield bench


def answer(bench: Bench, step: str, **values: Any) -> Any:
    return bench.client.post("/api/v1/first-start/answer", json={"step": step, "values": values})


def draft(bench: Bench, step: str, **values: Any) -> Any:
    return bench.client.post("/api/v1/first-start/draft", json={"step": step, "values": values})


def file_of(bench: Bench) -> dict[str, Any]:
    return tomllib.loads((bench.settings.station.data_dir / "scopegate.toml").read_text())


def plain(text: str) -> str:
    return html.unescape(text)


def state(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = bench.client.get("/api/v1/first-start").json()
    return found


def tried(bench: Bench, table: str, line: Line) -> None:
    """Try the entry of the file, and let the trial end with this line."""
    body = {"table": table, "values": file_of(bench)[table][0]}
    bench.client.post("/api/v1/trials", json=body).raise_for_status()
    bench.spool.requests.done(bench.spool.requests.begin(trials.REQUEST), {"lines": [line.to_json()]})


def page(bench: Bench, path: str) -> str:
    """Return where a page ends, after its redirections."""
    return str(bench.client.get(path).request.url.path)


# --- when it is shown --------------------------------------------------------------------------------------------


def test_a_new_box_begins_with_the_language(new):
    assert page(new, "/") == "/first-start/language"


def test_a_box_that_an_engineer_configured_begins_with_its_patients(tmp_path):
    with running(tmp_path) as bench:
        assert page(bench, "/") == "/"
        assert page(bench, "/first-start") == "/first-start/administrator/name"  # asked for: what is missing
        assert [each["step"] for each in state(bench)["steps"]] == ["administrator", "summary"]


def test_what_an_engineer_wrote_is_not_replaced_by_an_answer(tmp_path):
    with running(tmp_path) as bench:
        refused = bench.client.post("/api/v1/first-start/answer", json={"step": "archive", "none": True})
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong-state")


def test_a_patient_goes_first(new):
    answer(new, "language", language="de")
    assert new.client.post("/api/v1/first-start/later", json={}).status_code == 200
    assert page(new, "/") == "/"
    assert page(new, "/first-start") == "/first-start"  # and says how far it came


def test_who_leaves_before_an_archive_was_chosen_is_told_where_pictures_stay_and_where_to_go_on(new):
    left = plain(new.client.get("/first-start?leave").text)
    new.client.post("/api/v1/first-start/later", json={})
    for text in (left, *(plain(new.client.get(path).text) for path in ("/", "/delivery"))):
        assert "No archive is set up: pictures stay on this box." in text
        assert "Setting up goes on under More, Set the box up." in text


def test_who_leaves_before_a_picture_source_was_named_is_told_that_no_picture_can_be_taken(new):
    left = plain(new.client.get("/first-start?leave").text)
    new.client.post("/api/v1/first-start/later", json={})
    for text in (left, plain(new.client.get("/").text)):
        assert "No picture source is set up: no picture can be taken." in text
    draft(new, "source", device="pattern:ultrasound")
    answer(new, "source", kind="ultrasound").raise_for_status()
    assert "No picture source" not in plain(new.client.get("/first-start?leave").text)


def test_a_box_that_was_given_an_administrator_before_anything_can_still_be_set_up(new):
    new.post("/people/first", {"name": "Huber", "pin": PIN}, status=201)
    assert page(new, "/") == "/"
    assert "Set the box up" in plain(new.client.get("/more").text)
    assert "Setting up goes on under More, Set the box up." in plain(new.client.get("/").text)
    assert page(new, "/first-start") == "/first-start/language"


def test_an_appliance_that_nobody_gave_a_time_zone_says_so_where_the_time_is_asked(new):
    def unset() -> bool:
        return "No time zone is set yet" in plain(new.client.get("/first-start/time").text)

    data = new.settings.station.data_dir
    assert not unset()  # a machine whose administrator sets it elsewhere
    says = data.parent / "says"
    says.mkdir()
    (says / "network.json").write_text("{}")
    assert unset()
    (data / "machine.toml").write_text('[time]\nzone = "Europe/Zurich"\n')
    assert not unset()


def test_an_archive_that_was_left_out_is_set_up_in_the_settings_once_the_first_start_is_over(new):
    new.client.post("/api/v1/first-start/answer", json={"step": "archive", "skip": True})
    new.client.post("/api/v1/first-start/finish", json={})
    assert "An administrator sets one up under More, Settings." in new.client.get("/").text


def test_a_box_that_has_no_archive_on_purpose_does_not_say_so_on_every_list(new):
    new.client.post("/api/v1/first-start/answer", json={"step": "archive", "none": True})
    new.client.post("/api/v1/first-start/later", json={})
    assert "No archive is set up" not in new.client.get("/").text
    assert "No archive is set up" not in new.client.get("/first-start?leave").text


def test_an_open_exam_is_never_covered(new):
    new.spool.exams.open(Subject(identity=Identity.TYPED, patient=Patient(name="MEIER^Anna", id="1")))
    assert page(new, "/") == "/"


def test_an_exam_without_any_picture_source_says_so_and_stores_nothing(new):
    exam = new.client.post("/api/v1/exams", json={"emergency": True}).json()["id"]
    assert "No picture source is set up" in new.client.get(f"/live/{exam}").text
    refused = new.client.post(f"/api/v1/exams/{exam}/stills", json={})
    assert (refused.status_code, refused.json()["code"]) == (503, "no-signal")


def test_what_was_put_off_is_asked_again_after_the_next_start_of_the_box(tmp_path):
    clock = FakeClock()
    with running(tmp_path, untouched=True, clock=clock) as bench:
        answer(bench, "language", language="de")
        bench.client.post("/api/v1/first-start/later", json={})
        assert not state(bench)["due"]
        clock.reboot()
        assert state(bench)["due"]


def test_it_goes_on_where_it_was_left(tmp_path):
    with running(tmp_path, untouched=True) as bench:
        answer(bench, "language", language="it")
        answer(bench, "time")
        draft(bench, "worklist", host="10.0.0.5")
    with running(tmp_path, untouched=True) as bench:  # the power came back
        assert state(bench)["next"] == "station"
        assert "10.0.0.5" in bench.client.get("/first-start/worklist/type/host").text
        assert file_of(bench)["panel"]["language"] == "it"


def test_a_finished_box_is_not_asked_again(new):
    answer(new, "language", language="de")
    assert new.client.post("/api/v1/first-start/finish", json={}).status_code == 200
    assert page(new, "/") == "/"
    assert answer(new, "station", name="US-3").json()["code"] == "wrong-state"


def test_nobody_elsewhere_sets_a_new_box_up(tmp_path):
    with running(tmp_path, untouched=True) as bench, bench.elsewhere() as lan:
        for path in ("answer", "draft", "finish"):
            assert lan.post(f"/api/v1/first-start/{path}", json={}).status_code in {401, 403}


def test_once_there_is_an_administrator_only_they_go_on(new):
    made = new.client.post("/api/v1/people/first", json={"name": "Huber", "pin": PIN})
    assert made.status_code == 201
    assert answer(new, "station", name="US-3").status_code == 200  # signed in
    new.client.cookies.clear()
    assert answer(new, "station", name="US-4").status_code == 401
    assert new.client.post("/api/v1/first-start/later", json={}).status_code == 200  # a patient waits
    assert page(new, "/first-start/source") == "/sign-in"


# --- what answers make of the file -------------------------------------------------------------------------------


def test_the_answers_are_what_the_box_is_made_of(new):
    answer(new, "language", language="de")
    answer(new, "station", name="US-ROOM-3")
    draft(new, "source", device="v4l2:usb:1-1.4:534d:2109", profile="dvi-1080p-ultrasound")
    answer(new, "source", kind="ultrasound")
    still = {"kind": "input", "device": "usb:1-1.3", "identity": "0c45:7403", "word": "key:F13"}
    answer(new, "pedal", still=still, clip={**still, "word": "key:F14"})
    for key, value in (("host", "10.0.0.5"), ("port", 104), ("ae_title", "RIS"), ("modality", "")):
        draft(new, "worklist", **{key: value})
    answer(new, "worklist")
    answer(new, "retention", keep_days=90)
    assert file_of(new) == {
        "panel": {"language": "de"},
        "station": {"name": "US-ROOM-3"},
        "source": [
            {
                "name": "ultrasound",
                "device": "v4l2:usb:1-1.4:534d:2109",
                "profile": "dvi-1080p-ultrasound",
                "modality": "US",
                "object": "ultrasound",
            }
        ],
        "trigger": [
            {
                "kind": "input",
                "device": "usb:1-1.3",
                "identity": "0c45:7403",
                "source": "ultrasound",
                "still": "key:F13",
                "clip": "key:F14",
            }
        ],
        "worklist": [{"name": "ris", "host": "10.0.0.5", "port": 104, "ae_title": "RIS"}],
        "retention": {"keep_days": 90},
    }


def test_a_test_picture_is_said_loudly_before_the_box_is_used(new):
    draft(new, "source", device="pattern:ultrasound")
    answer(new, "source", kind="ultrasound")
    assert "is no patient's picture" in plain(new.client.get("/first-start/summary").text)
    draft(new, "source", device="v4l2:usb:1-1.4:534d:2109")
    answer(new, "source", kind="ultrasound")
    assert "is no patient's picture" not in plain(new.client.get("/first-start/summary").text)


def test_the_name_for_other_systems_is_changed_where_they_are_tried(new):
    for key, value in (("kind", "dicom"), ("host", "10.0.0.6"), ("port", 104), ("ae_title", "PACS")):
        draft(new, "archive", **{key: value})
    assert "SCOPEGATE" in new.client.get("/first-start/archive/try").text
    assert 'value="SCOPEGATE"' in new.client.get("/first-start/archive/ours").text
    answer(new, "station", ae_title="US3").raise_for_status()
    assert file_of(new)["station"] == {"ae_title": "US3"}
    assert {"step": "station", "answer": ""} in state(new)["steps"]  # its name was not asked for yet
    assert "US3" in new.client.get("/first-start/archive/try").text
    body = {"table": "destination", "values": {"name": "pacs", "ae_title": "PACS", "host": "10.0.0.6", "port": 104}}
    asked = new.client.post("/api/v1/trials", json=body).raise_for_status().json()["id"]
    assert new.spool.requests.get(asked).arguments["ae_title"] == "US3"
    assert answer(new, "station", ae_title="TOO LONG FOR A TITLE").status_code == 422
    assert file_of(new)["station"] == {"ae_title": "US3"}


def test_the_summary_says_whether_the_archive_vouches(new):
    for commitment, words in ((True, "with storage commitment"), (False, "without storage commitment")):
        draft(new, "archive", kind="dicom", host="10.0.0.6", port=104, ae_title="PACS", commitment=commitment)
        answer(new, "archive").raise_for_status()
        assert f"10.0.0.6 · {words}" in new.client.get("/first-start/summary").text


def test_the_summary_says_of_an_archive_and_a_worklist_that_their_trial_failed(new):
    draft(new, "archive", kind="dicom", host="10.0.0.6", port=104, ae_title="PACS", commitment=False)
    draft(new, "worklist", host="10.0.0.7", port=105, ae_title="RIS")
    for step in ("archive", "worklist"):
        answer(new, step).raise_for_status()
    assert "The trial failed" not in new.client.get("/first-start/summary").text  # nobody tried
    for table in ("destination", "worklist"):
        tried(new, table, Line(part="answers", ok=False, what="It rejects this box.", code="rejected"))
    assert new.client.get("/first-start/summary").text.count("The trial failed") == 2
    tried(new, "worklist", Line(part="answers", ok=True, what="It answers."))
    assert new.client.get("/first-start/summary").text.count("The trial failed") == 1  # the last one counts


def test_the_name_of_the_first_administrator_is_asked_for_on_a_page_with_letters(new):
    assert page(new, "/first-start/administrator") == "/first-start/administrator/name"
    name = new.client.get("/first-start/administrator/name").text
    assert 'data-keys="name"' in name
    assert 'value="Administrator"' in name
    assert 'name="name" value="Chris"' in new.client.get("/first-start/administrator?name=Chris").text
    assert page(new, "/first") == "/first/name"
    assert 'name="name" value="Chris"' in new.client.get("/first?name=Chris").text
    new.client.post("/api/v1/people/first", json={"name": "Chris", "pin": PIN}).raise_for_status()
    assert page(new, "/first-start/administrator/name") == "/first-start/administrator"


def test_who_is_asked_to_be_the_first_administrator_reads_what_that_means_and_that_it_can_wait(new):
    for path in ("/first/name", "/first-start/administrator/name"):
        said = plain(new.client.get(path).text)
        assert "PIN opens the settings and the people of this box; exams need none." in said
        assert "IT may do this later: More, People." in said
    new.client.post("/api/v1/people/first", json={"name": "Chris", "pin": PIN}).raise_for_status()
    assert "IT may do this later" not in plain(new.client.get("/people/name").text)  # of anybody else


def test_who_says_that_the_time_is_wrong_goes_on_and_nobody_has_said_that_it_is_right(new):
    said = new.client.get("/first-start/time?wrong=1").text
    assert "It is right" not in said
    assert '"skip": true' in said


def test_a_time_that_was_called_right_and_then_wrong_is_right_no_more(new):
    answer(new, "time").raise_for_status()
    assert new.client.get("/first-start/time").text.count('"skip": true') == 1  # by the key "It is wrong" itself
    new.client.post("/api/v1/first-start/answer", json={"step": "time", "skip": True}).raise_for_status()
    assert {"step": "time", "answer": "skipped"} in state(new)["steps"]
    answer(new, "retention", keep_days=90).raise_for_status()
    new.client.post("/api/v1/first-start/answer", json={"step": "retention", "skip": True}).raise_for_status()
    assert {"step": "retention", "answer": "set"} in state(new)["steps"]  # an answer that is put off stays


def test_an_answer_that_is_given_again_replaces_the_one_before(new):
    draft(new, "source", device="pattern:bars")
    answer(new, "source", kind="ultrasound")
    answer(new, "pedal", still={"kind": "input", "device": "usb:1-1.3", "identity": "", "word": "key:F13"})
    draft(new, "source", device="pattern:ultrasound")
    answer(new, "source", kind="endoscope")
    file = file_of(new)
    assert [each["name"] for each in file["source"]] == ["endoscope"]
    assert [each["source"] for each in file["trigger"]] == ["endoscope"]


def test_a_box_that_must_hear_reports_listens_to_the_network(new):
    for values in (
        {"kind": "dicom", "host": "10.0.0.6"},
        {"port": 104},
        {"ae_title": "PACS"},
        {"commitment": True},
    ):
        assert draft(new, "archive", **values).status_code == 200
    assert answer(new, "archive").status_code == 200
    assert file_of(new)["station"]["listen"] == "0.0.0.0:11112"
    assert file_of(new)["destination"][0]["commitment"] is True


def test_a_box_alone_has_no_archive(new):
    draft(new, "archive", kind="stow", url="http://127.0.0.1/dicom-web")
    answer(new, "archive")
    assert new.client.post("/api/v1/first-start/answer", json={"step": "archive", "none": True}).status_code == 200
    assert "destination" not in file_of(new)


def test_a_value_that_cannot_be_is_refused_when_it_is_typed(new):
    assert draft(new, "worklist", port=99999).status_code == 422
    assert draft(new, "worklist", host="a b").status_code == 422
    assert draft(new, "worklist", nonsense="x").status_code == 422
    refused = answer(new, "station", name="ä")
    assert refused.status_code == 422
    assert "Name of this box" in refused.json()["what"]


def test_a_pedal_without_a_picture_source_is_told_what_is_missing(new):
    still = {"kind": "input", "device": "usb:1-1.3", "identity": "", "word": "key:F13"}
    refused = answer(new, "pedal", still=still)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-tried")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"step": "nothing"},
        {"step": "source", "values": {"kind": "x", "device": "pattern:bars"}},
        {"step": "source", "values": {"kind": "ultrasound"}},
        {"step": "pedal", "values": {"still": "F13"}},
        {"step": "language", "values": []},
        {"step": "retention", "values": {"keep_days": -1}},
        {"step": "station", "values": {"name": 7}},
    ],
)
def test_an_answer_that_is_none_changes_nothing(new, body):
    draft(new, "source", device="pattern:bars") if body.get("step") == "pedal" else None
    refused = new.client.post("/api/v1/first-start/answer", json=body)
    assert refused.status_code in {409, 422}
    assert not (new.settings.station.data_dir / "scopegate.toml").exists()


# --- trials and devices ------------------------------------------------------------------------------------------


def test_a_trial_is_asked_of_forward_and_told_line_by_line(new):
    values = {"name": "pacs", "ae_title": "PACS", "host": "10.0.0.6", "port": 104}
    begun = new.client.post("/api/v1/trials", json={"table": "destination", "values": values})
    assert begun.status_code == 202
    address = f"/api/v1/trials/{begun.json()['id']}"
    assert new.client.get(address).json() == {"id": begun.json()["id"], "done": False, "ok": False, "lines": []}
    request = new.spool.requests.begin(trials.REQUEST)
    assert request.arguments["values"] == values
    lines = [Line(part="answers", ok=True, what="It answers."), Line(part="kinds", ok=None, what="x")]
    new.spool.requests.progress(request, {"lines": [lines[0].to_json()]})
    assert [each["what"] for each in new.client.get(address).json()["lines"]] == ["It answers."]
    new.spool.requests.done(request, {"lines": [each.to_json() for each in lines]})
    said = new.client.get(address, headers={"accept-language": "de"}).json()
    assert (said["done"], said["ok"]) == (True, True)
    assert said["lines"][0]["what"] == "Antwortet."


def test_a_trial_sends_no_file_of_the_box_as_a_password(new):
    cloud = {"name": "cloud", "kind": "stow", "url": "https://archive.example/dicom-web"}
    for file in ("/etc/hostname", "../run/settings.json", "a\0"):
        body = {"table": "destination", "values": {**cloud, "token_file": file}}
        assert new.client.post("/api/v1/trials", json=body).status_code == 422
    assert new.spool.requests.begin(trials.REQUEST) is None
    own = str(new.settings.station.data_dir / "secrets" / "0123")
    body = {"table": "destination", "values": {**cloud, "token_file": own}}
    new.client.post("/api/v1/trials", json=body).raise_for_status()
    asked = new.spool.requests.begin(trials.REQUEST).arguments
    assert asked["base"] == str(new.settings.station.data_dir)  # where the configuration lies


def test_a_trial_sends_a_secret_nowhere_but_where_it_is_kept_for(new):
    folder = new.settings.station.data_dir
    secret = folder / "secrets" / "0123"
    secret.parent.mkdir()
    secret.write_text("hunter2\n")
    cloud = {"name": "cloud", "kind": "stow", "url": "https://archive.example/dicom-web", "token_file": str(secret)}
    lines = "".join(f'{key} = "{value}"\n' for key, value in cloud.items())
    (folder / "scopegate.toml").write_text(f"[[destination]]\n{lines}")
    for file in (str(secret), "secrets/../secrets/0123", "a\0"):
        values = {**cloud, "url": "https://elsewhere.example/", "token_file": file}
        answer = new.client.post("/api/v1/trials", json={"table": "destination", "values": values})
        assert answer.status_code == 422
    new.client.post("/api/v1/trials", json={"table": "destination", "values": cloud}).raise_for_status()


def test_a_file_that_somebody_broke_by_hand_is_taken_by_no_process(new):
    (new.settings.station.data_dir / "scopegate.toml").write_text("[station\n")
    new.client.post("/api/v1/first-start/later", json={}).raise_for_status()
    assert not (new.settings.station.runtime_dir / "settings.json").exists()


@pytest.mark.parametrize("body", [{}, {"table": "station", "values": {}}, {"table": "worklist", "values": 3}])
def test_what_is_no_other_system_is_not_tried(new, body):
    assert new.client.post("/api/v1/trials", json=body).status_code == 422


def test_devices_are_listed_with_the_profiles_that_they_can_be_tried_with(new):
    found = new.client.get("/api/v1/devices").json()
    assert found["devices"][0]["device"] == "v4l2:usb:1-1.4:534d:2109"
    assert found["profiles"][1]["name"] == "dvi-1080p-ultrasound"


def test_a_device_is_seen_with_a_profile_that_fits(new):
    look = "/api/v1/devices/look"
    seen = new.client.get(look, params={"device": "pattern:bars", "profile": "", "width": "320"})
    assert seen.headers["content-type"] == "image/jpeg"
    assert seen.content.startswith(b"\xff\xd8")
    unfit = new.client.get(look, params={"device": "pattern:bars", "profile": "pal-composite"})
    assert (unfit.status_code, unfit.json()["code"]) == (409, "profile-unfit")
    for wrong in ({}, {"device": "pattern:bars", "width": "0"}, {"device": "x" * 201}):
        assert new.client.get(look, params=wrong).status_code == 422


def test_a_pedal_is_told_in_the_words_of_the_configuration(new):
    assert new.client.post("/api/v1/devices/pedal", json={}).json()["heard"] is None
    new.capture.script.presses.append({"word": "key:0xB7"})
    heard = new.client.post("/api/v1/devices/pedal", json={}).json()
    assert heard["heard"] == {
        "kind": "input",
        "device": "usb:1-1.3",
        "identity": "0c45:7403",
        "name": "Foot switch",
        "word": "key:F13",
    }
    assert heard["deaf"][0]["device"] == "/dev/ttyUSB0"


# --- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *(
            "language",
            "time",
            "station",
            "administrator/name",
            "source",
            "pedal",
            "worklist",
            "archive",
            "retention",
        ),
        *("summary", "worklist/type/host", "worklist/type/port", "archive/type/url", "archive/commitment"),
    ],
)
def test_every_question_has_a_page_with_a_way_to_the_patients(new, path):
    draft(new, "archive", kind="stow") if path.endswith("url") else None
    answered = new.client.get(f"/first-start/{path}")
    assert answered.request.url.path == f"/first-start/{path}"
    assert "Use the box now" in answered.text


@pytest.mark.parametrize("step", ["worklist", "archive"])
@pytest.mark.parametrize("field", ["host", "port", "ae_title"])
def test_what_is_typed_of_another_system_says_whose_it_is_and_that_it_knows_it_and_can_wait(new, step, field):
    shown = plain(new.client.get(f"/first-start/{step}/type/{field}").text)
    assert f"of the {'worklist server' if step == 'worklist' else 'archive'}</b>" in shown
    assert "IT knows it: " in shown
    assert f'data-next="/first-start/{"archive" if step == "worklist" else "retention"}">Later<' in shown


def test_to_keep_a_system_that_failed_and_to_leave_it_out_are_told_apart(new):
    draft(new, "worklist", host="10.0.0.5", port=104, ae_title="RIS")
    shown = plain(new.client.get("/first-start/worklist/try").text)
    assert ">Leave it out<" in shown
    assert ">Later<" not in shown
    assert "as SCOPEGATE (the AE title of this box)" in shown


def test_a_page_that_lacks_what_came_before_leads_back_to_it(new):
    assert page(new, "/first-start/source/profile") == "/first-start/source"
    assert page(new, "/first-start/source/kind") == "/first-start/source"
    assert page(new, "/first-start/worklist/try") == "/first-start/worklist"
    assert page(new, "/first-start/archive/type/nothing") == "/first-start/archive"


def test_the_recorder_may_be_away(new):
    new.capture.stop()
    assert "recorder" in new.client.get("/first-start/source").text
