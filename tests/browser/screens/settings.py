"""What an administrator changes: the lists, one question at a time, what is asked before it counts."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route

from gateway.forward.media.settings_files import SettingsFiles
from tests.browser.conftest import Box, until
from tests.browser.screens.people import as_administrator, ask
from tests.browser.screens.registry import AFTER, at
from tests.browser.screens.states import exam
from tests.browser.screens.trials import LINES, tried, until_tried
from tests.certificates import Authority

_CONFIGURATION = """
[station]
name = "US-ROOM-2"
institution = "Klinik am Südpark"

[panel]
operators = ["Huber^Maria", "Rossi^Paolo"]

[[source]]
name = "ultrasound"
device = "pattern:ultrasound"
modality = "US"

[[trigger]]
kind = "input"
device = "usb:1-1.4"
source = "ultrasound"
still = "key:F1"

[[sign]]
kind = "tone"

[[worklist]]
name = "ris"
ae_title = "RIS"
host = "10.0.0.5"
port = 104

[[destination]]
name = "pacs"
ae_title = "PACS"
host = "10.0.0.6"
port = 104

[[destination]]
name = "stick"
kind = "media"
folder = "/media/stick"
required = false
"""

_REPOSITORY = """
[audit]
host = "audit.klinik.example"
tls = { ca = "system" }
"""


def configured(box: Box, page: Page) -> None:
    """Let the box have a configuration of its own, and somebody with the PIN stand before it."""
    (box.settings.station.data_dir / "scopegate.toml").write_text(_CONFIGURATION)
    as_administrator(box, page)


def with_certificates(box: Box, page: Page) -> None:
    """Let the box have a certificate of its own, and that of the clinic's authority."""
    configured(box, page)
    folder = box.settings.station.data_dir / "certificates"
    authority = Authority(folder)
    ours = authority.issue("box")
    for file, name in ((authority.ca, "clinic-ca.pem"), (ours.certificate, "box.pem"), (ours.key, "box.key")):
        file.rename(folder / name)


def audited(box: Box, page: Page) -> None:
    """Let an audit repository be configured."""
    configured(box, page)
    file = box.settings.station.data_dir / "scopegate.toml"
    file.write_text(f"{file.read_text()}{_REPOSITORY}")


def change(box: Box, page: Page, place: list[str | int], value: Any) -> None:
    revision = page.request.get(f"{box.address}/api/v1/settings/state").json()["revision"]
    ask(box, page, "/settings/change", {"changes": [{"place": place, "value": value}], "revision": revision})


def _trying(box: Box, page: Page) -> None:
    configured(box, page)
    tried(LINES["bad"])(box, page)


def _trying_repository(box: Box, page: Page) -> None:
    audited(box, page)
    tried(LINES["untrusted"])(box, page)


def _changed(box: Box, page: Page) -> None:
    configured(box, page)
    change(box, page, ["destination", 0, "host"], "pacs.klinik.example")


def _encrypted(box: Box, page: Page) -> None:
    configured(box, page)
    change(box, page, ["destination", 0, "tls"], {"ca": "system"})


def _in_an_exam(box: Box, page: Page) -> None:
    configured(box, page)
    exam(box, 2)


def _waiting(box: Box, page: Page) -> None:
    configured(box, page)
    exam(box, 2)
    change(box, page, ["panel", "theme"], "light")


def _answer(text: str, *, expect: str) -> Callable[[Page], None]:
    """Write an answer, go on, and wait for what the screen says."""

    def write(page: Page) -> None:
        page.locator(".step:not([hidden]) input").fill(text)
        page.locator("#next").tap()
        page.locator(expect).wait_for()

    return write


def _without_stick(box: Box, page: Page) -> None:
    configured(box, page)
    forward = SettingsFiles(spool=box.spool, destinations=[])

    def executed(route: Route) -> None:
        route.continue_()
        until(forward.step)

    page.route("**/settings/stick/export", executed)


at("settings", "/settings", _changed)
at("settings_waiting", "/settings", _waiting)
for _name in ("station", "worklist", "archives", "sources", "pedals", "retention", "screen", "network", "audit"):
    at(f"settings_{_name}", f"/settings/{_name}", configured)
at("settings_pedal", "/settings/pedals/trigger/learn", configured)
at("settings_profile", "/settings/sources/ask/source/0/profile", configured)
at("settings_profile_exam", "/settings/sources/ask/source/0/profile", _in_an_exam)
for _name in ("settings_profile", "settings_profile_exam"):
    AFTER[_name] = lambda page: page.locator("#profiles-tried[data-over]").wait_for()
at("settings_device", "/settings/sources/ask/source/0/device", configured)
at("settings_archive", "/settings/archives/destination/0", configured)
at("settings_try", "/settings/archives/destination/0/try", _trying)
AFTER["settings_try"] = until_tried
at("settings_audit_there", "/settings/audit", audited)
at("settings_audit_try", "/settings/audit/try", _trying_repository)
AFTER["settings_audit_try"] = until_tried
at("settings_rare", "/settings/archives/destination/0", configured)
AFTER["settings_rare"] = lambda page: (
    page.locator(".rare summary").tap(),
    page.locator(".rare .row").last.scroll_into_view_if_needed(),
)
at("settings_elsewhere", "/settings/archives/elsewhere/destination/0/commitment", configured)
at("settings_table", "/settings/archives/ask/destination/0/tls", _encrypted)
at("settings_text", "/settings/archives/ask/destination/0/host", configured)
at("settings_number", "/settings/retention/ask/retention/keep_days", configured)
at("settings_choice", "/settings/screen/ask/panel/keyboard", configured)
at("settings_choice_many", "/settings/sources/ask/source/0/body_part", configured)
at("settings_several", "/settings/archives/ask/destination/0/types", configured)
at("settings_secret", "/settings/archives/destination/new?kind=stow", configured)
at("settings_wrong", "/settings/retention/ask/retention/keep_days", configured)
at("settings_sure", "/settings/archives/ask/destination/0/host", configured)
at("settings_file", "/settings/file", configured)
at("settings_before", "/settings/before", _changed)
at("settings_file_no_stick", "/settings/file", _without_stick)
AFTER["settings_file_no_stick"] = lambda page: (
    page.locator("[data-stick=export]").first.tap(),
    page.locator("#problem:not([hidden])").wait_for(),
)
AFTER["settings_pedal"] = lambda page: page.locator("#setup-press").wait_for()
AFTER["settings_wrong"] = _answer("99999", expect="#wrong:not([hidden])")
AFTER["settings_sure"] = _answer("pacs.klinik.example", expect="#sure:not([hidden])")
