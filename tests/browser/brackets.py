"""A language in which every message stands in brackets: what stands in none is not translated."""

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from playwright.sync_api import Page

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


def write_catalogue(folder: Path) -> None:
    """Write a catalogue in which every message stands in brackets, half as long again."""
    catalogue = Catalog(locale="en", fuzzy=False)
    for message in messages():
        catalogue.add(message, f"⟦{message}{'·' * (len(message) // 2)}⟧")
    with (folder / "en_XA.po").open("wb") as file:
        write_po(file, catalogue)


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
