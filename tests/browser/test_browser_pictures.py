"""Every screen looks as its picture in docs/screens, which somebody has opened and judged.

`scripts/check browser -- -k looks_as_its_picture --new-screens` makes those pictures anew; look at each before it
is committed.
"""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page

from gateway.clock import Clock, Moment
from gateway.panel.words import COOKIE
from tests.browser import pictures
from tests.browser.conftest import SIZES, Box
from tests.browser.every_screen import SCREENS, show

KINDS = pictures.kinds(list(SCREENS))
# What no box of a test can make the same everywhere: the disk of this machine.
_STEADY = """() => {
  const line = document.querySelector('.numbers .chart p.soft');
  if (line) line.querySelector('bdi').textContent = '61.2 GB';
  for (const one of document.querySelectorAll('.numbers polyline, .numbers polygon'))
    if (one.closest('figure').matches(':last-child')) one.setAttribute('points', '0,20 600,80 600,200 0,200');
}"""


class StillClock(Clock):
    """It is 14:32 in winter, for ever; patience is as always, and chance always the same."""

    def __init__(self) -> None:
        super().__init__()
        self._thrown = 0

    def utc(self) -> datetime:
        return datetime(2026, 11, 21, 13, 32, tzinfo=UTC)

    def token(self, digits: int) -> str:
        self._thrown += 1
        return f"{'7C41E9B25D80A36F' * 4}"[: digits - 3].lower() + f"{self._thrown:03x}"

    def _moment(self, utc: datetime, boottime_ns: int) -> Moment:
        return Moment(
            utc=utc, offset=timedelta(hours=1), boot_id=self.boot_id, boottime_ns=boottime_ns, trusted=True
        )


@pytest.fixture
def clock() -> Clock:
    return StillClock()


@pytest.fixture
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return SIZES[request.param]


@pytest.fixture
def page(page: Page, clock: Clock) -> Page:
    page.clock.set_fixed_time(clock.utc())
    page.emulate_media(reduced_motion="reduce")
    return page


def seen(page: Page) -> np.ndarray:
    """Return what stands on the screen when all of it is there."""
    page.wait_for_function("() => [...document.images].every((one) => one.complete)")
    page.evaluate("document.fonts.ready")
    page.evaluate(_STEADY)
    return pictures.read(page.screenshot(animations="disabled", caret="hide"))


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize(("name", "size", "language"), KINDS, indirect=["size"])
def test_a_screen_looks_as_its_picture(
    request: pytest.FixtureRequest, page: Page, box: Box, name: str, language: str
) -> None:
    page.context.add_cookies([{"name": COOKIE, "value": language, "url": box.address}])
    box.capture.script.still = True
    show(name, box, page)
    now = seen(page)
    path = pictures.path_of(name, now.shape[1], language)
    if request.config.getoption("--new-screens"):
        if not path.exists() or pictures.difference(now, cv2.imread(str(path), cv2.IMREAD_COLOR)):
            pictures.write(path, now)
        return
    kept = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert kept is not None, f"there is no {path.name} yet"
    assert pictures.difference(now, kept) == ""


@pytest.mark.parametrize("size", ["front"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        "document.querySelector('.side .key').style.transform = 'translateX(-12px)'",
        "document.querySelector('.side .key:nth-child(3)').textContent = 'Send patient'",
        "document.querySelector('.row').remove()",
        "document.querySelector('.badge .mark').className = 'mark bad'",
    ],
    ids=["moved", "renamed", "removed", "marked"],
)
def test_a_key_that_moved_or_changed_is_not_alike(page: Page, box: Box, change: str) -> None:
    show("choose", box, page)
    before = seen(page)
    assert pictures.difference(seen(page), before) == ""
    page.evaluate(change)
    assert pictures.difference(seen(page), before) != ""


def test_there_are_few_pictures_and_each_is_of_a_screen_that_there_is() -> None:
    wanted = {pictures.path_of(name, SIZES[size][0], language).name for name, size, language in KINDS}
    found = {path.name: path.stat().st_size for path in pictures.FOLDER.iterdir()}
    assert set(found) == wanted
    assert len(found) <= pictures.MOST
    assert sum(found.values()) <= pictures.MOST_BYTES
    for name, like in pictures.LIKE_ANOTHER.items():
        assert name in SCREENS, name
        assert pictures.path_of(like, SIZES["front"][0], "en").name in wanted, name
