"""The screen of a whole box, three real processes with real peers, while something really fails: it says so, no
press is lost or doubled, and it comes right by itself.
"""

import os
import pty
import signal
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.box import Box, until
from tests.browser.conftest import SIZES, ready
from tests.loopback.peers import StoreScp, WlmScpfs
from tests.loopback.peers.items import worklist_item
from tests.loopback.peers.process import free_port
from tests.loopback.whole_box import as_worklist, today

pytestmark = [
    pytest.mark.parametrize("size", [SIZES["front"]]),
    pytest.mark.xdist_group("whole box"),  # its tests share one, so that one process runs them
]
LONG_MS = 30_000  # a process that was killed starts again within a second; this machine may be busy
# Counts what became of each press.
_LISTEN = """() => {
  window.outcomes = [];
  const told = presses.answered;
  presses.answered = (press, stored, problem) => {
    outcomes.push([press.at, stored ? stored.sop_instance_uid : problem ? problem.code : 'unclear']);
    told(press, stored, problem);
  };
}"""


@dataclass(kw_only=True)
class Pedal:
    """A serial pedal at a place of its own, which can be pulled out."""

    place: Path
    _ends: tuple[int, int] = (-1, -1)

    def plug_in(self) -> None:
        self._ends = pty.openpty()
        tty.setraw(self._ends[1])
        self.place.symlink_to(os.ttyname(self._ends[1]))

    def pull_out(self) -> None:
        self.place.unlink()
        for end in self._ends:
            os.close(end)


@dataclass(kw_only=True)
class Clinic:
    """The box and what it is connected with."""

    box: Box
    pedal: Pedal
    worklist: WlmScpfs
    archive: StoreScp  # is away until a test starts it

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.box.port}"

    def stills(self, exam: str) -> list[str]:
        return [each["sop_instance_uid"] for each in self.box.get(f"/exams/{exam}")["captures"]]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    pedal = Pedal(place=folder / "pedal")
    pedal.plug_in()
    trigger = {"kind": "serial", "device": str(pedal.place), "source": "us", "still": "byte:0x53"}
    archive = StoreScp(folder / "archive", "+xa", port=free_port())
    pacs = {"name": "pacs", "ae_title": archive.ae_title, "host": "127.0.0.1", "port": archive.port}
    with WlmScpfs(folder / "wlm") as worklist:
        worklist.add("one", worklist_item(number=1, day=today()))
        box = Box(
            folder / "box",
            triggers=[trigger],
            worklists=[as_worklist(worklist)],
            destinations=[{**pacs, "commitment": False}],
        )
        with box:
            yield Clinic(box=box, pedal=pedal, worklist=worklist, archive=archive)
    pedal.pull_out()


@pytest.fixture
def exam(clinic: Clinic) -> Iterator[str]:
    """Return an exam that is open."""
    opened = clinic.box.open_typed("Meier^Anna", "4711-0815")
    yield opened
    until("the box to be ready", clinic.box.is_ready)
    if clinic.box.get(f"/exams/{opened}")["state"] == "open":
        clinic.box.finish(opened)


@pytest.fixture
def live(page: Page, clinic: Clinic, exam: str) -> Page:
    page.goto(f"{clinic.address}/live/{exam}")
    ready(page)
    is_live(page)
    page.evaluate("window.here = true")
    return page


def is_live(page: Page) -> None:
    page.wait_for_selector("body[data-live=on]", timeout=LONG_MS)


def is_not_live(page: Page) -> None:
    page.wait_for_selector("body[data-live=off]", timeout=LONG_MS)
    expect(page.locator("#pill")).to_have_text("NOT LIVE")
    expect(page.locator("#capture")).to_have_attribute("aria-disabled", "true")


@contextmanager
def frozen(box: Box, role: str) -> Iterator[None]:
    pid = box.running(role)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("role", ["panel", "capture"])
def test_a_frozen_process_is_not_live_and_the_screen_comes_back_without_a_touch(
    live: Page, clinic: Clinic, role: str
) -> None:
    with frozen(clinic.box, role):
        is_not_live(live)
        if role == "panel":
            expect(live.locator("#lost")).to_contain_text("SYS-01", timeout=LONG_MS)
    is_live(live)
    expect(live.locator("#lost")).to_be_hidden(timeout=LONG_MS)
    assert live.evaluate("window.here"), "without loading the page again"


@pytest.mark.parametrize("role", ["panel", "capture"])
def test_a_killed_process_is_not_live_and_the_screen_comes_back_without_a_touch(
    live: Page, clinic: Clinic, role: str
) -> None:
    clinic.box.kill(role)
    is_not_live(live)
    is_live(live)
    assert live.evaluate("window.here"), "without loading the page again"
    live.locator("#capture").tap()
    expect(live.locator("#said")).to_have_text("✓ Picture 1 stored", timeout=LONG_MS)


@pytest.mark.parametrize("role", ["panel", "capture"])
def test_each_press_around_a_kill_is_stored_once_or_refused_and_shown(
    live: Page, clinic: Clinic, exam: str, role: str
) -> None:
    live.evaluate(_LISTEN)
    spot = live.locator("#capture").bounding_box()
    assert spot
    for number in range(10):
        if number == 5:
            live.wait_for_function("() => outcomes.length > 0", timeout=LONG_MS)
            clinic.box.kill(role)
        live.touchscreen.tap(spot["x"] + 50, spot["y"] + 50)
    live.wait_for_function("() => presses.length === 0", timeout=LONG_MS)
    is_live(live)
    outcomes = [became for _, became in sorted(live.evaluate("outcomes"))]  # in the order of the presses
    stored = [each for each in outcomes if each.startswith("2.25.")]
    assert len(outcomes) == 10
    assert stored
    assert len(set(stored)) == len(stored), "no two presses are one picture"
    kept = clinic.stills(exam)
    assert [uid for uid in kept if uid in stored] == stored, "in the order of the presses"
    assert len(kept) - len(stored) <= outcomes.count("unclear"), "nothing is stored that no press asked for"
    if len(outcomes) > len(stored):
        expect(live.locator("#problem")).to_be_visible()
    count = "1 image" if len(kept) == 1 else f"{len(kept)} images"
    expect(live.locator("#tally")).to_have_text(count, timeout=LONG_MS)


def test_a_pedal_that_is_pulled_out_is_said_until_it_is_back(live: Page, clinic: Clinic) -> None:
    expect(live.locator("#pedal")).to_be_hidden(timeout=LONG_MS)
    clinic.pedal.pull_out()
    expect(live.locator("#pedal")).to_contain_text("IN-01", timeout=LONG_MS)
    live.locator("#capture").tap()
    expect(live.locator("#said")).to_have_text("✓ Picture 1 stored")
    clinic.pedal.plug_in()
    expect(live.locator("#pedal")).to_be_hidden(timeout=LONG_MS)


def test_an_archive_that_is_away_is_said_until_it_has_everything(live: Page, clinic: Clinic, exam: str) -> None:
    live.locator("#capture").tap()
    expect(live.locator("#said")).to_have_text("✓ Picture 1 stored")
    clinic.box.finish(exam)
    live.wait_for_url("**/exam/*")
    live.goto(f"{clinic.address}/delivery")
    strip = live.locator("#list .strip")
    for words in ("pacs", "On this box: ", "tried again by itself", "NET-02"):
        expect(strip).to_contain_text(words, timeout=LONG_MS)
    with clinic.archive:
        ready(live)
        live.get_by_role("button", name="Try again now").tap()
        expect(strip).to_have_count(0, timeout=LONG_MS)
        clinic.box.until_delivered(exam, 1)


def test_a_worklist_server_that_is_away_is_said_until_it_answers(page: Page, clinic: Clinic) -> None:
    clinic.box.post("/worklist/refresh")
    page.goto(clinic.address)
    head = page.locator(".listhead")
    expect(head).to_contain_text("Worklist from")
    clinic.worklist.stop()
    clinic.box.post("/worklist/refresh")
    for words in ("Worklist is from", "New patients may be missing", "WL-01"):
        expect(head).to_contain_text(words, timeout=LONG_MS)
    expect(page.locator(".row")).to_have_count(1)
    with clinic.worklist:
        clinic.box.post("/worklist/refresh")
        expect(head).not_to_contain_text("WL-01", timeout=LONG_MS)


def test_after_a_restart_the_open_exam_is_offered(live: Page, clinic: Clinic, exam: str) -> None:
    live.locator("#capture").tap()
    expect(live.locator("#said")).to_have_text("✓ Picture 1 stored")
    live.goto(clinic.address)
    clinic.box.stop()
    clinic.box.start()
    offer = live.locator(".row-strip", has_text="is still open (1 image)")
    expect(offer).to_be_visible(timeout=LONG_MS)
    expect(offer).to_contain_text("MEIER, Anna")
    live.goto(clinic.address)
    ready(live)
    offer.tap()
    live.wait_for_url(f"**/live/{exam}")
    is_live(live)
