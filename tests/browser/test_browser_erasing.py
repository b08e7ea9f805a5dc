"""An administrator erases one exam, or all of a patient, with fingers only: from its details, by their number."""

import time
from dataclasses import replace

import pytest
from playwright.sync_api import Page, Route, expect

from gateway.model import Identity
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box, ready
from tests.browser.screens.people import PIN, as_administrator, ask
from tests.browser.screens.states import sealed, set_deliveries

pytestmark = pytest.mark.parametrize("size", ["front"], indirect=True)
LATE_S = 2.0


def type_by_touch(page: Page, text: str) -> None:
    for sign in text:
        page.locator(f"#pad [data-digit='{sign}']:visible").tap()


def erase_by_number(page: Page, box: Box, key: str, *, wrong: str, right: str, problem: str) -> None:
    """Type a wrong number, which is refused and erases nothing, and then the right one; each has one digit."""
    before = box.spool.exams.list()
    type_by_touch(page, wrong)
    page.get_by_role("button", name=key).tap()
    expect(page.locator("#problem")).to_contain_text(problem)
    assert box.spool.exams.list() == before
    page.get_by_role("button", name="Delete").tap()
    type_by_touch(page, right)
    page.get_by_role("button", name=key).tap()


def late(route: Route) -> None:
    """Answer when what was done has been told on other ways as well."""
    answer = route.fetch()
    time.sleep(LATE_S)
    route.fulfill(response=answer)


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
    erase_by_number(
        page, box, "Erase this exam", wrong="4", right="3", problem="This is not the number of the exam's pictures."
    )
    page.wait_for_url("**/erased")
    expect(page.get_by_text("The exam is erased from this box.")).to_be_visible()
    assert box.spool.exams.list() == []
    ready(page)
    page.get_by_role("link", name="Exams on this box").tap()
    page.wait_for_url("**/archive")
    expect(page.locator("#list")).not_to_contain_text("MEIER")


def test_everything_of_a_patient_goes_but_what_is_being_sent_which_the_page_says(page: Page, box: Box) -> None:
    sent = sealed(box, 1)
    set_deliveries(box, "pacs", state="sending")
    first, _ = sealed(box, 2), sealed(box, 1)
    as_administrator(box, page)
    page.goto(f"{box.address}/erase/{first.id}")
    ready(page)
    page.get_by_role("link", name="Everything of this patient").tap()
    page.wait_for_url(f"{box.address}/erase/{first.id}/patient")
    ready(page)
    expect(page.get_by_text("Exams that can be erased: 2.")).to_be_visible()
    expect(page.get_by_text("A picture of this exam is being sent at this moment.")).to_be_attached()
    page.get_by_role("link", name="Erase these exams").tap()
    page.wait_for_url("**/patient/number")
    ready(page)
    page.route("**/patient?after=1", late)  # this page hears that the exams are gone before that one is there
    erase_by_number(
        page,
        box,
        "Erase these exams",
        wrong="2",
        right="3",
        problem="This is not the number of the exams' pictures.",
    )
    page.wait_for_url(f"{box.address}/erase/{sent.id}/patient?after=1")
    ready(page)
    assert [exam.id for exam in box.spool.exams.list()] == [sent.id]
    expect(page.get_by_text("What could be erased is erased from this box.")).to_be_visible()
    set_deliveries(box, "pacs", state="queued")  # it was sent meanwhile, or failed
    page.goto(f"{box.address}/erase/{sent.id}/patient")
    ready(page)
    page.get_by_role("link", name="Erase these exams").tap()
    page.wait_for_url("**/patient/number")
    ready(page)
    type_by_touch(page, "1")
    page.get_by_role("button", name="Erase these exams").tap()
    page.wait_for_url("**/erased?several=1")
    expect(page.get_by_text("The exams are erased from this box.")).to_be_visible()
    assert box.spool.exams.list() == []


def test_after_everything_of_a_patient_went_an_exam_of_another_issuer_s_same_id_is_a_touch_away(
    page: Page, box: Box
) -> None:
    exam = sealed(box, 1)
    alike = replace(exam.patient, issuer="ELSEWHERE")
    other, _ = box.spool.exams.open(Subject(identity=Identity.TYPED, patient=alike))
    box.spool.exams.finish(other.id)
    as_administrator(box, page)
    page.goto(f"{box.address}/erase/{exam.id}/patient/number")
    ready(page)
    type_by_touch(page, "1")
    page.get_by_role("button", name="Erase these exams").tap()
    page.wait_for_url("**/erased/others?**")
    ready(page)
    assert [each.id for each in box.spool.exams.list()] == [other.id]
    expect(page.get_by_text("perhaps of another person: 1.")).to_be_visible()
    page.locator(f"a[href='/erase/{other.id}']").tap()
    page.wait_for_url(f"{box.address}/erase/{other.id}")
