"""Practice is asked for at the box, marked on every screen, and ended from within."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.settings import Address, Panel
from gateway.panel.practice import ADDRESS, END, WANTED
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running

BANNER = "Practice: nothing is kept, nothing is sent."
REAL = Panel(practice=True)
PRACTICE = Panel(practice_of=Address(host="127.0.0.1", port=8080))


@pytest.fixture
def box() -> Iterator[Bench]:
    with folder_in_memory() as folder, running(folder, panel=REAL) as bench:
        yield bench


@pytest.fixture
def practice() -> Iterator[Bench]:
    with folder_in_memory() as folder, running(folder, panel=PRACTICE) as bench:
        yield bench


def runtime(bench: Bench) -> Path:
    return bench.spool.layout.root.parent / "run"


def test_practice_is_asked_for_and_its_place_is_told_once_it_is_there(box: Bench) -> None:
    assert box.get("/practice") == {"state": "off", "address": ""}
    assert box.post("/practice/begin") == {"state": "starting", "address": ""}
    assert (runtime(box) / WANTED).exists()
    assert 'data-poll="1"' in box.client.get("/practice?came=1").text
    (runtime(box) / WANTED).unlink()
    (runtime(box) / ADDRESS).write_text("http://127.0.0.1:8081\n")
    assert box.get("/practice") == {"state": "on", "address": "http://127.0.0.1:8081"}
    assert 'data-go="http://127.0.0.1:8081/"' in box.client.get("/practice?came=1").text
    assert "data-go" not in box.client.get("/practice").text, "a look at the page goes nowhere by itself"


def test_practice_leaves_alone_what_arrives_at_the_box(box: Bench) -> None:
    arrives = runtime(box).parent / "upload"
    arrives.mkdir()
    for name in ("bundle", "bundle.part"):
        (arrives / name).touch()
    with running(runtime(box).parent, panel=PRACTICE):
        assert sorted(path.name for path in arrives.iterdir()) == ["bundle", "bundle.part"]


def test_practice_does_not_begin_while_a_patient_may_be_there(box: Bench) -> None:
    box.open_exam()
    box.refused("/practice/begin", {}, 409, "exam-open")
    assert not (runtime(box) / WANTED).exists()


def test_a_box_without_practice_offers_none(bench: Bench) -> None:
    bench.refused("/practice/begin", {}, 409, "no-practice")
    assert "/practice" not in bench.client.get("/more").text


def test_every_screen_of_practice_bears_the_banner_and_no_screen_of_the_box_does(
    box: Bench, practice: Bench
) -> None:
    for bench, marked in ((box, False), (practice, True)):
        exam = bench.open_exam()
        uid = bench.still(exam)
        for address in ("/", f"/live/{exam}", f"/finish/{exam}", f"/picture/{uid}", "/more", "/delivery", "/type"):
            assert (BANNER in bench.client.get(address).text) is marked, address
            assert ("data-practice=" in bench.client.get(address).text) is marked, address


def test_practice_ends_from_within_and_the_box_itself_does_not(box: Bench, practice: Bench) -> None:
    assert practice.get("/practice") == {"state": "here", "address": "http://127.0.0.1:8080"}
    practice.post("/practice/end")
    assert (runtime(practice) / END).exists()
    box.refused("/practice/end", {}, 409, "wrong-state")
    practice.refused("/practice/begin", {}, 409, "no-practice")
