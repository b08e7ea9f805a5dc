"""What is plugged into an appliance, as an administrator sees it, and a pedal that waits where it is learned."""

import json

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.own_machine import says
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import AFTER, at
from tests.browser.screens.settings import configured

_PEDAL = {
    "key": "0c45:7403 @1-1.4",
    "port": "1-1.4",
    "identity": "0c45:7403",
    "name": "PCsensor FootSwitch",
    "uses": ["input"],
    "state": "waits",
    "types": True,
    "listed": False,
    "pedal": False,
}
_LISTED = {**_PEDAL, "state": "in", "listed": True}
_ALL = [
    _PEDAL,
    {**_LISTED, "key": "0c2e:0200 A1", "port": "1-1.2", "name": "Honeywell Imaging & Mobility Scanner 1900"},
    {**_PEDAL, "key": "a", "port": "1-2", "name": "USB3.0 HD VIDEO", "uses": ["pictures", "sound"], "state": "in"},
    {**_PEDAL, "key": "b", "port": "1-1", "name": "USB2.0 Hub", "uses": ["hub"], "state": "in"},
    {**_LISTED, "key": "c", "port": "", "name": "Cherry Keyboard", "uses": [], "state": "away"},
    {**_PEDAL, "key": "d", "port": "1-3", "identity": "0bda:8153", "name": "", "uses": [], "state": "out"},
]


def _plugged(box: Box, devices: list[dict[str, object]]) -> None:
    says(box)
    (box.settings.station.runtime_dir / "machine" / "usb.json").write_text(json.dumps({"devices": devices}))


def _all(box: Box, page: Page) -> None:
    _plugged(box, _ALL)
    as_administrator(box, page)


def _pedal(box: Box, page: Page) -> None:
    _plugged(box, [_PEDAL])
    configured(box, page)


at("machine_usb", "/machine/usb", _all)
at("machine_usb_pc", "/machine/usb", as_administrator)
at("settings_pedal_waits", "/settings/pedals/trigger/learn", _pedal)
AFTER["settings_pedal_waits"] = lambda page: page.locator("#setup-press").wait_for()
