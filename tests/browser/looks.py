"""What must be true of every screen however it is looked at: each check returns what is wrong, a line each."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.loopback.peers import javascript_peer

MM = {800: 5.2, 1280: 5.9}  # px a millimetre on the two screens
AXE = Path(javascript_peer.__file__).parent / "javascript/node_modules/axe-core/axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LEAST_MM, LEAST_PX, LETTER_PX = 12, 64, 60  # of a target, of a key of the page's keyboard
GAP_PX, LETTER_GAP_PX = 6, 4
_CHECKS = Path(__file__).with_suffix(".js")
TEXT, EDGE = 7.0, 3.0  # contrasts


@cache
def _script(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _ask(page: Page, check: str, argument: Any = None) -> list[str]:
    if not page.evaluate("'looks' in window"):
        page.evaluate(_script(_CHECKS))
    found: list[str] = page.evaluate(f"(argument) => looks.{check}(argument)", argument)
    return found


def reach(page: Page) -> list[str]:
    """Every target is large enough, apart from the next and on the screen; what warns as well, without a scroll."""
    width = page.viewport_size["width"]
    least = max(LEAST_PX, LEAST_MM * MM[width])
    return _ask(page, "reach", {"least": least, "gap": GAP_PX, "letter": LETTER_PX, "letterGap": LETTER_GAP_PX})


def contrast(page: Page) -> list[str]:
    """Text, the edges of what can be touched, and signs stand out; no text is too small."""
    return _ask(page, "contrast", {"text": TEXT, "edge": EDGE})


def grey(page: Page) -> list[str]:
    """No state is told by a colour alone."""
    return _ask(page, "grey")


def focus(page: Page) -> list[str]:
    """A keyboard reaches every target, and each shows that it has been reached."""
    page.keyboard.press("Shift")  # as somebody who uses one: a touch shows no focus
    return _ask(page, "focus")


def accessible(page: Page, *, only: list[str] | None = None) -> list[str]:
    """axe-core finds nothing (A and AA of WCAG 2.0 to 2.2, and what is good practice)."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script(AXE))
    rules = {"type": "rule", "values": only} if only else {"type": "tag", "values": _TAGS}
    found = page.evaluate(
        "(rules) => axe.run(document, { runOnly: rules, resultTypes: ['violations'] })"
        ".then((said) => said.violations.flatMap((one) => one.nodes.map("
        "(node) => `${one.id}: ${node.target} ${node.failureSummary}`)))",
        rules,
    )
    return [" ".join(line.split()) for line in found]


@contextmanager
def attribute(page: Page, name: str, value: str) -> Iterator[None]:
    """Look at the page in another theme, mirrored, in another direction."""
    setting = "([name, value]) => document.documentElement.setAttribute(name, value)"
    before = page.evaluate("(name) => document.documentElement.getAttribute(name)", name)
    page.evaluate(setting, [name, value])
    yield
    if before is None:
        page.evaluate("(name) => document.documentElement.removeAttribute(name)", name)
    else:
        page.evaluate(setting, [name, before])


def in_light(page: Page) -> list[str]:
    with attribute(page, "data-theme", "light"):
        return [*contrast(page), *accessible(page, only=["color-contrast"])]


def mirrored(page: Page) -> list[str]:
    """With the keys on the left everything is reached as well, and they are there."""
    with attribute(page, "data-buttons", "left"):
        return [*reach(page), *_ask(page, "mirrored", True)]


def right_to_left(page: Page) -> list[str]:
    """In a language that is written to the left everything is in its order; keys stay on the side of the hand."""
    with attribute(page, "dir", "rtl"):
        found = [*reach(page), *_ask(page, "rightToLeft"), *_ask(page, "mirrored", False)]
        with attribute(page, "data-buttons", "left"):
            return [*found, *_ask(page, "mirrored", True)]


def forced(page: Page) -> list[str]:
    """Signs are seen in the colours of somebody who needs others."""
    page.emulate_media(forced_colors="active")
    found = _ask(page, "forced")
    page.emulate_media(forced_colors="none")
    return found


CHECKS = {
    "reach": reach,
    "contrast": contrast,
    "axe": accessible,
    "grey": grey,
    "focus": focus,
    "light": in_light,
    "mirrored": mirrored,
    "right to left": right_to_left,
    "forced colours": forced,
}


def wrong_when_long(page: Page) -> dict[str, list[str]]:
    """Return what is wrong where words are half as long again, on both sizes."""
    found = {"long": reach(page)}
    page.set_viewport_size({"width": 1280, "height": 800})
    found["long, large"] = reach(page)
    return {name: lines for name, lines in found.items() if lines}


def wrong(page: Page) -> dict[str, list[str]]:
    """Return what is wrong with this screen, by the way it was looked at."""
    found = {name: check(page) for name, check in CHECKS.items()}
    page.set_viewport_size({"width": 1280, "height": 800})
    found["large"] = reach(page)
    page.set_viewport_size({"width": 800, "height": 480})
    return {name: lines for name, lines in found.items() if lines}
