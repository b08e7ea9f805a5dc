"""Each code of the screens (docs/errors.md) appears when its fault does, with what happened, whether the work is
safe and what to do, without a touch, and leaves by itself when the fault does.
"""

import re
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from gateway.clock import Clock
from gateway.config.settings import Address, Lan
from gateway.errors import WorklistError
from gateway.spool.disk.room import reserve_for
from tests.browser.conftest import SIZES, Box, ready, worklist
from tests.browser.screens.people import as_administrator
from tests.browser.screens.states import away, exam, refused, said_of_forward, sealed, set_deliveries
from tests.certificates import Authority
from tests.small_disk import MB, SmallDisk, small_disk

ERRORS = Path(__file__).resolve().parents[2] / "docs/errors.md"
DISK_MB = 200
LONG_MS = 30_000
STORED = "Pictures already stored stay on this box."
Done = Callable[[], Any]  # takes the fault away


class SetClock(Clock):
    """A clock that somebody has to set."""

    never_set = False

    def utc(self) -> datetime:
        return datetime(2020, 1, 1, tzinfo=UTC) if self.never_set else super().utc()


@pytest.fixture
def clock() -> Clock:
    return SetClock()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", DISK_MB) as disk:
        yield disk


@pytest.fixture
def box_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return where the box is: on a small disk where the disk is the fault."""
    if "STO" in request.node.name:
        return Path(request.getfixturevalue("disk").place)
    return tmp_path


@pytest.fixture
def looks(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Have a second door whose address is taken, where that is the fault."""
    if "NET-03" not in request.node.name:
        return {}
    taken = request.getfixturevalue("taken")
    shown = Authority(tmp_path / "pki").issue("127.0.0.1", "localhost")
    listen = Address(host="127.0.0.1", port=taken.getsockname()[1])
    return {"lan": Lan(listen=listen, certificate=shown.certificate, key=shown.key)}


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken


# --- faults: each brings one about and returns what takes it away ---------------------------------------------


def signal(name: str, code: str = "", what: str = "", action: str = "") -> Callable[..., Done]:
    def fault(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
        del request
        page.goto(f"{box.address}/live/{exam(box, 1).id}")
        page.wait_for_selector("body[data-live=on]")
        script = box.capture.script
        script.code, script.what, script.action = code, what, action
        script.signal = name
        return lambda: setattr(script, "signal", "live")

    return fault


def stands_still(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    del request
    page.goto(f"{box.address}/live/{exam(box, 1).id}")
    page.wait_for_selector("body[data-live=on]")
    box.capture.script.frozen.set()
    return box.capture.script.frozen.clear


def other_size(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    del request
    page.goto(f"{box.address}/live/{exam(box, 1).id}")
    box.capture.script.size_expected = False
    return lambda: setattr(box.capture.script, "size_expected", True)


def unplugged(devices: str, name: str) -> Callable[..., Done]:
    def fault(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
        del request
        page.goto(f"{box.address}/live/{exam(box, 1).id}")
        setattr(box.capture.script, devices, [{"name": name, "connected": False, "what": "It is not there."}])
        return lambda: setattr(
            box.capture.script, devices, [{"name": name, "connected": True, "what": "It is there."}]
        )

    return fault


def recorder_dies(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    del request
    page.goto(f"{box.address}/live/{exam(box, 1).id}")
    page.wait_for_selector("body[data-live=on]")
    box.capture.stop()
    return box.capture.start


def disk_fills(usable: int) -> Callable[..., Done]:
    def fault(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
        disk = request.getfixturevalue("disk")
        page.goto(f"{box.address}/live/{exam(box, 1).id}")
        reserve, kept = box.settings.station.data_dir / "reserve", box.settings.retention.reserve_mb * MB
        held = reserve.stat().st_size if reserve.exists() else 0
        # What is kept back for records is no room.
        disk.fill(usable + reserve_for(box.spool.space.room().total, kept) - held)
        return disk.make_room

    return fault


def machine(**said: Any) -> Callable[..., Done]:
    def fault(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
        del request
        page.goto(f"{box.address}/live/{exam(box, 1).id}")
        page.wait_for_selector("body[data-live=on]")
        well = box.capture.script.machine
        box.capture.say_on()
        box.capture.script.machine = {**well, **said}
        return lambda: setattr(box.capture.script, "machine", well)

    return fault


def never_set(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    clock = request.getfixturevalue("clock")
    page.goto(box.address)
    clock.never_set = True
    return lambda: setattr(clock, "never_set", False)


def archive_away(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    del request
    sealed(box)
    away(box, 20)
    page.goto(f"{box.address}/delivery")

    def comes_back() -> None:
        said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
        set_deliveries(box, "pacs", state="sent", attempts=4)

    return comes_back


def archive_refuses(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    del request
    refused(box)
    page.goto(f"{box.address}/delivery")

    def sent_after_all() -> None:
        said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
        set_deliveries(
            box, "pacs", state="committed", code="", status="", reason="", proof="commitment", attempts=2
        )

    return sent_after_all


def archive_does_not_confirm(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    del request
    sealed(box)
    what = "The archive pacs took the pictures but does not confirm that it keeps them."
    action = "It is asked again by itself. Call IT: can the archive reach this box to report?"
    proof = {"state": "silent", "code": "commitment-silent", "what": what, "action": action}
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok", "proof": proof}])
    for name in ("pacs", "backup"):
        set_deliveries(box, name, state="sent", attempts=1)
    page.goto(f"{box.address}/delivery")

    def confirms() -> None:
        said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
        set_deliveries(box, "pacs", state="committed", proof="commitment", attempts=1)

    return confirms


def worklist_fails(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    clock = request.getfixturevalue("clock")
    page.goto(box.address)
    box.spool.worklist.failed("ris", WorklistError("The worklist server does not answer."))
    return lambda: box.spool.worklist.replace("ris", worklist(clock)[:5])


def door_is_shut(box: Box, page: Page, request: pytest.FixtureRequest) -> Done:
    as_administrator(box, page)
    page.goto(f"{box.address}/people")

    def free() -> None:
        request.getfixturevalue("taken").close()
        expect(page.get_by_text("NET-03")).to_be_visible()
        page.wait_for_function(
            "async () => !(await (await fetch('/people')).text()).includes('NET-03')", timeout=LONG_MS, polling=500
        )
        page.reload()

    return free


# Code of the screens: its fault, where it is said, and the words for what happened, what is safe, what to do.
FAULTS: dict[str, tuple[Callable[..., Done], str, tuple[str, ...]]] = {
    "VID-01": (signal("no-signal"), "#over", ("No picture from the device", STORED, "Check that it is on")),
    "VID-02": (stands_still, "#over", ("Picture stopped", STORED, "comes back by itself")),
    "VID-03": (other_size, "#note", ("Another size", "stored as it comes", "Check the scanner")),
    "VID-04": (signal("missing"), "#over", ("Video adapter is unplugged", STORED, "Plug it in again")),
    "VID-05": (
        signal("refused", "VID-05", "Masks are for 1920 x 1080.", "Choose another profile."),
        "#over",
        ("Masks are for 1920 x 1080.", STORED, "Choose another profile."),
    ),
    "VID-06": (signal("no-cable"), "#over", ("No cable in the video input", STORED, "Plug the scanner's cable")),
    "VID-07": (signal("out-of-range"), "#over", ("cannot take this picture", STORED, "Set another size or rate")),
    "VID-08": (signal("no-signal-picture"), "#over", ("No picture from the scanner", STORED, "Check the scanner")),
    "IN-01": (unplugged("pedals", "input-1"), "#pedal", ("Pedal is unplugged", "capture on the screen")),
    "IN-02": (unplugged("signs", "tone-1"), "#sign", ("No lamp or tone", "look at the screen")),
    "SYS-01": (recorder_dies, "#over", ("Screen lost the recorder", STORED, "starts again by itself", "service")),
    "SYS-03": (
        machine(heat="hot", celsius=82),
        "#room",
        ("The box is hot (82 °C): clips are off", STORED, "vents are free", "too-hot"),
    ),
    "SYS-04": (
        machine(power="weak"),
        "#room",
        ("too little power", STORED, "Use the power supply and the cable", "undervoltage"),
    ),
    "STO-01": (disk_fills(35 * MB), "#room", ("filling up: room for about", STORED, "Call IT")),
    "STO-02": (disk_fills(2 * MB), "#room", ("The box is full", STORED, "Finish the exam and call IT")),
    "TIM-01": (never_set, "#list", ("clock may be wrong", "Pictures are stored with this time", "check it")),
    "NET-02": (archive_away, "#list .strip", ("does not answer", "On this box: 3.", "tried again by itself")),
    "NET-03": (door_is_shut, ".left .strip", ("cannot reach this box", "Call IT")),
    "PAC-01": (archive_refuses, "#list .strip", ("does not take this kind of picture", "On this box", "call IT")),
    "PAC-02": (archive_does_not_confirm, "#list .strip", ("does not confirm", "On this box", "Call IT")),
    "WL-01": (worklist_fails, ".listhead", ("does not answer", "New patients may be missing", "type them")),
}


@pytest.mark.parametrize("size", [SIZES["front"]])
@pytest.mark.parametrize("code", list(FAULTS))
def test_a_fault_is_said_with_what_to_do_and_leaves_the_screen_by_itself(
    page: Page, box: Box, request: pytest.FixtureRequest, code: str
) -> None:
    fault, where, words = FAULTS[code]
    takes_away = fault(box, page, request)
    said = page.locator(where, has_text=code)
    for word in (*words, code):
        expect(said).to_contain_text(word, timeout=LONG_MS)
    ready(page)
    viewport = page.viewport_size["height"]
    place = said.bounding_box()
    assert place
    assert place["y"] + place["height"] <= viewport, "nobody has to scroll for it"
    takes_away()
    expect(page.locator(where).filter(has_text=code).filter(visible=True)).to_have_count(0, timeout=LONG_MS)


def test_every_code_of_the_screens_has_its_fault_here() -> None:
    listed = set(re.findall(r"^\| `([A-Z]+-\d\d)` \|", ERRORS.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == set(FAULTS)
