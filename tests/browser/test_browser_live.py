"""The live screen tells the truth, and no press is lost."""

import json
import time

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SIZES, Box, open_first_patient, ready, until
from tests.unit.panel.fake_capture import START

pytestmark = pytest.mark.parametrize("size", [SIZES["front"]])  # what it does is the same on the large screen
HONEST_S = 5.0  # five times the second that the screen promises: the machine is shared


def presses_of(page: Page) -> list[int]:
    """Collect the frame of every press that leaves the page, retries apart."""
    seen: dict[str, int] = {}
    frames: list[int] = []

    def note(message: str | bytes) -> None:
        body = json.loads(message)
        if isinstance(body, dict) and body["request_id"] not in seen:
            seen[body["request_id"]] = body["frame"]
            frames.append(body["frame"])

    page.on("websocket", lambda socket: socket.on("framesent", note))
    return frames


def test_ten_fast_taps_are_ten_pictures_of_the_frames_that_were_shown(page: Page, box: Box) -> None:
    frames = presses_of(page)
    exam = open_first_patient(page, box)
    box.capture.script.delay_s = 0.25
    spot = page.locator("#capture").bounding_box()
    assert spot
    for _ in range(10):
        page.touchscreen.tap(spot["x"] + 50, spot["y"] + 50)
    until(lambda: len(box.frames(exam)) == 10)
    expect(page.locator("#tally")).to_have_text("10 images")
    assert box.frames(exam) == frames
    assert frames == sorted(frames)
    expect(page.locator("#said")).to_have_text("✓ Picture 10 stored")


def test_a_picture_of_the_pedal_is_named_by_its_number(page: Page, box: Box) -> None:
    exam = box.spool.exams.get(open_first_patient(page, box))
    box.capture.store(exam, frame=START + 1)
    taken = box.capture.store(exam, frame=START + 1)
    page.evaluate(
        """(uid) => dispatchEvent(new CustomEvent('box-source', { detail: {
          ...box, last: { number: 1, answer: 'stored', origin: 'pedal', sop_instance_uid: uid },
        } }))""",
        taken.sop_instance_uid,
    )
    expect(page.locator("#said")).to_have_text("✓ Picture 2 stored")


def test_lost_answers_are_asked_for_again_and_nothing_is_stored_twice(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    box.capture.script.lose_answers = 3
    for _ in range(5):
        page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("5 images", timeout=15_000)
    assert len(box.frames(exam)) == 5


def test_presses_survive_a_restart_of_the_panel_process(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    box.capture.script.delay_s = 0.3
    spot = page.locator("#capture").bounding_box()
    assert spot
    for _ in range(10):
        page.touchscreen.tap(spot["x"] + 50, spot["y"] + 50)
    box.panel.restart()
    expect(page.locator("#tally")).to_have_text("10 images", timeout=20_000)
    expect(page.locator("#thumbs .waiting")).to_have_count(0, timeout=20_000)
    assert len(box.frames(exam)) == 10
    page.wait_for_selector("body[data-live=on]")


def test_a_dead_recorder_is_not_live_and_capture_is_inert_until_it_returns(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    box.capture.stop()
    died = time.monotonic()
    page.wait_for_selector("body[data-live=off]")
    assert time.monotonic() - died < HONEST_S
    expect(page.locator("#pill")).to_have_text("NOT LIVE")
    expect(page.locator("#over")).to_be_visible()
    expect(page.locator("#over")).to_contain_text("Screen lost the recorder")
    expect(page.locator("#capture")).to_have_attribute("aria-disabled", "true")
    page.locator("#capture").tap(force=True)
    expect(page.locator("#said")).to_contain_text("NOT stored")
    box.capture.start()
    page.wait_for_selector("body[data-live=on]")
    assert box.frames(exam) == []
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")


def test_a_picture_that_stops_is_not_live(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    box.capture.script.frozen.set()
    page.wait_for_selector("body[data-live=off]", timeout=HONEST_S * 1000)
    expect(page.locator("#over")).to_contain_text("Picture stopped")
    box.capture.script.frozen.clear()
    page.wait_for_selector("body[data-live=on]")


def test_a_device_without_signal_is_named_with_what_to_check(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    box.capture.script.signal = "no-signal"
    expect(page.locator("#over")).to_contain_text("No picture from the device")
    expect(page.locator("#over")).to_contain_text("VID-01")
    box.capture.script.signal = "live"
    page.wait_for_selector("body[data-live=on]")


def test_the_picture_of_a_video_adapter_without_signal_is_not_live(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    box.capture.script.signal = "no-signal-picture"
    expect(page.locator("#over")).to_contain_text("No picture from the scanner")
    expect(page.locator("#over")).to_contain_text("VID-08")
    expect(page.locator("#pill")).to_have_text("NOT LIVE")
    page.locator("#capture").tap(force=True)
    expect(page.locator("#said")).to_contain_text("NOT stored")
    box.capture.script.signal = "live"
    page.wait_for_selector("body[data-live=on]")


def test_a_picture_that_cannot_be_used_is_explained_with_what_to_do(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    script = box.capture.script
    script.what, script.action, script.code = "Masks are for 1920 x 1080.", "Choose another profile.", "VID-05"
    script.signal = "refused"
    expect(page.locator("#over-what")).to_have_text("Masks are for 1920 x 1080.")
    expect(page.locator("#over-do")).to_have_text("Choose another profile. VID-05")
    script.signal = "live"
    page.wait_for_selector("body[data-live=on]")


def test_a_picture_that_looks_like_snow_is_said_and_can_be_captured(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    box.capture.script.noise = True
    expect(page.locator("#pill")).to_have_text("Only noise? Check the cable.")
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    box.capture.script.noise = False
    expect(page.locator("#pill")).to_contain_text("LIVE")


def test_a_picture_of_another_size_or_with_cut_levels_is_said_and_can_be_captured(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    expect(page.locator("#note")).to_be_hidden()
    box.capture.script.levels_cut = True
    expect(page.locator("#note")).to_contain_text("cut off")
    box.capture.script.size_expected = False
    expect(page.locator("#note")).to_contain_text("VID-03")
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    box.capture.script.size_expected, box.capture.script.levels_cut = True, False
    expect(page.locator("#note")).to_be_hidden()


def test_a_pedal_that_is_unplugged_is_said_and_capture_goes_on(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    expect(page.locator("#pedal")).to_be_hidden()
    box.capture.script.pedals = [{"name": "input-1", "connected": False, "what": "There is no pedal."}]
    expect(page.locator("#pedal")).to_have_text("Pedal is unplugged: capture on the screen. IN-01")
    expect(page.locator("#sign")).to_be_hidden()
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    box.capture.script.pedals = [{"name": "input-1", "connected": True, "what": ""}]
    expect(page.locator("#pedal")).to_be_hidden()


def test_a_dead_panel_is_not_live_and_comes_back_by_itself(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    box.panel.restart()
    page.wait_for_selector("body[data-live=on]")
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")


def test_an_exam_that_ended_elsewhere_is_not_live_on_this_screen(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    box.spool.exams.finish(exam)
    page.wait_for_url("**/exam/*")


def test_a_picture_taken_with_the_pedal_appears_by_itself(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    box.capture.store(box.spool.exams.get(exam), frame=(7 << 32) + box.capture.frame)
    expect(page.locator("#tally")).to_have_text("1 image")
    expect(page.locator("#thumbs img")).to_have_count(1)


def test_a_touch_that_began_on_the_screen_before_captures_nothing(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    page.add_init_script("addEventListener('DOMContentLoaded', () => { window.early = true; })")
    page.goto(f"{box.address}/live/{exam}", wait_until="domcontentloaded")
    page.evaluate(
        "() => { const key = document.getElementById('capture'); live.on = true; "
        "key.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 })); }"
    )
    ready(page)
    page.wait_for_selector("body[data-live=on]")
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    assert len(box.frames(exam)) == 1


def test_a_hot_box_offers_no_clip_takes_pictures_and_ends_the_clip_that_runs(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    clip = page.locator("#clip")
    clip.tap()
    expect(page.locator("#clip-word")).to_have_text("Stop clip")
    box.capture.script.machine = {"heat": "hot", "celsius": 82, "power": "ok"}
    until(lambda: page.evaluate("() => box.machine.heat") == "hot")
    clip.tap()
    expect(page.locator("#clip-word")).to_have_text("Clip")
    expect(clip).to_have_attribute("aria-disabled", "true")
    page.locator("#capture").tap()
    until(lambda: len(box.frames(exam)) == 2)
    box.capture.script.machine = {"heat": "ok", "celsius": 70, "power": "ok"}
    expect(clip).to_have_attribute("aria-disabled", "false")


def test_while_a_clip_is_being_stored_finish_says_that_and_not_that_it_is_to_be_stopped(
    page: Page, box: Box
) -> None:
    open_first_patient(page, box)
    page.locator("#clip").tap()
    expect(page.locator("#clip-word")).to_have_text("Stop clip")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/clips/*/stop", hold)
    page.locator("#clip").tap()
    expect(page.locator("#finish")).to_contain_text("Storing the clip")
    expect(page.locator("#rec")).to_be_hidden()  # nothing is recorded any more, and nothing says so
    expect(page.locator("#stage")).not_to_have_class("stage recording")
    expect(page.locator("#clip-word")).to_have_text("Storing ...")
    held[0].continue_()
    expect(page.locator("#finish")).to_have_attribute("aria-disabled", "false")


def test_a_small_picture_that_has_not_come_is_no_black_one_and_one_that_cannot_says_so(
    page: Page, box: Box
) -> None:
    open_first_patient(page, box)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/captures/*/thumbnail", hold)
    page.locator("#capture").tap()
    small = page.locator("#thumbs a")
    expect(small).to_have_count(1)
    shown = "one => getComputedStyle(one, '::before').content"
    until(lambda: page.evaluate("() => 1") and held)
    assert small.evaluate(shown) == '"…"'
    held[0].continue_()
    expect(small).to_have_attribute("data-picture", "here")
    assert small.evaluate(shown) == "none"
    page.locator("#capture").tap()
    expect(small).to_have_count(2)
    until(lambda: page.evaluate("() => 1") and len(held) == 2)  # asking the page lets its requests come here
    held[1].abort()
    expect(small.first).to_have_attribute("data-picture", "missing")
    assert small.first.evaluate(shown) == '"Cannot be shown"'
