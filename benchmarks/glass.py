"""A browser in front of a whole box, for bars that look at the screen."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page, sync_playwright

from benchmarks.harness import NotHere
from tests.box import Box, until

_CHROMIUM = "/usr/bin/chromium"
_PATIENCE_MS = 60_000
SIZE = {"width": 800, "height": 480}
# Frame times are CLOCK_BOOTTIME; the page knows the wall clock.
_LISTEN = """(ahead) => {
  window.measured = { touches: [], stored: [], drawn: [] };
  new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    if (one.name === 'click') measured.touches.push(one.duration);
  })).observe({ type: 'event', durationThreshold: 16 });
  let pressed = 0;
  addEventListener('pointerup', (event) => { pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (document.getElementById('said').textContent.startsWith('✓'))
      requestAnimationFrame(() => measured.stored.push(performance.now() - pressed));
  }).observe(document.getElementById('said'), { childList: true, characterData: true, subtree: true });
  const before = Preview.prototype.draw;
  Preview.prototype.draw = async function (message) {
    await before.call(this, message);
    const taken = Number(new DataView(message, 8, 8).getBigUint64(0)) / 1e6 + ahead;
    measured.drawn.push([performance.now(), performance.timeOrigin + performance.now() - taken]);
  };
}"""

_ANSWERED = """(before) => presses.length === 0 &&
  (measured.stored.length > before || document.getElementById('said').matches('.not'))"""


@dataclass(kw_only=True)
class Glass:
    """A live screen that measures itself."""

    page: Page
    address: str
    box: Box

    def throttle(self, times: int) -> None:
        """Have the page's processor that many times slower."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": times})

    def open(self) -> float:
        """Go to the live screen; return the ms until it can be used."""
        start = time.perf_counter()
        self.page.goto(self.address)
        self.page.wait_for_selector("body.ready[data-live=on]", timeout=_PATIENCE_MS)
        took = (time.perf_counter() - start) * 1000
        ahead = (time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) / 1e6
        self.page.evaluate(_LISTEN, ahead)
        return took

    def restart(self) -> None:
        """End the box and start it; return as soon as its panel answers."""
        self.page.goto("about:blank")
        self.box.stop()
        self.box.start(wait=False)
        until("the panel to answer", self.box.is_ready, pause_s=0.005)

    def press(self, times: int) -> None:
        """Touch Capture so often, each time when the one before is stored."""
        place = self.page.locator("#capture").bounding_box()
        assert place
        for _ in range(times):
            self.page.wait_for_selector("body[data-live=on]", timeout=_PATIENCE_MS)
            before = self.page.evaluate("measured.stored.length")
            self.page.touchscreen.tap(place["x"] + 60, place["y"] + 60)
            self.page.wait_for_function(_ANSWERED, arg=before, timeout=_PATIENCE_MS)
            if self.page.evaluate("measured.stored.length") == before:
                raise NotHere("a press found no live picture: this machine is too busy")

    def measured(self, what: str) -> list[Any]:
        """Return what was measured since the last time it was asked."""
        found: list[Any] = self.page.evaluate(f"measured.{what}.splice(0)")
        return found


@contextmanager
def glass(folder: Path) -> Iterator[Glass]:
    """Open an exam on a box of this folder and a browser before it."""
    if not Path(_CHROMIUM).exists():
        raise NotHere("chromium is not installed: scripts/setup.py test")
    with Box(folder, sources=[{"name": "us", "device": "pattern:ultrasound", "modality": "US"}]) as box:
        exam = box.open_typed()
        with sync_playwright() as playwright:
            try:
                browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
            except Error as error:
                raise NotHere(f"chromium does not start: {error.message.splitlines()[0]}") from error
            page = browser.new_context(viewport=SIZE, has_touch=True).new_page()
            yield Glass(page=page, address=f"http://127.0.0.1:{box.port}/live/{exam}", box=box)
            browser.close()


def p95(values: list[float]) -> float:
    """Return the value that 95 of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
