"""Every word of every screen is translated: seen in a language in which each message stands in brackets."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from playwright.sync_api import Page

from gateway.panel.words import COOKIE, Languages
from tests.browser.conftest import Box
from tests.browser.every_screen import SCREENS, show
from tests.browser.test_browser_layout import check
from tests.rules.messages import messages

TAG = "en-XA"  # what Chromium and Android call such a language
VALUES = re.compile(r"Scopegate|\bfps\b|\b[A-Z]{2,3}-\d\d\b")  # nobody's words: names, units, codes
_TEXTS = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (one.closest('script, bdi, code, [lang]:not(html)') || !one.offsetParent) continue;
    found.push(walk.currentNode.data);
  }
  for (const one of document.querySelectorAll('[aria-label], [alt]')) found.push(one.ariaLabel || one.alt);
  return [...found, document.title];
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalogue in which every message stands in brackets, half as long again."""
    made, catalogue = tmp_path_factory.mktemp("locale"), Catalog(locale="en", fuzzy=False)
    for message in messages():
        catalogue.add(message, f"⟦{message}{'·' * (len(message) // 2)}⟧")
    with (made / "en_XA.po").open("wb") as file:
        write_po(file, catalogue)
    return made


@pytest.fixture
def languages(folder: Path) -> Languages:
    return Languages(folder, ("en", TAG))


def left(page: Page) -> list[str]:
    """Return the texts of this screen with letters that stand in no brackets; a message may go over several."""
    found, depth = [], 0
    for text in page.evaluate(_TEXTS):
        rest = ""
        for sign in text:
            depth += (sign == "⟦") - (sign == "⟧")
            rest += "" if depth or sign in "⟦⟧" else sign
        rest = VALUES.sub("", rest)
        if sum(map(str.isalpha, rest)) > 1:
            found.append(text.strip())
    return found


@pytest.mark.parametrize("size", ["front"], indirect=True)  # where there is the least room
@pytest.mark.parametrize("name", list(SCREENS))
def test_every_word_of_a_screen_is_translated_and_its_keys_stay_on_the_screen(
    page: Page, box: Box, name: str
) -> None:
    page.context.add_cookies([{"name": COOKIE, "value": TAG, "url": box.address}])
    show(name, box, page)
    assert left(page) == []
    check(page)
