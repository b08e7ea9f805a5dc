"""The end of a day: what is still to be sent and how long it takes, what nobody checked, the box switched off."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config.settings import Destination, Release
from gateway.model import PleaseCheck, RequestState
from gateway.panel.calls.exports import EXPORT
from gateway.panel.power import UnitSwitch
from gateway.panel.shown import evening, forecast
from gateway.spool.disk.room import Room
from gateway.spool.files import Files
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.exams_that_leave import move, paused, said_of_forward, sealed_exam


@dataclass
class Lever:
    """A switch that only counts."""

    there: bool = True
    used: int = 0

    def off(self) -> None:
        self.used += 1


@pytest.fixture
def lever() -> Lever:
    return Lever()


@pytest.fixture
def box(lever: Lever) -> Iterator[Bench]:
    with folder_in_memory() as folder, running(folder, switch=lever) as bench:
        yield bench


def quick(*names: str, bytes_per_s: int = 10) -> list[dict[str, object]]:
    return [{"name": name, "state": "ok", "bytes_per_s": bytes_per_s} for name in names]


def test_what_is_still_to_be_sent_and_how_long_it_may_take_is_said(bench: Bench) -> None:
    sealed_exam(bench, 2)
    said_of_forward(bench, destinations=[{"name": name, "state": "ok"} for name in ("pacs", "backup")])
    assert "How long is not known yet." in bench.client.get("/evening").text
    size = sum(o.bytes for e in bench.spool.exams.list() for o in bench.spool.objects.of_exam(e.id))
    said_of_forward(bench, destinations=quick("pacs", "backup", bytes_per_s=size // 600))
    page = bench.client.get("/evening").text
    assert "pictures: 2, exams: 1" in page
    assert "about 11 min" in page  # never less than it is


def test_at_the_end_of_the_day_a_picture_is_counted_once_however_many_archives_get_it(bench: Bench) -> None:
    sealed_exam(bench, 3)
    first = sealed_exam(bench, 2)
    for each in bench.spool.deliveries.list(exam=first):
        if each.destination == "pacs":
            bench.post(f"/deliveries/{each.id}/hold")
    page = bench.client.get("/evening").text
    assert "pictures: 5, exams: 2" in page
    assert "stopped: 2" in page


def test_how_long_an_archive_that_is_away_will_take_is_said_when_its_pace_is_known(bench: Bench) -> None:
    sealed_exam(bench)
    paused(bench, minutes=5)
    page = bench.client.get("/evening").text
    assert "You may go. Pictures that wait on this box: 2. They go by themselves when pacs answers;" in page
    assert "How long cannot be told before <bdi>pacs</bdi> answers again." in page
    assert " min " not in page
    size = sum(o.bytes for e in bench.spool.exams.list() for o in bench.spool.objects.of_exam(e.id))
    paused(bench, minutes=5, bytes_per_s=size // 600)
    move(bench, "backup", state="sent")
    assert "about 11 min once <bdi>pacs</bdi> answers again" in bench.client.get("/evening").text


@pytest.mark.parametrize(
    ("more", "confirmed", "says"),
    [
        ({}, True, "They are sent as they are taken"),
        ({}, False, "Nothing sends them before it is finished."),
        ({"emergency": True}, True, "Nothing sends them before it is finished."),
    ],
)
def test_pictures_of_the_open_exam_are_said_to_leave_at_once_where_they_do(
    more: dict[str, object], *, confirmed: bool, says: str
) -> None:
    with folder_in_memory() as folder, running(folder, release=Release(when="at-once")) as bench:
        exam = str(bench.post("/exams", more, status=201)["id"]) if more else bench.open_exam()
        bench.still(exam)
        if not confirmed:
            bench.spool.exams.ask_to_check(exam, PleaseCheck.IDLE)
        assert says in bench.client.get("/evening").text


def test_pictures_of_the_open_exam_are_still_to_be_sent_and_it_is_named(bench: Bench) -> None:
    exam = bench.open_exam("HUBER^Eva")
    bench.still(exam)
    page = bench.client.get("/evening").text
    assert "in the open exam: 1" in page
    assert "Nothing sends them before it is finished." in page
    assert "Not yet: an exam is open. Finish it first." in page
    strip = page.split(f'row-strip" href="/live/{exam}"')[1].split("</a>")[0]
    assert "HUBER" in strip
    assert "(1 image)" in strip


def test_all_pictures_of_the_day_are_in_the_archive_only_when_it_said_so_of_each(bench: Bench) -> None:
    assert "Yes. No pictures were taken today." in bench.client.get("/evening").text
    sealed_exam(bench)
    said_of_forward(bench, destinations=quick("pacs", "backup"))
    assert "You may go. Pictures on their way: 2. Leave the box on." in bench.client.get("/evening").text
    for name in ("pacs", "backup"):
        move(bench, name, state="sent")
    page = bench.client.get("/evening").text
    assert "Yes. Everything of today that goes to an archive was sent." in page
    assert "All pictures of today are in the archive." not in page
    for name in ("pacs", "backup"):
        move(bench, name, state="committed", proof="commitment")
    assert "Yes. All pictures of today are in the archive." in bench.client.get("/evening").text


def test_exams_that_wait_for_a_person_are_not_forgotten_at_the_end_of_the_day(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    other = bench.open_exam("OTHER^Patient", close_open=True)
    bench.post(f"/exams/{other}/finish")
    page = bench.client.get("/evening").text
    assert "to check: 1" in page
    assert "Not yet. Exams whose patient is to be checked: 1." in page
    assert f'row-strip" href="/exam/{exam}"' in page


def test_who_goes_home_reads_which_patient_has_a_picture_that_is_stopped_and_no_tick_beside_it(
    bench: Bench,
) -> None:
    exam = sealed_exam(bench, 1)
    said_of_forward(bench, destinations=quick("pacs", "backup"))
    move(bench, "backup", state="sent")
    move(bench, state="held", code="no-context", reason="The archive pacs does not take H.264 clips.", attempts=1)
    page = bench.client.get("/evening").text
    assert "Not yet. Pictures that are stopped: 1. See below why." in page
    strip = page.split(f'row-strip" href="/delivery/{exam}"')[1].split("</a>")[0]
    for words in ("MEIER", "1 stopped", "does not take"):
        assert words in strip
    to_send = page.split("Still to send")[1].split("</div>")[0]
    assert "mark ok" not in to_send


def test_nothing_is_called_done_while_nobody_sends(bench: Bench) -> None:
    sealed_exam(bench, 1)
    page = bench.client.get("/evening").text
    assert "Not yet: the delivery process does not run. Pictures that wait: 1." in page


def test_a_stick_that_is_full_is_not_forgotten_at_the_end_of_the_day(tmp_path: Path) -> None:
    stick = Destination(name="stick", kind="media", folder=Path("/media/stick"), required=False)
    with running(tmp_path, stick) as bench:
        sealed_exam(bench, 1, "pacs", "stick")
        since = bench.clock.utc().isoformat()
        full = {
            "name": "stick",
            "state": "paused",
            "code": "media-full",
            "what": "It has too little room.",
            "action": "",
        }
        said_of_forward(bench, destinations=[{**full, "since": since, "attempt": 3, "next_attempt_in_s": 40}])
        move(bench, state="sent")
        page = bench.client.get("/evening").text
        assert "Yes. Everything of today that goes to an archive was sent." in page
        assert "too little room" in page


def test_a_box_that_cannot_switch_itself_off_says_so_and_refuses(bench: Bench) -> None:
    assert "use the switch on the box itself" in bench.client.get("/evening").text
    bench.refused("/power/off", {"when": "now"}, 409, "no-switch")
    assert bench.get("/power")["can_switch_off"] is False


def test_the_box_is_switched_off_at_once_when_somebody_wants_that(box: Bench, lever: Lever) -> None:
    sealed_exam(box)
    box.refused("/power/off", {"when": "later"}, 422, "bad-value")
    assert lever.used == 0
    assert box.post("/power/off", {"when": "now"})["objects_left"] == 4
    assert lever.used == 1
    assert '"switched-off"' in box.spool.layout.audit.read_text()


def test_the_box_is_not_switched_off_while_an_exam_is_open_or_a_stick_is_written(box: Bench, lever: Lever) -> None:
    exam = sealed_exam(box)
    box.open_exam()
    for when in ("now", "sent"):
        box.refused("/power/off", {"when": when}, 409, "exam-open")
    box.post(f"/exams/{box.exam}/finish")
    asked = box.spool.requests.ask(EXPORT, {"exams": [exam], "destination": "stick", "jpeg": False}, deadline_s=60)
    box.refused("/power/off", {"when": "now"}, 409, "copy-running")
    request = box.spool.requests.begin(EXPORT)
    assert request
    box.refused("/power/off", {"when": "now"}, 409, "copy-running")
    box.spool.requests.done(request, {})
    assert box.spool.requests.get(asked).state is RequestState.DONE
    box.post("/power/off", {"when": "now"})
    assert lever.used == 1


def until(bench: Bench, lever: Lever) -> None:
    deadline = time.monotonic() + 10
    while not lever.used:
        assert time.monotonic() < deadline
        bench.get("/power")


def test_send_then_switch_off_waits_for_the_last_picture_and_no_longer(box: Bench, lever: Lever) -> None:
    sealed_exam(box)
    assert box.post("/power/off", {"when": "sent"})["off_when_sent"] is True
    assert "switches itself off when everything was sent" in box.client.get("/evening").text
    move(box, state="sent")
    assert (box.get("/power")["objects_left"], lever.used) == (2, 0)
    move(box, "backup", state="sent")
    until(box, lever)


def test_the_wish_to_switch_off_can_be_taken_back(box: Bench, lever: Lever) -> None:
    sealed_exam(box)
    box.post("/power/off", {"when": "sent"})
    assert box.post("/power/stay")["off_when_sent"] is False
    for name in ("pacs", "backup"):
        move(box, name, state="sent")
    assert (box.get("/power")["objects_left"], lever.used) == (0, 0)


def test_days_that_no_archive_was_asked_about_are_named_where_one_can_be_asked(bench: Bench) -> None:
    exam = sealed_exam(bench, 1)
    asked = (Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=11114, query=True),)
    today = bench.clock.now().local.date()
    seen = evening.of(bench.spool, asked, None, today + timedelta(days=1))
    assert [day for day, _ in seen.unchecked] == [today.isoformat()]
    never = (replace(asked[0], query=False),)
    assert evening.of(bench.spool, never, None, today + timedelta(days=1)).unchecked == ()
    assert exam


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "about 1 min"), (61, "about 2 min"), (7200, "about 120 min"), (7201, "about 3 hours")],
)
def test_a_time_is_said_in_the_unit_in_which_people_plan(seconds: float, words: str) -> None:
    assert evening.time_needed(seconds) == words


def test_the_switch_leaves_the_file_for_which_the_unit_waits(tmp_path: Path) -> None:
    UnitSwitch(tmp_path, Files()).off()
    assert (tmp_path / "switch-off").exists()


# --- numbers ---------------------------------------------------------------------------------------------------


def test_how_long_pictures_wait_stands_in_a_chart_and_in_words(bench: Bench) -> None:
    assert "Nothing waits." in bench.client.get("/numbers").text
    sealed_exam(bench, 2)
    hours = bench.clock.utc_ns() - 3 * 3_600_000_000_000
    move(bench, "backup", queued_ns=hours)
    page = bench.client.get("/numbers").text
    assert page.count("<rect") == 5
    assert "<b>2</b>up to 8 hours" in page  # a picture waits as long as the archive that got it last lets it
    assert "<b>0</b>up to 10 min" in page


def test_the_numbers_count_what_waits_now_as_the_key_at_the_top_does(bench: Bench) -> None:
    sealed_exam(bench, 2)
    exam = bench.open_exam()
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    said_of_forward(bench, destinations=quick("pacs", "backup"))
    page = bench.client.get("/numbers").text
    assert "3 on the way" in page
    assert "Pictures waiting now: 3, by how long they have waited" in page
    assert "being prepared: 1" in page


def test_the_disk_is_foreseen_from_what_pictures_took_lately(bench: Bench) -> None:
    today = bench.clock.now().local.date()
    empty = forecast.disk(bench.spool, Room(total=10**9, free=10**8), today)
    assert (empty.daily, empty.days, empty.full_on) == (0, None, "")
    sealed_exam(bench, 2)
    (exam,) = bench.spool.exams.list()
    taken = sum(each.capture.bytes for each in bench.spool.captures.of_exam(exam.id))
    later = forecast.disk(bench.spool, Room(total=10**9, free=10 * taken), today)
    assert later.days == pytest.approx(10, abs=1)
    assert later.full_on
    assert (
        "At this pace" in bench.client.get("/numbers").text or "does not fill" in bench.client.get("/numbers").text
    )
