"""A box out of the carton, set up by touch alone: the real processes, a real worklist server, real archives."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from gateway.clock import Clock
from tests.box import Box, until
from tests.browser.conftest import SIZES, ready
from tests.loopback.peers import Orthanc, WlmScpfs, free_port, items

PIN = "402918"
_SLOW_MS = 60_000  # of a machine that is busy with other tests


@pytest.fixture
def size() -> tuple[int, int]:
    return SIZES["front"]


@pytest.fixture
def carton(tmp_path: Path) -> Iterator[Box]:
    """A box whose file says where it keeps things, and nothing else."""
    box = Box(tmp_path / "box", sources=())
    text = box.config.read_text(encoding="utf-8")
    box.config.write_text(text.replace('name = "US-ROOM-2"\n', ""), encoding="utf-8")
    box.start(wait=False)
    try:
        until("the panel", lambda: _answers(box))
        yield box
    finally:
        box.stop()
        (box.data / "reserve").unlink(missing_ok=True)


def _answers(box: Box) -> bool:
    try:
        return box.request("GET", "/first-start")[0] == 200
    except OSError:
        return False


class Finger:
    """Somebody who touches the screen, and has no keyboard."""

    def __init__(self, page: Page, box: Box) -> None:
        self.page, self.box = page, box
        page.context.set_default_timeout(_SLOW_MS)

    def at(self, path: str) -> None:
        self.page.wait_for_url(f"**{path}", timeout=_SLOW_MS)
        ready(self.page)

    def tap(self, name: str, *, exact: bool = True) -> None:
        self._key(name, exact=exact).tap()

    def types(self, text: str) -> None:
        """Touch the keys of the screen, on whichever side of the keyboard each is."""
        for letter in text:
            for leads in ("", "{numbers}", "{letters}", "{shift}"):
                if leads and (side := self._board(leads)).is_visible():
                    side.tap()
                if (key := self._board(letter)).is_visible():
                    key.tap()
                    break
            else:
                raise AssertionError(f"no key for {letter}")
        self.tap("Continue")

    def pin(self, field: str, digits: str) -> None:
        self.page.locator(f"[name={field}]").tap()
        for digit in digits:
            self.page.locator(f"#entry .pad [data-digit='{digit}']").tap()

    def lines(self) -> list[tuple[str, str]]:
        """Return what a trial found out, once it is over: whether each line is good, and its words."""
        expect(self.page.locator("#setup-retry")).to_be_enabled(timeout=_SLOW_MS)
        found = self.page.locator("#setup-lines li").all()
        return [(_mark(line), line.inner_text()) for line in found]

    def clear(self) -> None:
        """Erase what stands in the field."""
        field = self.page.locator("#setup-field input")
        while field.input_value():
            self._board("{delete}").tap()

    def _key(self, name: str, *, exact: bool) -> Locator:
        button = self.page.get_by_role("button", name=name, exact=exact)
        return button.or_(self.page.get_by_role("link", name=name, exact=exact)).first

    def _board(self, key: str) -> Locator:
        return self.page.locator(f".keyboard [data-skbtn={_quoted(key)}]").first


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"


def _mark(line: Locator) -> str:
    classes = (line.get_attribute("class") or "").split()
    return next(mark for mark in ("fine", "warn", "bad") if mark in classes)


def _file(box: Box) -> dict[str, Any]:
    return tomllib.loads(box.config.read_text(encoding="utf-8"))


def _to(finger: Finger, path: str) -> None:
    """Go to a question as somebody who set the box up that far would stand there."""
    finger.page.goto(f"http://127.0.0.1:{finger.box.port}{path}")
    ready(finger.page)


def test_a_box_is_set_up_by_touch_alone(page: Page, carton: Box, tmp_path: Path) -> None:
    finger = Finger(page, carton)
    modalities = {"box": ["SCOPEGATE", "127.0.0.1", carton.dicom_port]}
    with (
        WlmScpfs(tmp_path / "wlm") as server,
        Orthanc(tmp_path / "orthanc", DicomModalities=modalities) as archive,
    ):
        server.add("one", items.worklist_item(day=f"{Clock().now().local:%Y%m%d}"))
        _to(finger, "/")
        finger.at("/first-start/language")
        finger.tap("English")
        finger.at("/first-start/time")
        finger.tap("It is right")
        finger.at("/first-start/station")
        finger.types("US3")
        finger.at("/first-start/administrator/name")
        finger.types("Chris")
        _administrator(finger)
        finger.at("/first-start/source")
        _source(finger)
        finger.at("/first-start/pedal")
        finger.tap("There is no pedal")
        finger.at("/first-start/worklist")
        _worklist(finger, server)
        finger.at("/first-start/archive")
        _archive(finger, archive)
        finger.at("/first-start/retention")
        finger.tap("Three months")
        finger.at("/first-start/summary")
        finger.tap("Done: use the box")
        finger.at("/")
        expect(page.locator(".row").first).to_be_visible(timeout=_SLOW_MS)  # the patient of today
    assert '"Chris"' in (carton.data / "people.json").read_text(encoding="utf-8")
    file = _file(carton)
    assert file["station"]["name"] == "US3"
    assert file["source"][0]["object"] == "ultrasound"
    assert file["worklist"][0]["ae_title"] == "WLM"
    assert (file["destination"][0]["ae_title"], file["destination"][0]["commitment"]) == ("ORTHANC", True)
    assert file["retention"]["keep_days"] == 90
    until("a picture", lambda: carton.request("GET", "/health")[0] == 200)


def _administrator(finger: Finger) -> None:
    page = finger.page
    finger.at("/first-start/administrator?name=Chris")
    finger.pin("pin", PIN)
    finger.pin("again", PIN)
    finger.tap("Continue")
    expect(page.locator("#code-shown")).to_be_visible(timeout=_SLOW_MS)
    code = page.locator("#code-text").inner_text()
    finger.tap("It is written down")
    for letter in code.strip()[-4:]:
        page.locator(f"#code .pad [data-digit='{letter}']").tap()
    page.locator("#code [type=submit]").tap()


def _source(finger: Finger) -> None:
    page = finger.page
    finger.tap("Test picture: ultrasound", exact=False)
    finger.at("/first-start/source/profile")
    expect(page.locator("#profiles-tried")).to_contain_text("Profiles that fit", timeout=_SLOW_MS)
    plain = page.locator("[data-profile='']")
    assert plain.locator("img").evaluate("image => image.naturalWidth") == 320
    plain.tap()
    finger.at("/first-start/source/kind")
    finger.tap("Ultrasound")


def _worklist(finger: Finger, server: WlmScpfs) -> None:
    finger.tap("Yes, there is a worklist server")
    finger.at("/first-start/worklist/type/host")
    finger.types("127.0.0.1")
    finger.at("/first-start/worklist/type/port")
    finger.types(str(server.port))
    finger.at("/first-start/worklist/type/ae_title")
    finger.types("WLM")
    finger.at("/first-start/worklist/type/modality")
    finger.tap("Continue")
    finger.at("/first-start/worklist/try")
    assert finger.lines() == [("fine", "It answers. Entries for today: 1.")]
    finger.tap("Keep it")


def _archive(finger: Finger, archive: Orthanc) -> None:
    finger.tap("To a DICOM archive (PACS)")
    finger.at("/first-start/archive/type/host")
    finger.types("127.0.0.1")
    finger.at("/first-start/archive/type/port")
    finger.types(str(archive.port))
    finger.at("/first-start/archive/type/ae_title")
    finger.types("ORTHANC")
    finger.at("/first-start/archive/commitment")
    finger.tap("Yes", exact=False)
    finger.at("/first-start/archive/try")
    lines = finger.lines()
    assert [mark for mark, _ in lines] == ["fine", "fine", "fine", "fine"], lines
    assert lines[-1][1] == "Its answer came back: it can tell this box what it keeps."
    finger.tap("Keep it")


def test_an_archive_that_does_not_answer_is_told_in_words_and_may_be_kept(page: Page, carton: Box) -> None:
    finger = Finger(page, carton)
    nobody = free_port()
    for values in (
        {"kind": "dicom", "host": "127.0.0.1", "port": nobody},
        {"ae_title": "PACS", "commitment": True},
    ):
        carton.post("/first-start/draft", {"step": "archive", "values": values})
    _to(finger, "/first-start/archive/try")
    ((mark, words),) = finger.lines()
    assert mark == "bad"
    assert "unreachable" in words
    assert f"127.0.0.1:{nobody}" in words
    expect(page.locator(".key.next")).to_have_text("Change it")  # not to keep what does not answer
    finger.tap("Change it")
    finger.at("/first-start/archive/type/host")
    finger.tap("Continue")
    finger.at("/first-start/archive/type/port")
    _to(finger, "/first-start/archive/try")
    finger.lines()
    finger.tap("Change this box's AE title")
    finger.at("/first-start/archive/ours")
    finger.types("2")
    finger.at("/first-start/archive/try")
    finger.lines()
    assert _file(carton)["station"]["ae_title"] == "SCOPEGATE2"
    finger.tap("Keep it all the same")
    finger.at("/first-start/retention")
    assert _file(carton)["destination"][0]["port"] == nobody


def test_a_patient_who_waits_goes_first_and_setting_up_goes_on_after_a_restart(page: Page, carton: Box) -> None:
    finger = Finger(page, carton)
    _to(finger, "/")
    finger.at("/first-start/language")
    finger.tap("English")
    finger.at("/first-start/time")
    carton.stop()  # the power goes
    carton.start(wait=False)
    until("the panel", lambda: _answers(carton))
    _to(finger, "/")
    finger.at("/first-start")  # it knows how far somebody came
    finger.tap("Go on with setting up")
    finger.at("/first-start/time")
    finger.tap("Use the box now")
    finger.at("/first-start?leave")
    expect(page.locator(".setup-body")).to_contain_text("No archive is set up: pictures stay on this box.")
    finger.tap("Use the box now")
    finger.at("/")
    expect(page.locator(".archive-open")).to_contain_text("More, Set the box up")
    page.get_by_role("button", name="Start without patient").or_(
        page.get_by_role("link", name="Start without patient")
    ).first.tap()
    page.wait_for_url("**/live/*")
    expect(page.locator("#over-what")).to_have_text("No picture source is set up")
    assert carton.get("/exams")["exams"][0]["state"] == "open"


def test_a_name_that_is_missing_is_said_in_the_words_of_the_box(page: Page, carton: Box) -> None:
    finger = Finger(page, carton)
    _to(finger, "/first-start/station")
    finger.clear()
    field = page.locator("#setup-field input")
    before = field.bounding_box()
    finger.tap("Continue")
    expect(page.locator("#problem")).to_contain_text("This is missing.")
    expect(field).to_be_focused()
    assert field.bounding_box() == before  # it stays below the finger
    page.locator(".keyboard [data-skbtn=U]").first.tap()
    expect(page.locator("#problem")).to_be_hidden()


def test_the_keyboard_has_its_place_before_its_keys_are_made(page: Page, carton: Box) -> None:
    page.route("**/keyboard.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    _to(Finger(page, carton), "/first-start/station")
    outline = page.locator(".keyboard .keys").bounding_box()
    page.unroute_all()
    _to(Finger(page, carton), "/first-start/station")
    page.locator(".keyboard [data-skbtn=U]").first.wait_for()
    assert page.locator(".keyboard .keys").bounding_box() == outline


def test_the_language_is_chosen_in_one_way_and_a_wrong_time_is_not_called_right(page: Page, carton: Box) -> None:
    finger = Finger(page, carton)
    _to(finger, "/first-start/language")
    expect(page.locator(".key.next")).to_have_count(0)  # a touch on a language goes on
    finger.tap("English")
    finger.at("/first-start/time")
    finger.tap("It is right")
    finger.at("/first-start/station")
    finger.tap("Back")
    finger.at("/first-start/time")
    finger.tap("It is wrong")
    finger.at("/first-start/time?wrong=1")
    expect(page.locator(".key.next")).to_have_text("Continue")
    finger.tap("Continue")
    finger.at("/first-start/station")
    assert {"step": "time", "answer": "skipped"} in json.loads(carton.request("GET", "/first-start")[1])["steps"]
