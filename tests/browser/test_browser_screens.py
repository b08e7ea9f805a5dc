"""Every screen can be read, hit and understood by everybody: each state of each screen is visited once and looked
at in every way: both sizes, both themes, without colour, mirrored, to the left, with a keyboard, by axe-core; then
once more with long words in place of the usual ones.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from gateway.panel.words import COOKIE, Languages
from tests.browser import brackets, looks
from tests.browser.conftest import Box
from tests.browser.every_screen import SCREENS, look, show

ONCE = {"setup_pedal_heard"}  # what was pressed is told once
pytestmark = pytest.mark.parametrize("size", ["front"], indirect=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("locale")
    brackets.write_catalogue(made)
    return made


@pytest.fixture
def languages(folder: Path) -> Languages:
    return Languages(folder, ("en", brackets.TAG))


@pytest.mark.parametrize("name", list(SCREENS))
def test_every_screen_can_be_read_hit_and_understood_by_everybody(page: Page, box: Box, name: str) -> None:
    address = show(name, box, page)
    assert looks.wrong(page) == {}
    if name in ONCE:
        return
    page.context.add_cookies([{"name": COOKIE, "value": brackets.TAG, "url": box.address}])
    look(name, address, box, page)
    assert brackets.left(page) == [], "every word is translated"
    assert looks.wrong_when_long(page) == {}


FAULTS = {
    "reach": [
        "document.querySelector('.side .key').style.cssText = 'flex: none; height: 50px; min-height: 0'",
        "document.querySelector('.side .key').style.marginBottom = '-3px'",
        "document.querySelector('.side').style.transform = 'translateX(9px)'",
        "const one = document.querySelector('.listhead'); one.className = 'strip'; one.style.marginTop = '460px'",
    ],
    "contrast": [
        "document.querySelector('.side .key').style.color = '#8899aa'",
        "document.querySelector('.side .key').style.borderColor = '#333a44'",
        "document.querySelector('.badge .mark').style.background = '#333a44'",
        "document.querySelector('.listhead .soft').style.fontSize = '14px'",
    ],
    "axe": [
        "document.querySelector('.clock').replaceChildren()",
        "document.documentElement.removeAttribute('lang')",
    ],
    "grey": [
        "document.querySelector('.badge').innerHTML = '<span class=\"mark warn\"></span>'",
        (
            "document.querySelector('h1').insertAdjacentHTML('afterbegin', '<i class=\"mark bad\"></i>'); "
            "for (const one of document.querySelectorAll('.mark')) one.style.clipPath = 'none'"
        ),
    ],
    "focus": [
        "document.querySelector('.side .key').style.outline = 'none'",
        "document.querySelector('.side').inert = true",
    ],
    "light": ["document.documentElement.style.setProperty('--text', '#777')"],
    "mirrored": ["document.querySelector('main').style.direction = 'ltr'"],
    "right to left": ["document.querySelector('.bar').style.direction = 'ltr'"],
    "forced colours": [
        "document.querySelector('.badge .mark').style.setProperty('background', 'Canvas', 'important')"
    ],
}


@pytest.mark.parametrize(("check", "fault"), [(name, fault) for name, faults in FAULTS.items() for fault in faults])
def test_a_screen_with_a_fault_is_found(page: Page, box: Box, check: str, fault: str) -> None:
    show("choose", box, page)
    assert looks.CHECKS[check](page) == []
    page.evaluate(fault)
    assert looks.CHECKS[check](page) != []


def test_a_word_that_is_not_translated_is_found(page: Page, box: Box) -> None:
    page.context.add_cookies([{"name": COOKIE, "value": brackets.TAG, "url": box.address}])
    show("choose", box, page)
    assert brackets.left(page) == []
    page.evaluate("document.querySelector('.side .key').textContent = 'Refresh'")
    assert brackets.left(page) == ["Refresh"]
