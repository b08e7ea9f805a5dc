"""A patient who is typed: each question, and who may be meant."""

from playwright.sync_api import Page

from gateway.model import Identity, Patient
from gateway.panel.pages.typed import STEPS
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, screen
from tests.browser.screens.states import LONG


@screen
def confirm_made_id(box: Box) -> str:
    del box
    return "/type"


MEIER = {"family": "Meier", "given": "Anna", "day": "14", "month": "03", "year": "1968", "sex": "F"}


def fill(page: Page, until_step: int, **fields: str) -> None:
    """Type a patient with a real keyboard; stop before this step (1 to 6), or beyond the last with 7."""
    for number, names in enumerate(STEPS[: until_step - 1]):
        for name in names:
            if name == "sex":
                page.locator(f".choice:has(input[value='{fields.get('sex', '')}']) input").evaluate(
                    "one => { one.checked = true; }"
                )
            else:
                page.locator(f"input[name={name}]").fill(fields.get(name, ""))
        page.locator("#next").press("Enter")
        if number + 1 < len(STEPS):
            page.wait_for_selector(f".step:not([hidden]) input[name={STEPS[number + 1][0]}]", state="attached")


@screen
def type_patient(box: Box) -> str:
    del box
    return "/type"


@screen
def type_wrong(box: Box) -> str:
    del box
    return "/type"


@screen
def type_date(box: Box) -> str:
    del box
    return "/type"


@screen
def type_wrong_date(box: Box) -> str:
    del box
    return "/type"


@screen
def type_sex(box: Box) -> str:
    del box
    return "/type"


@screen
def type_id(box: Box) -> str:
    del box
    return "/type"


@screen
def type_accents(box: Box) -> str:
    del box
    return "/type"


@screen
def type_known(box: Box) -> str:
    patient = Patient(name="MEIER^Anna Maria", id="3311-0001", birth_date="19680314", sex="F")
    opened, _ = box.spool.exams.open(Subject(identity=Identity.TYPED, patient=patient))
    box.spool.exams.finish(opened.id)
    return "/type"


def _unknown(page: Page) -> None:
    family, given = LONG.split("^")
    fill(page, 7, **{**MEIER, "family": family, "given": given})
    page.wait_for_selector("body.confirm.ready")


def _wrong_date(page: Page) -> None:
    fill(page, 3, **MEIER)
    for name, text in (("day", "31"), ("month", "02"), ("year", "1968")):
        page.locator(f"input[name={name}]").fill(text)
    page.wait_for_selector("#wrong:not([hidden])")


def _known(page: Page) -> None:
    fill(page, 7, **MEIER)
    page.wait_for_selector("body.known.ready")


AFTER["confirm_made_id"] = _unknown
AFTER["type_wrong"] = lambda page: page.locator("#next").tap()
AFTER["type_date"] = lambda page: fill(page, 3, **MEIER)
AFTER["type_wrong_date"] = _wrong_date
AFTER["type_sex"] = lambda page: fill(page, 4, **MEIER)
AFTER["type_id"] = lambda page: fill(page, 5, **MEIER)
AFTER["type_accents"] = lambda page: page.locator(".hg-button-accents").tap()
AFTER["type_known"] = _known
