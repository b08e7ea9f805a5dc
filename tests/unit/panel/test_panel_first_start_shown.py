"""A box that nobody set up yet: when it asks by itself, what it says it lacks, and that a patient goes first."""

import tomllib

import pytest

from gateway.clock import FakeClock
from gateway.model import Identity, Patient
from gateway.panel.first_start.setting_up import SettingUp
from gateway.spool.subjects import Subject
from tests.unit.panel.conftest import running
from tests.unit.panel.new_box import PIN, answer, draft, file_of, page, plain, state

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
    an_appliance(new)
    assert unset()
    (data / "machine.toml").write_text('[time]\nzone = "Europe/Zurich"\n')
    assert not unset()


def test_a_new_appliance_is_asked_for_its_time_zone_without_a_pin(new):
    an_appliance(new)
    assert 'href="/first-start/zones"' in new.client.get("/first-start/time").text
    assert 'href="/first-start/zones/Europe"' in new.client.get("/first-start/zones").text
    cities = new.client.get("/first-start/zones/Europe").text
    assert '"Europe/Zurich"' in plain(cities)
    assert 'aria-current="true"' not in cities
    new.client.post("/api/v1/first-start/zone", json={"zone": "Europe/Zurich"}).raise_for_status()
    assert machine_file(new) == {"time": {"zone": "Europe/Zurich"}}
    assert "No time zone is set yet" not in plain(new.client.get("/first-start/time").text)
    assert 'aria-current="true"' in new.client.get("/first-start/zones/Europe").text
    assert {"step": "time", "answer": ""} in state(new)["steps"]  # nobody has said yet that it is right
    noted = new.spool.layout.audit.read_text()
    assert "machine-settings-changed" in noted
    new.client.post("/api/v1/first-start/zone", json={"zone": "Europe/Zurich"}).raise_for_status()
    assert new.spool.layout.audit.read_text() == noted  # nothing changed


def test_a_zone_that_does_not_hold_yet_is_said_and_utc_may_be_chosen_on_purpose(new):
    an_appliance(new)
    new.client.post("/api/v1/first-start/zone", json={"zone": "Pacific/Kiritimati"}).raise_for_status()
    said = plain(new.client.get("/first-start/time").text)  # no root sets the clock of this computer
    assert "The time zone Pacific/Kiritimati does not hold yet." in said
    new.client.post("/api/v1/first-start/zone", json={"zone": "UTC"}).raise_for_status()
    assert "No time zone is set yet" not in plain(new.client.get("/first-start/time").text)


@pytest.mark.parametrize(("after", "looks"), [(0, 1), (3, 4), (1000, 25)])
def test_the_time_is_shown_once_the_zone_holds_and_nobody_waits_for_ever(new, after, looks):
    class Slow:
        looks = 0

        def zone(self):
            self.looks += 1
            return "Europe/Zurich" if self.looks > after else "UTC"

    slow = Slow()
    asks = SettingUp(
        spool=new.spool, configuring=None, people=None, timekeeping=slow, untouched=True, archives=False
    )
    asks.see_zone("Europe/Zurich")
    assert slow.looks == looks


def test_a_zone_that_is_none_or_of_no_appliance_is_refused_and_after_the_first_start_it_is_a_setting(new):
    new.refused("/first-start/zone", {"zone": "Europe/Zurich"}, 409, "no-machine")
    an_appliance(new)
    for wrong in ("Middle-earth/Shire", "", 3):
        new.refused("/first-start/zone", {"zone": wrong}, 422, "bad-value")
    assert new.client.get("/first-start/zones/Middle-earth").status_code == 404
    new.client.post("/api/v1/first-start/finish", json={}).raise_for_status()
    new.refused("/first-start/zone", {"zone": "Europe/Zurich"}, 409, "wrong-state")
    assert machine_file(new) == {}


def an_appliance(new):
    says = new.settings.station.data_dir.parent / "says"
    says.mkdir()
    (says / "network.json").write_text("{}")


def machine_file(new):
    path = new.settings.station.data_dir / "machine.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


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
