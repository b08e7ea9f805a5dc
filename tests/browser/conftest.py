"""The panel in a real browser: the panel process with the fake capture process behind it, on loopback."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from gateway.clock import Clock
from gateway.config.settings import Address, Destination, Panel, Settings
from gateway.model import Exam, Patient, Procedure, WorklistItem
from gateway.panel import service
from gateway.panel.machine_says import MachineSays
from gateway.panel.words import Languages
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from gateway.threads import Supervisor
from tests.unit.panel.conftest import QUICK, settings_for
from tests.unit.panel.fake_capture import FakeCapture

STICK = Destination(name="stick", kind="media", folder=Path("/media/stick"), required=False)
SIZES = {"front": (800, 480), "large": (1280, 800)}
# Debian's Chromium without its own windows: a page costs a quarter. Those of the box are in test_browser_kiosk.py.
_CHROMIUM = "/usr/bin/chromium-headless-shell"
_SWITCHES = [
    "--no-sandbox",
    "--font-render-hinting=slight",  # letters as Chromium draws them in its windows
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--metrics-recording-only",
    "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication,CertificateTransparencyComponentUpdater",
]


# What takes longest comes first, so that no process is left alone with it at the end.
_LONGEST = ("first_start", "whole_box", "faults", "kiosk", "soak")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem.removeprefix("test_browser_") not in _LONGEST)


def until(holds: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Return what `holds` gives once it is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.02)
    return value


@dataclass(kw_only=True)
class Box:
    """A running panel, its spool and the fake capture process."""

    address: str
    spool: Spool
    capture: FakeCapture
    settings: Settings
    panel: "PanelProcess"
    configure: Callable[..., None]  # the keys of [panel]
    connect: Callable[..., None]  # more sources, by name

    def panel_says(self) -> dict[str, Any]:
        """Return what the panel process says of itself."""
        said: dict[str, Any] = json.loads((self.settings.station.runtime_dir / "panel.json").read_bytes())
        return said

    def open_exam(self) -> Exam:
        return until(self.spool.exams.open_one)

    def frames(self, exam: str) -> list[int]:
        return [c.capture.sequence for c in self.spool.captures.of_exam(exam)]


class PanelProcess:
    """The panel, in a thread of this process so that it can be stopped and started."""

    def __init__(self, settings: Settings, languages: Languages, clock: Clock) -> None:
        self.settings = settings
        self.languages = languages
        self.clock = clock
        self.start()

    def start(self) -> None:
        self._supervisor = Supervisor()
        live = self.settings.station.runtime_dir / "panel.json"
        live.unlink(missing_ok=True)
        self._thread = threading.Thread(
            target=service.run,
            args=(self.settings,),
            kwargs={
                "clock": self.clock,
                "supervisor": self._supervisor,
                "languages": self.languages,
                "hashes": QUICK,
                "machine_says": MachineSays(
                    folder=self.settings.station.runtime_dir / "machine",
                    uploads=self.settings.station.data_dir.parent / "upload",
                ),
            },
        )
        self._thread.start()
        until(live.exists)
        host, port = json.loads(live.read_bytes())["listen"].rsplit(":", 1)
        self.settings = replace(
            self.settings, panel=replace(self.settings.panel, listen=Address(host=host, port=int(port)))
        )

    def stop(self) -> None:
        self._supervisor.stop.set()
        self._thread.join(15)
        assert not self._thread.is_alive()

    def configure(self, **panel: Any) -> None:
        self.settings = replace(self.settings, panel=replace(self.settings.panel, **panel))
        self.restart()

    def connect(self, *names: str) -> None:
        first = self.settings.sources[0]
        self.settings = replace(self.settings, sources=(first, *(replace(first, name=name) for name in names)))
        self.restart()

    def restart(self) -> None:
        self.stop()
        self.start()


def worklist(clock: Clock) -> list[WorklistItem]:
    day = f"{clock.now().local:%Y%m%d}"
    rows = [
        ("1430", "Meier^Anna", "4711-0815", "19680314", "F", "Abdomen ultrasound"),
        ("1445", "Meyer^Anna", "4711-2200", "19710202", "F", "Thyroid ultrasound"),
        ("1500", "Okonkwo^Chidi", "4712-0031", "19900909", "M", "Colonoscopy"),
        ("1515", "Sørensen-Hauge^Ann-Kristin", "4713-9917", "20011231", "F", "Bronchoscopy"),
        ("1530", "Wang^Xiaodong=王^小东", "4714-1200", "19850505", "M", "Liver ultrasound"),
        ("1545", "Παπαδόπουλος^Γιώργος", "4715-0007", "", "M", "Gastroscopy"),
    ]
    return [
        WorklistItem(
            id=f"item-{number}",
            server="ris",
            patient=Patient(name=name, id=ident, issuer="HIS", birth_date=born, sex=sex),
            procedure=Procedure(
                description=what,
                accession_number=f"A-2093{number}",
                requested_procedure_id=f"RP{number}",
                step_id=f"S{number}",
                modality="US",
                scheduled_at=f"{day}{at}00",
                referring_physician="Huber^^^Dr",
            ),
            study_instance_uid=f"1.2.3.{number}",
            character_set="ISO_IR 192",
            answer=b"order",
        )
        for number, (at, name, ident, born, sex, what) in enumerate(rows, 1)
    ]


@pytest.fixture
def languages() -> Languages:
    return Languages()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def looks() -> dict[str, Any]:
    """Return how the panel looks, as its configuration says it."""
    return {}


@pytest.fixture
def box_folder(tmp_path: Path) -> Path:
    """Return where the box has its data."""
    return tmp_path


@pytest.fixture
def box(box_folder: Path, languages: Languages, clock: Clock, looks: dict[str, Any]) -> Iterator[Box]:
    settings = settings_for(box_folder)
    panel_as = Panel(listen=Address(host="127.0.0.1", port=0), **{"switch_off": True, "kiosk": True, **looks})
    settings = replace(settings, panel=panel_as, destinations=(*settings.destinations, STICK))
    spool = open_spool(settings.station.data_dir, clock=clock)
    spool.worklist.replace("ris", worklist(clock))
    capture = FakeCapture(spool=spool, path=settings.station.runtime_dir / "capture.sock", clock=clock)
    capture.start()
    panel = PanelProcess(settings, languages, clock)

    def connect(*names: str) -> None:
        capture.others = names
        panel.connect(*names)

    yield Box(
        address=f"http://{panel.settings.panel.listen}",
        spool=spool,
        capture=capture,
        settings=settings,
        panel=panel,
        configure=panel.configure,
        connect=connect,
    )
    panel.stop()
    capture.stop()
    spool.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_CHROMIUM, args=_SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return SIZES[request.param]


@pytest.fixture
def page(browser: Browser, size: tuple[int, int]) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=True, timezone_id="Europe/Berlin"
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    outside: list[str] = []
    faults: list[str] = []
    page.on("request", lambda asked: outside.append(asked.url) if "//127.0.0.1:" not in asked.url else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert outside == [], "every request stays on this machine"
    assert faults == [], "no script fails"


def ready(page: Page) -> None:
    """Wait until the screen takes touches: what began before it appeared must not count."""
    page.wait_for_selector("body.ready")


def open_first_patient(page: Page, box: Box) -> str:
    """Go from the list to the live picture of the first patient; return the exam."""
    page.goto(box.address)
    ready(page)
    page.locator(".row").first.tap()
    page.wait_for_url("**/confirm?**")
    ready(page)
    page.get_by_role("button", name="Yes, start exam").tap()
    page.wait_for_url("**/live/*")
    ready(page)
    page.wait_for_selector("body[data-live=on]")
    return box.open_exam().id
