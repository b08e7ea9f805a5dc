"""Exams whose patient is not known, or not certain: what the pages say that an answer does, and whom they offer."""

import html
import re
from collections.abc import Iterator

import pytest

from gateway.clock import Clock, FakeClock
from gateway.errors import WorklistError
from gateway.spool.processes.live import LiveState
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, item, running


@pytest.fixture
def keeping() -> Iterator[Bench]:
    """A panel of a box without archives."""
    with folder_in_memory() as folder, running(folder, archives=False) as bench:
        yield bench


def words(bench: Bench, path: str) -> str:
    page = bench.client.get(path).text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def unnamed(bench: Bench, pictures: int = 1) -> str:
    """Make an exam without a patient, that is over."""
    exam = str(bench.post("/exams", {"emergency": True, "close_open": True}, status=201)["id"])
    for _ in range(pictures):
        bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    return exam


def uncertain(bench: Bench, name: str = "MEIER^Anna") -> str:
    """Make an exam that was closed because the next patient was chosen."""
    exam = bench.open_exam(name, close_open=True)
    bench.still(exam)
    after = bench.post("/exams", {"emergency": True, "close_open": True}, status=201)["id"]
    bench.post(f"/exams/{after}/finish")
    return exam


# --- what a Yes does --------------------------------------------------------------------------------------------


def test_who_says_yes_is_told_that_it_sends_the_pictures(bench: Bench) -> None:
    page = words(bench, f"/exam/{uncertain(bench)}")
    assert "Your Yes sends them to the archive." in page
    assert "Yes: send the pictures" in page


def test_who_chooses_the_patient_afterwards_is_told_that_it_sends_the_pictures(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "HUBER^Max")])
    exam = unnamed(bench, 2)
    assert "Then they go to the archive." in words(bench, f"/exam/{exam}")
    page = words(bench, f"/confirm?item=item-1&assign={exam}")
    assert "Yes: send the pictures 2 images, to the archive under this name" in page


def test_a_patient_who_is_chosen_while_the_exam_is_open_sends_nothing_yet(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "HUBER^Max")])
    exam = bench.post("/exams", {"emergency": True}, status=201)["id"]
    page = words(bench, f"/confirm?item=item-1&assign={exam}")
    assert "Yes, it is this patient" in page
    assert "archive" not in page


def test_where_no_archive_is_nobody_is_told_of_one(keeping: Bench) -> None:
    keeping.spool.worklist.replace("ris", [item(1, "HUBER^Max")])
    page = words(keeping, f"/exam/{uncertain(keeping)}")
    assert "Its pictures stay on this box until you answer." in page
    assert "Yes, this patient" in page
    assert "archive" not in page
    assert "archive" not in words(keeping, f"/confirm?item=item-1&assign={unnamed(keeping)}")


# --- whom the list offers -----------------------------------------------------------------------------------------


def test_the_list_says_which_exams_need_a_patient(bench: Bench) -> None:
    exam = unnamed(bench)
    assert f"Needs a patient: {bench.spool.exams.get(exam).patient.id}" in words(bench, "/")


def test_many_exams_that_wait_leave_room_for_the_list(bench: Bench) -> None:
    checked, *_ = uncertain(bench), unnamed(bench), unnamed(bench), unnamed(bench)
    page = bench.client.get("/").text
    assert re.findall(r'row-strip" href="([^"]+)"', page) == [f"/exam/{checked}", "/delivery"]
    assert "More exams that wait for somebody: 3" in words(bench, "/")


def test_a_second_exam_without_patient_is_offered_after_the_first_and_its_patient_with_it(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "HUBER^Max"), item(2, "OKONKWO^Chidi")])
    first, second = unnamed(bench), unnamed(bench, 3)
    assert "One more exam" not in words(bench, f"/exam/{first}")
    bench.post(f"/exams/{first}/assign", {"worklist_item": "item-2"})
    assert "One more exam needs a patient:" in words(bench, f"/exam/{first}")
    page = bench.client.get(f"/?assign={second}").text
    rows = [html.unescape(address) for address in re.findall(r'class="row" href="([^"]+)"', page)]
    assert rows == [f"/confirm?item=item-2&assign={second}", f"/confirm?item=item-1&assign={second}"]
    assert "on this box" in page
    bench.post(f"/exams/{second}/assign", {"worklist_item": "item-2"})
    studies = {bench.spool.exams.get(exam).study_instance_uid for exam in (first, second)}
    assert studies == {"1.2.3.2"}, "the archive has both under one order"
    assert "One more exam" not in words(bench, f"/exam/{first}")


def test_a_typed_patient_of_just_before_is_offered_with_the_same_id(bench: Bench) -> None:
    typed = bench.open_exam("ROSSI^Paolo")
    bench.post(f"/exams/{typed}/finish")
    second = unnamed(bench)
    page = bench.client.get(f"/?assign={second}").text
    assert f'name="known" value="{typed}"' in page
    asked = bench.client.post(f"/typed?assign={second}", data={"known": typed}).text
    assert "ROSSI, Paolo" in asked
    assert bench.spool.exams.get(typed).patient.issuer in html.unescape(asked)


def test_nobody_is_offered_whose_patient_is_not_certain(bench: Bench) -> None:
    exam = uncertain(bench)
    assert "MEIER" not in bench.client.get(f"/?assign={unnamed(bench)}").text.split('class="rows"')[1]
    bench.post(f"/exams/{exam}/confirm")
    assert "MEIER" in bench.client.get(f"/?assign={unnamed(bench)}").text.split('class="rows"')[1]


def test_who_was_here_yesterday_is_not_offered() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        bench.post(f"/exams/{bench.open_exam('ROSSI^Paolo')}/finish")
        clock.move(13 * 3600)
        assert "ROSSI" not in bench.client.get(f"/?assign={unnamed(bench)}").text


# --- a list that did not come yet ---------------------------------------------------------------------------------


def forward_is_there(bench: Bench) -> None:
    folder = bench.settings.station.runtime_dir
    LiveState(folder=folder, process="forward", files=bench.spool.files, clock=Clock()).write({})


def test_a_list_that_never_came_does_not_say_that_nobody_is_on_it(bench: Bench) -> None:
    assert "Nobody on the list" not in words(bench, "/")
    forward_is_there(bench)
    assert "The worklist is being asked for the first time." in words(bench, "/")
    bench.spool.worklist.failed("ris", WorklistError("The worklist server does not answer."))
    page = words(bench, "/")
    assert "No worklist yet" in page
    assert "The worklist did not answer yet." in page
    bench.spool.worklist.replace("ris", [])
    assert "Nobody on the list." in words(bench, "/")


# --- standby --------------------------------------------------------------------------------------------------


def test_standby_is_there_while_an_exam_is_open_and_leads_back_to_it(bench: Bench) -> None:
    assert 'href="/"' in bench.client.get("/standby").text
    exam = bench.open_exam()
    assert 'href="/standby"' in bench.client.get("/more").text
    page = bench.client.get("/standby").text
    assert f'href="/live/{exam}"' in page
    assert "MEIER" not in page
    assert "It is no lock" in page
