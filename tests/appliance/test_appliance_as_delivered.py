"""A box as its maker delivers it, with the settings of the image: what its screen offers is there, down to its end.

The other tests bring settings of their own.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.appliance.appliance import SAID_BY_THE_BOARD, TALKING_BOARD, Appliance
from tests.kernel.machine import one_at_a_time

OFF_S = 200
_LOOK = """
import http.client, json, time
from tests.box import Panel, Refusal, until

def page(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/more")
    return connection.getresponse().read().decode()

def practice():
    try:
        return panel.get("/practice")
    except (OSError, http.client.HTTPException, Refusal):
        return {"state": "away"}

panel = Panel(8080)
until("the panel", lambda: practice()["state"] == "off", 400, pause_s=2)
more = page(8080)
seen = {"kiosk": " data-kiosk" in more, "offered": 'href="/practice"' in more, "power": panel.get("/power")}
panel.post("/practice/begin")
until("practice", lambda: practice()["state"] == "on", 500, pause_s=2)
there = Panel(int(practice()["address"].rpartition(":")[2]))
exam = there.open_typed("TEST^Anna", "T1")
seen["still"] = there.still(exam)["exam"] == exam
seen["mark"] = " data-practice=" in page(there.port)
there.post("/practice/end")
until("the end of practice", lambda: practice()["state"] == "off", 200, pause_s=2)
seen["exams"] = panel.get("/exams")["exams"]
print(json.dumps(seen))
"""
# Merged: a new box has another number at its first start than afterwards.
_OF_BOTH_STARTS = (
    "journalctl --merge --unit=scopegate-capture --output=cat --no-pager | grep ^Stopped; "
    "journalctl --boot --dmesg --output=cat --no-pager | grep -i -e EXT4-fs -e recovery"
)
_OFF = """
from tests.box import Panel
Panel(8080).post("/power/off", {"when": "now"})
print("{}")
"""


class Seen(NamedTuple):
    """What a new box showed, whether it switched itself off, and what the start after that found."""

    screen: dict[str, Any]
    failed: str
    went_off: bool
    journal: str
    failed_again: str
    serial: str


def failed_units(box: Appliance) -> str:
    return box.shell("systemctl --failed --no-legend --plain").strip()


@pytest.fixture(scope="module")
def seen(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    box = Appliance(tmp_path_factory.mktemp("delivered"), image=image, extra=TALKING_BOARD)
    with one_at_a_time():
        try:
            box.switch_on()
            screen = box.python(_LOOK)
            failed = failed_units(box)
            box.unpack_text("/run/off.py", _OFF)
            box.shell(
                "systemd-run --setenv=PYTHONPATH=/run/tests --working-directory=/run/tests python3 /run/off.py"
            )
            went_off = box.switches_itself_off(OFF_S)
            box.stop()
            box.switch_on()
            journal = box.shell(_OF_BOTH_STARTS)
            failed_again, serial = failed_units(box), box.console.read_text(errors="replace")
            return Seen(screen, failed, went_off, journal, failed_again, serial)
        finally:
            box.stop()


def test_a_new_box_has_a_screen_of_its_own_and_offers_what_belongs_to_it(seen: Seen) -> None:
    assert seen.screen["kiosk"]
    assert seen.screen["offered"]
    assert seen.screen["power"]["can_switch_off"]


def test_practice_takes_pictures_and_leaves_none(seen: Seen) -> None:
    assert seen.screen["still"]
    assert seen.screen["mark"]
    assert seen.screen["exams"] == []
    assert seen.failed == ""


def test_a_box_is_switched_off_on_its_screen_and_starts_again(seen: Seen) -> None:
    assert seen.went_off
    assert "Stopped scopegate-capture.service" in seen.journal
    assert "mounted filesystem" in seen.journal
    assert "recovery complete" not in seen.journal
    assert seen.failed_again == ""


def test_a_mainboards_strings_have_their_say_in_an_image_for_tests(seen: Seen) -> None:
    """The control of what a product does with them: tests come in through such strings."""
    assert SAID_BY_THE_BOARD in seen.serial
