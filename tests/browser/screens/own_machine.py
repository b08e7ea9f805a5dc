"""An appliance's own network, time and certificate, as an administrator sees and sets them."""

import json

from playwright.sync_api import Page

from gateway.clock import Clock
from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator, ask
from tests.browser.screens.registry import AFTER, at

NETWORK = {
    "revision": "",
    "port": "enp1s0",
    "inner": "vlan20",
    "method": "static",
    "problems": [],
    "until_ns": 0,
    "addresses": ["10.1.2.3/24", "fd00:1234:5678:9abc::3/64"],
    "gateway": "10.1.2.1",
    "gateway_state": "answers",
    "hardware": "52:54:00:12:34:56",
    "cable": True,
    "ports": [{"name": "enp1s0", "cable": True}],
    "dns": ["10.1.2.2", "10.1.2.9"],
    "port_access": "lets-in",
}
CLOCK = {"by": "nobody", "server": "", "offset_s": 0.0, "battery": False, "trusted": False, "zone": "Europe/Zurich"}
DISK = {"opened": True, "guard": "none", "recovery_code": "", "tpm": False, "secure_boot": False, "number": ""}
_FILE = """
[network]
hostname = "endo-2"
method = "static"
address = "10.1.2.3/24"
gateway = "10.1.2.1"
search = ["klinik.example"]
vlan = 20
[time]
zone = "Europe/Zurich"
"""


def says(box: Box, **changes: object) -> None:
    folder = box.settings.station.runtime_dir / "machine"
    folder.mkdir(exist_ok=True)
    (folder / "network.json").write_text(json.dumps({**NETWORK, **changes}))
    (folder / "clock.json").write_text(json.dumps(CLOCK))


def appliance(box: Box, page: Page, **changes: object) -> None:
    """Let the box be an appliance, before which an administrator stands."""
    says(box, **changes)
    (box.settings.station.data_dir / "machine.toml").write_text(_FILE)
    as_administrator(box, page)


def _tried(box: Box, page: Page) -> None:
    appliance(box, page, until_ns=Clock().boottime_ns() + 3_600 * 10**9)


def _troubled(box: Box, page: Page) -> None:
    appliance(
        box, page, problems=["damaged"], addresses=[], gateway_state="silent", port_access="refuses", cable=False
    )


def _wrong(box: Box, page: Page) -> None:
    appliance(box, page, method="dhcp", wrong=["network.address", "network.dns", "time.servers"])


def _certified(box: Box, page: Page) -> None:
    appliance(box, page)
    ask(box, page, "/certificate/make", {"names": ["endo-2.klinik.example", "10.1.2.3"]})


def disk(box: Box, page: Page, **changes: object) -> None:
    appliance(box, page)
    says = {**DISK, **changes}
    (box.settings.station.runtime_dir / "machine" / "data.json").write_text(json.dumps(says))


def _with_code(box: Box, page: Page) -> None:
    disk(box, page, recovery_code="2026-11-27")


def _with_chip(box: Box, page: Page) -> None:
    disk(box, page, recovery_code="2026-11-27", guard="tpm", tpm=True, secure_boot=False)


at("machine", "/machine", appliance)
at("machine_network", "/machine/network", appliance)
at("machine_network_tried", "/machine/network", _tried)
at("machine_network_troubled", "/machine/network", _troubled)
at("machine_network_wrong", "/machine/network", _wrong)
at("machine_network_pc", "/machine/network", as_administrator)
at("machine_address", "/machine/network/ask/network/method", appliance)
at("machine_time", "/machine/time", appliance)
at("machine_time_wrong", "/machine/time", _wrong)
at("machine_clock", "/machine/clock", appliance)
at("machine_zones", "/machine/zones", appliance)
at("machine_zone", "/machine/zones/Europe", appliance)
at("machine_disk", "/machine/data", disk)
at("machine_disk_chip", "/machine/data", _with_chip)
at("machine_disk_pc", "/machine/data", as_administrator)
at("machine_start_pin", "/machine/start-pin", _with_code)
at("machine_start_pin_early", "/machine/start-pin", disk)
at("machine_certificate", "/machine/certificate", _certified)
AFTER["machine_clock"] = lambda page: page.locator('[data-part="minute"] [data-step="1"]').tap()
