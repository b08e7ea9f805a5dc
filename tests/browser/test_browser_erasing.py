"""An administrator erases one exam with fingers only: from its details, by the number of its pictures."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Box, ready
from tests.browser.screens.people import PIN, as_administrator, ask
from tests.browser.screens.states import sealed

pytestmark = pytest.mark.parametrize("size", ["front"], indirect=True)


def type_by_touch(page: Page, text: str) -> None:
    for sign in text:
        page.locator(f"#pad [data-digit='{sign}']:visible").tap()


def test_who_stands_before_the_box_signs_in_and_erases_the_exam_by_its_number(page: Page, box: Box) -> None:
    exam = sealed(box, 3)
    as_administrator(box, page)
    ask(box, page, "/session/end", {})
    page.goto(f"{box.address}/exam/{exam.id}")
    ready(page)
    page.get_by_role("link", name="Details").tap()
    page.wait_for_url("**/delivery/*")
    ready(page)
    page.get_by_role("link", name="Erase").tap()
    page.wait_for_url("**/sign-in?**")
    ready(page)
    type_by_touch(page, PIN)
    page.get_by_role("button", name="Sign in").tap()
    page.wait_for_url(f"{box.address}/erase/{exam.id}")  # whole: the page to sign in ends with this path as well
    ready(page)
    expect(page.get_by_text("Archives, sticks, downloads and backups keep what they have.")).to_be_attached()
    page.get_by_role("link", name="Erase this exam").tap()
    page.wait_for_url("**/number")
    ready(page)
    type_by_touch(page, "4")
    page.get_by_role("button", name="Erase this exam").tap()
    expect(page.locator("#problem")).to_contain_text("This is not the number of the exam's pictures.")
    assert box.spool.exams.get(exam.id)
    page.get_by_role("button", name="Delete").tap()
    type_by_touch(page, "3")
    page.get_by_role("button", name="Erase this exam").tap()
    page.wait_for_url("**/erased")
    expect(page.get_by_text("The exam is erased from this box.")).to_be_visible()
    assert box.spool.exams.list() == []
    ready(page)
    page.get_by_role("link", name="Exams on this box").tap()
    page.wait_for_url("**/archive")
    expect(page.locator("#list")).not_to_contain_text("MEIER")
