"""What leaves the box and what stays, by hand: why something waits, a stick, a search, a clip, the end of a day."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from gateway.model import RequestState
from tests.browser.conftest import Box, ready, until
from tests.browser.every_screen import show
from tests.browser.screens.copying import plugged
from tests.browser.screens.states import away, exam, said_of_forward, sealed
from tests.forward.bench import clip, films, let_go, open_exam

front = pytest.mark.parametrize("size", ["front"], indirect=True)


def touch(page: Page, name: str, role: Any = "link") -> None:
    page.get_by_role(role, name=name).tap()


@front
def test_one_touch_on_the_badge_leads_to_the_reason(page: Page, box: Box) -> None:
    sealed(box)
    away(box, 20)
    page.goto(box.address)
    ready(page)
    expect(page.locator("#badge")).to_have_text("3 waiting")
    page.locator("#badge").tap()
    page.wait_for_url("**/delivery")
    strip = page.locator("#list .strip.warn")
    for words in ("does not answer", "On this box: 3.", "tried again by itself", "NET-02"):
        expect(strip).to_contain_text(words)


@front
def test_what_was_wrong_leaves_the_screen_by_itself(page: Page, box: Box) -> None:
    sealed(box)
    away(box, 200)
    page.goto(f"{box.address}/delivery")
    expect(page.locator("#list .strip.bad")).to_contain_text("NET-02")
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    expect(page.locator("#list")).not_to_contain_text("NET-02", timeout=60_000)


@front
def test_a_picture_is_held_back_and_sent_after_all_from_the_details(page: Page, box: Box) -> None:
    opened = sealed(box, 1)
    page.goto(f"{box.address}/delivery/{opened.id}")
    ready(page)
    page.get_by_role("button", name="Hold back picture 1").first.tap()
    expect(page.get_by_text("Held back by a person.")).to_be_visible()
    ready(page)
    page.get_by_role("button", name="Send picture 1").first.tap()
    expect(page.get_by_role("button", name="Send picture 1")).to_have_count(0)
    assert {each.state for each in box.spool.deliveries.list(exam=opened.id)} == {"queued"}


@front
def test_four_touches_copy_an_exam_and_the_screen_says_when_the_stick_may_be_pulled(page: Page, box: Box) -> None:
    opened = sealed(box, 2)
    plugged(box)
    page.goto(box.address)
    ready(page)
    page.locator("#badge").tap()
    page.wait_for_url("**/delivery")
    ready(page)
    page.locator(".row").first.tap()
    page.wait_for_url("**/exam/*")
    ready(page)
    touch(page, "Copy to USB")
    page.wait_for_url("**/copy?exam=*")
    ready(page)
    touch(page, "Start copying", "button")
    page.wait_for_url("**/copying/*")
    request = box.spool.requests.begin("export")
    assert request
    assert request.arguments == {"exams": [opened.id], "destination": "stick", "jpeg": False}
    so_far = {
        "objects_done": 1,
        "objects": 2,
        "pictures_done": 1,
        "pictures": 2,
        "bytes_done": 10,
        "bytes": 40,
        "left_s": 3,
    }
    box.spool.requests.progress(request, so_far)
    expect(page.locator("#sheet")).to_contain_text("1 of 2 checked")
    expect(page.locator("#sheet")).to_contain_text("Do not remove the stick.")
    box.spool.requests.done(request, {"exams": 1, "objects": 2, "pictures": 2, "bytes": 20, "left_out": 0})
    expect(page.locator("#sheet")).to_contain_text("Copied and checked: 2 of 2. The stick can be removed.")
    assert box.spool.requests.get(request.id).state is RequestState.DONE


@front
def test_a_stick_that_is_plugged_in_is_seen_without_a_touch(page: Page, box: Box) -> None:
    show("copy_no_stick", box, page)
    expect(page.locator("#sheet")).to_contain_text("There is no stick.")
    plugged(box)
    expect(page.get_by_role("button", name="Start copying")).to_be_visible()


@front
def test_exams_are_ticked_and_copied_together(page: Page, box: Box) -> None:
    first, second = sealed(box, 1), sealed(box, 1, "Okonkwo^Chidi")
    plugged(box)
    page.goto(f"{box.address}/delivery")
    ready(page)
    touch(page, "Copy to USB")
    page.wait_for_url("**/copy/which")
    ready(page)
    for row in page.locator(".row.tick").all():
        row.tap()
    touch(page, "Continue", "button")
    page.wait_for_url("**/copy?*")
    assert all(each.id in page.url for each in (first, second))
    expect(page.locator("#sheet")).to_contain_text("2 exams")


@front
def test_a_clip_plays_to_its_last_picture_and_can_be_looked_at_one_by_one(page: Page, box: Box) -> None:
    opened = exam(box)
    uid = box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "ultrasound"})["clip"]
    box.capture._call_clip_stop({"clip": uid})
    page.goto(f"{box.address}/picture/{uid}")
    ready(page)
    touch(page, "Play")
    page.wait_for_url("**/play/*")
    page.wait_for_selector("#frames[data-drawn='5']")
    expect(page.locator("#play")).to_have_text("Play")
    expect(page.locator("#where")).to_contain_text("picture 5 of 5")
    ready(page)
    page.locator("#back").tap()
    page.wait_for_selector("#frames[data-drawn='4']")
    page.locator("#play").tap()
    page.wait_for_selector("#frames[data-drawn='5']")


@front
def test_send_then_switch_off_can_be_taken_back(page: Page, box: Box) -> None:
    show("evening", box, page)
    touch(page, "Send, then switch off", "button")
    expect(page.locator("#sheet")).to_contain_text("switches itself off when everything was sent")
    ready(page)
    touch(page, "Stay on", "button")
    expect(page.get_by_role("button", name="Send, then switch off")).to_be_visible()
    assert not (box.settings.station.runtime_dir / "switch-off").exists()


@front
def test_switching_off_at_once_takes_two_touches(page: Page, box: Box) -> None:
    show("evening", box, page)
    key = page.get_by_role("button", name="Switch off now")
    key.tap()
    sure = page.get_by_role("button", name="Touch again to switch off")
    expect(sure).to_be_visible()
    assert not (box.settings.station.runtime_dir / "switch-off").exists()
    ready(page)
    sure.tap()
    page.wait_for_function("() => document.readyState === 'complete'")
    expect(page.locator("h1")).to_have_text("End of day")
    expect(page.get_by_role("button", name="Switch off now")).to_be_visible()
    until((box.settings.station.runtime_dir / "switch-off").exists)


def film(box: Box) -> str:
    """Return a clip of a released exam that became H.264, as the forward process makes it."""
    opened = open_exam(box.spool)
    recorded = clip(box.spool, opened, frames=20, clip_as="h264", size=(96, 128))
    let_go(box.spool, opened)
    films(box.spool).step()
    return recorded.sop_instance_uid


@front
def test_a_clip_that_became_h264_plays_as_the_film_that_it_is(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/play/{film(box)}")
    page.wait_for_function("() => document.getElementById('film').ended")
    expect(page.locator("#where")).to_contain_text("picture 20 of 20")
    ready(page)
    page.locator("#back").tap()
    expect(page.locator("#where")).to_contain_text("picture 19 of 20")
    expect(page.locator("#frames")).to_be_hidden()
    assert list(box.spool.audit.lately("capture-downloaded")) == []


@front
def test_a_film_that_this_browser_cannot_play_is_played_picture_by_picture(page: Page, box: Box) -> None:
    page.route("**/video", lambda route: route.abort())
    page.goto(f"{box.address}/play/{film(box)}")
    page.wait_for_selector("#frames[data-drawn='20']")
    expect(page.locator("#film")).to_be_hidden()


@front
def test_a_clip_whose_pictures_do_not_come_says_that_it_waits_and_never_runs_slower(page: Page, box: Box) -> None:
    opened = open_exam(box.spool)
    recorded = clip(box.spool, opened, frames=20, size=(96, 128))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/frames/10?*", hold)
    with page.expect_request("**/frames/10?*"):
        page.goto(f"{box.address}/play/{recorded.sop_instance_uid}")
    expect(page.locator("#loading")).to_be_visible()
    assert page.locator("#frames[data-drawn]").count() == 0
    held[0].continue_()
    page.wait_for_selector("#frames[data-drawn='20']")
    expect(page.locator("#loading")).to_be_hidden()
