"""People in a real browser: the first administrator by touch, signing in over TLS, what each role sees."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from gateway.config.settings import Address, Lan
from tests.browser.conftest import Box, ready, until
from tests.browser.every_screen import show
from tests.browser.screens.people import PIN, as_administrator, ask
from tests.browser.screens.states import exam
from tests.browser.screens.updates import says
from tests.certificates import Authority


@pytest.fixture
def looks(tmp_path: Path) -> dict[str, Any]:
    shown = Authority(tmp_path / "pki").issue("127.0.0.1", "localhost")
    listen = Address(host="127.0.0.1", port=0)
    return {"lan": Lan(listen=listen, certificate=shown.certificate, key=shown.key)}


def type_by_touch(page: Page, text: str) -> None:
    for sign in text:
        page.locator(f"#pad [data-digit='{sign}']:visible").tap()


def test_the_first_administrator_needs_fingers_only(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/more")
    ready(page)
    page.get_by_role("link", name="People").tap()
    page.wait_for_url("**/first/name")
    ready(page)
    for letter in "Chris":
        page.locator(f".keyboard [data-skbtn='{letter}']").first.tap()
    page.get_by_role("button", name="Continue").tap()
    page.wait_for_url("**/first?name=Chris")
    ready(page)
    type_by_touch(page, PIN)
    page.get_by_role("button", name="Continue").tap()
    expect(page.locator("[name=again]")).to_be_focused()  # the way on, and nothing is wrong
    expect(page.locator("#problem")).to_be_hidden()
    type_by_touch(page, "402919")
    page.get_by_role("button", name="Continue").tap()
    expect(page.locator("#problem")).to_contain_text("The two PINs are different.")
    type_by_touch(page, PIN)
    page.locator("[name=again]").tap()
    type_by_touch(page, PIN)
    page.get_by_role("button", name="Continue").tap()
    page.locator("#code-shown").wait_for()
    code = page.locator("#code-text").inner_text().replace("\n", "-")
    assert len(code) == 39
    expect(page.locator("#code-qr svg")).to_be_visible()
    page.get_by_role("button", name="It is written down").tap()
    type_by_touch(page, code[-4:])
    page.get_by_role("button", name="Continue").tap()
    page.wait_for_url("**/people")
    expect(page.locator(".row.person .who")).to_have_text("Chris")
    expect(page.locator(".strip.warn")).to_have_count(0)


def test_a_forgotten_pin_is_replaced_with_the_code_typed_whole_and_the_old_code_is_called_void(
    page: Page, box: Box
) -> None:
    as_administrator(box, page)
    code = ask(box, page, "/people/recovery/renew", {})["recovery_code"]
    ask(box, page, "/session/end", {})
    page.goto(f"{box.address}/recover")
    ready(page)
    field = page.locator("[name=code]")
    field.tap()
    type_by_touch(page, code.replace("-", ""))
    assert field.input_value().replace(" ", "-") == code
    fits = "field => field.scrollHeight <= field.clientHeight && field.scrollWidth <= field.clientWidth"
    assert field.evaluate(fits)
    for name in ("pin", "again"):
        page.locator(f"[name={name}]").tap()
        type_by_touch(page, "918273")
    page.get_by_role("button", name="Set the new PIN").tap()
    page.locator("#code-shown").wait_for()
    expect(page.locator("#code-shown")).to_contain_text("The code before is void")


def test_at_the_box_the_list_of_people_opens_with_the_pin_alone(page: Page, box: Box) -> None:
    show("sign_in", box, page)
    type_by_touch(page, "111222")
    page.get_by_role("button", name="Sign in").tap()
    expect(page.locator("#problem")).to_contain_text("Name or PIN is wrong.")
    until(lambda: is_in_after(page), 30)
    page.wait_for_url("**/people")


def test_touches_on_pages_that_ask_for_the_pin_are_told_to_the_box_and_others_are_not(page: Page, box: Box) -> None:
    page.clock.install()
    as_administrator(box, page)
    told: list[str] = []
    page.on("request", lambda asked: told.append(asked.url) if asked.url.endswith("/session/touch") else None)
    for address in ("/", "/people"):
        page.goto(f"{box.address}{address}")
        page.clock.run_for(61_000)
        page.locator("h1").tap()
        page.locator("h1").tap()
        page.clock.run_for(1000)
        assert len(told) == (1 if address == "/people" else 0)


def is_in_after(page: Page) -> bool:
    """Try once; after the wrong PIN it may have to wait."""
    expect(page.locator("[name=pin]")).to_have_value("")
    type_by_touch(page, PIN)
    with page.expect_response("**/api/v1/session") as said:
        page.get_by_role("button", name="Sign in").tap()
    return said.value.ok


def test_a_person_is_added_changed_and_removed(page: Page, box: Box) -> None:
    show("person_name", box, page)
    for letter in "ROSSI":
        page.locator(".hg-button", has_text=re.compile(f"^{letter}$", re.IGNORECASE)).tap()
    page.get_by_role("button", name="Continue").tap()
    page.wait_for_url("**/people/add?name=Rossi")
    ready(page)
    page.locator(".choice", has_text="Reviewer").tap()
    for name in ("pin", "again"):
        page.locator(f"[name={name}]").fill("731840")
    page.get_by_role("button", name="Add", exact=True).tap()
    page.wait_for_url("**/people")
    ready(page)
    row = page.locator(".row.person", has_text="Rossi")
    expect(row).to_contain_text("Reviewer")
    row.tap()
    page.wait_for_url("**/people/*")
    ready(page)
    with page.expect_response("**/role"):
        page.locator(".choice", has_text="Technician").tap()
    page.get_by_role("link", name="Back").tap()
    expect(page.locator(".row.person", has_text="Rossi")).to_contain_text("Technician")
    ready(page)
    page.locator(".row.person", has_text="Rossi").tap()
    page.wait_for_url("**/people/*")
    ready(page)
    page.get_by_role("button", name="Remove").tap()
    ready(page)
    page.get_by_role("button", name="Remove for sure").tap()
    page.wait_for_url("**/people")
    expect(page.locator(".row.person")).to_have_count(1)


# --- from a PC of the clinic -----------------------------------------------------------------------------------


@pytest.fixture
def pc(browser: Browser, box: Box, page: Page) -> Any:
    """Return a browser on the clinic's network that trusts the box, and the address to call."""
    people = [("Rossi", "reviewer"), ("Weber", "technician"), ("Smith", "service")]
    as_administrator(box, page, *people)
    at = until(lambda: box.panel_says()["lan"])
    context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    context.set_default_timeout(10_000)
    there = context.new_page()
    faults: list[str] = []
    there.on("pageerror", lambda error: faults.append(str(error)))
    yield there, f"https://{at}"
    context.close()
    assert faults == []


def sign_in(there: Page, address: str, name: str) -> None:
    there.goto(address)
    there.wait_for_url("**/sign-in**")
    ready(there)
    there.locator("[name=name]").fill(name)
    there.locator("[name=pin]").fill(PIN)
    there.keyboard.press("Enter")


@pytest.mark.parametrize("size", ["large"], indirect=True)
def test_a_technician_watches_an_exam_from_a_pc_and_takes_no_picture_there(pc: Any, box: Box) -> None:
    there, address = pc
    opened = exam(box, 2)
    sign_in(there, f"{address}/live/{opened.id}", "Weber")
    there.wait_for_url(f"{address}/live/{opened.id}")
    there.wait_for_selector("body[data-live=on]")  # over wss
    expect(there.locator("#capture")).to_be_hidden()
    expect(there.locator("#clip")).to_be_hidden()
    expect(there.locator("#finish")).to_be_visible()
    there.keyboard.press("Space")
    box.capture.store(opened, frame=(7 << 32) + 1)
    expect(there.locator("#thumbs li")).to_have_count(3)  # events come through as well


@pytest.mark.parametrize("size", ["large"], indirect=True)
def test_a_reviewer_sees_exams_and_no_key_that_changes_one(pc: Any, box: Box) -> None:
    there, address = pc
    opened = exam(box, 2)
    box.spool.exams.finish(opened.id)
    sign_in(there, address, "Rossi")
    there.wait_for_url("**/archive")
    expect(there.locator("main")).to_contain_text("MEIER, Anna")
    there.goto(f"{address}/picture/{box.spool.captures.of_exam(opened.id)[0].capture.sop_instance_uid}")
    expect(there.locator("main img")).to_be_visible()
    expect(there.locator("[data-post]:visible")).to_have_count(0)
    there.goto(f"{address}/people")
    expect(there.locator("main")).to_contain_text("not-permitted")


@pytest.mark.parametrize("size", ["large"], indirect=True)
def test_a_service_engineer_sees_no_patient_and_leaves(pc: Any, box: Box) -> None:
    there, address = pc
    exam(box, 2)
    sign_in(there, address, "Smith")
    there.wait_for_url("**/more")
    ready(there)
    expect(there.locator("body")).not_to_contain_text("MEIER")
    there.get_by_role("button", name="Sign out").click()
    there.wait_for_url("**/sign-in")
    there.go_back()
    there.wait_for_url("**/sign-in**")


@pytest.mark.parametrize("size", ["large"], indirect=True)
def test_a_screen_whose_person_was_removed_shows_no_patient_any_more(pc: Any, box: Box, page: Page) -> None:
    there, address = pc
    opened = exam(box, 2)
    sign_in(there, f"{address}/exam/{opened.id}", "Rossi")
    there.wait_for_url(f"{address}/exam/{opened.id}")
    expect(there.locator("body")).to_contain_text("MEIER, Anna")
    people = page.request.get(f"{box.address}/api/v1/people").json()["people"]
    (rossi,) = [person["id"] for person in people if person["name"] == "Rossi"]
    ask(box, page, f"/people/{rossi}/remove", {})
    there.wait_for_url("**/sign-in**", timeout=30_000)
    expect(there.locator("body")).not_to_contain_text("MEIER")


@pytest.mark.parametrize("size", ["large"], indirect=True)
def test_an_administrator_installs_an_update_from_a_pc(pc: Any, box: Box, tmp_path: Path) -> None:
    there, address = pc
    place = box.settings.station.data_dir.parent / "upload"
    place.mkdir()
    file = tmp_path / "holiday.raucb"
    file.write_bytes(bytes(3_000_000))
    says(box)
    sign_in(there, f"{address}/service/update", "Dr. Huber")
    there.wait_for_url("**/service/update")
    ready(there)
    opened = exam(box)
    there.locator("#upload").set_input_files(file)
    expect(there.locator("#problem")).to_contain_text("An exam is open.")
    box.spool.exams.finish(opened.id)
    with there.expect_response(lambda said: said.request.method == "PUT") as asked:
        there.locator("#upload").set_input_files(file)
    assert asked.value.ok
    assert [each.stat().st_size for each in place.iterdir()] == [3_000_000]
    there.locator("#upload:enabled").wait_for()  # the page came anew, to say what becomes of it
