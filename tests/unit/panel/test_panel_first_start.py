"""A box that nobody set up yet: it asks, and keeps every answer."""

import pytest

from gateway.spool.processes import trials
from gateway.spool.processes.trials import Line
from tests.unit.panel.new_box import PIN, answer, draft, file_of, page, plain, state, tried

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
