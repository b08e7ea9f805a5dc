"""A box that nobody set up: one question a screen."""

import tomllib
from typing import Any

from playwright.sync_api import Page

from gateway.panel.first_start import steps
from gateway.panel.first_start.progress import Kept, Progress
from gateway.spool.processes import trials
from tests.browser.conftest import Box
from tests.browser.screens.own_machine import says
from tests.browser.screens.registry import AFTER, BEFORE, SCREENS
from tests.browser.screens.trials import LINES, tried, until_tried


def new_box(box: Box, page: Page | None = None, **drafts: dict[str, Any]) -> None:
    """Let the box be one that nobody set up, as far as the file says."""
    del page
    progress = Progress(whole=True, answers={"language": "set", "worklist": "none"}, drafts=drafts)
    kept = Kept(box.spool.layout.first_start, box.spool.files)
    kept.change(progress)


def _appliance(box: Box, page: Page) -> None:
    """One in UTC, as it is delivered."""
    del page
    says(box)


def _setup_screen(name: str, path: str, **drafts: dict[str, Any]) -> None:
    SCREENS[name] = lambda box: (new_box(box, **drafts), f"/first-start{path}")[1]


_ARCHIVE = {"kind": "dicom", "host": "10.0.0.6", "port": 104, "ae_title": "PACS", "commitment": True}
_setup_screen("setup_begin", "")
_setup_screen("setup_language", "/language")
_setup_screen("setup_time", "/time")
_setup_screen("setup_time_wrong", "/time?wrong=1")
_setup_screen("setup_station", "/station")
_setup_screen("setup_administrator_name", "/administrator/name")
_setup_screen("setup_administrator", "/administrator?name=Chris")
_setup_screen("setup_source", "/source")
_setup_screen("setup_profile", "/source/profile", source={"device": "pattern:ultrasound"})
_setup_screen("setup_kind", "/source/kind", source={"device": "pattern:ultrasound"})
_setup_screen("setup_pedal", "/pedal")
_setup_screen("setup_pedal_heard", "/pedal")
_setup_screen("setup_pedal_without_source", "/pedal")
_setup_screen("setup_worklist", "/worklist")
_setup_screen("setup_host", "/worklist/type/host")
_setup_screen("setup_port", "/worklist/type/port")
_setup_screen("setup_archive", "/archive")
_setup_screen("setup_commitment", "/archive/commitment", archive=_ARCHIVE)
_setup_screen("setup_trial", "/archive/try", archive=_ARCHIVE)
_setup_screen("setup_trial_bad", "/archive/try", archive=_ARCHIVE)
_setup_screen("setup_our_title", "/archive/ours", archive=_ARCHIVE)
_setup_screen("setup_retention", "/retention")
_setup_screen("setup_summary", "/summary")
_setup_screen("setup_summary_test_picture", "/summary")
_setup_screen("setup_summary_much", "/summary")
_setup_screen("setup_time_appliance", "/time")
_setup_screen("setup_time_appliance_wrong", "/time?wrong=1")
_setup_screen("setup_zones", "/zones")
_setup_screen("setup_zone", "/zones/Europe")
for _name in ("setup_time_appliance", "setup_time_appliance_wrong", "setup_zones", "setup_zone"):
    BEFORE[_name] = _appliance
BEFORE["setup_trial"] = tried(LINES["good"])
BEFORE["setup_trial_bad"] = tried(LINES["bad"])


def _with_source(box: Box, page: Page) -> None:
    (box.settings.station.data_dir / "scopegate.toml").write_text(
        '[[source]]\nname = "ultrasound"\ndevice = "pattern:ultrasound"\n'
    )
    del page


_MUCH = """\
[station]
name = "ULTRASOUND-ROOM2"
ae_title = "SCOPEGATE_ROOM_2"

[[source]]
name = "ultrasound"
device = "pattern:ultrasound"
profile = "pal-composite"

[[worklist]]
name = "ris"
host = "worklist.radiology.hospital.example"
port = 104
ae_title = "RIS"

[[destination]]
name = "pacs"
host = "archive.radiology.hospital.example"
port = 104
ae_title = "PACS"
commitment = true
"""


def _with_much(box: Box, page: Page) -> None:
    """Let every question be answered, at length, and the worklist and the archive be kept though they failed."""
    del page
    (box.settings.station.data_dir / "scopegate.toml").write_text(_MUCH)
    kept = Kept(box.spool.layout.first_start, box.spool.files)
    kept.change(Progress(whole=True), answers=dict.fromkeys(steps.EVERY, "set"))
    for table, entries in tomllib.loads(_MUCH).items():
        if table in trials.TABLES:
            box.spool.requests.ask(trials.REQUEST, {"table": table, "values": entries[0]}, deadline_s=60)
            asked = box.spool.requests.begin(trials.REQUEST)
            assert asked
            box.spool.requests.done(asked, {"lines": LINES["bad"]})


def _pressed(box: Box, page: Page) -> None:
    _with_source(box, page)
    box.capture.script.presses.append({"word": "key:0xB7"})


BEFORE["setup_pedal"] = BEFORE["setup_summary_test_picture"] = _with_source
BEFORE["setup_pedal_heard"] = _pressed
BEFORE["setup_summary_much"] = _with_much
AFTER["setup_profile"] = lambda page: page.locator("#profiles-tried[data-over]").wait_for()
AFTER["setup_pedal"] = lambda page: page.locator("#setup-press").wait_for()
AFTER["setup_pedal_heard"] = lambda page: page.locator("#setup-again:not([hidden])").wait_for()
for _name in ("setup_trial", "setup_trial_bad"):
    AFTER[_name] = until_tried
