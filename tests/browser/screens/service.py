"""How every part of the box is."""

from playwright.sync_api import Page

from gateway.errors import WorklistError
from tests.browser.conftest import Box
from tests.browser.screens import updates
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import BEFORE, screen
from tests.browser.screens.states import said_of_forward


@screen
def service(box: Box) -> str:
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    return "/service"


@screen
def service_troubled(box: Box) -> str:
    """A worklist server that does not answer, and archives to which nothing was sent yet."""
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    why = "The worklist server ris did not answer: nothing listens at worklist.radiology.hospital.example:19999."
    box.spool.worklist.failed("ris", WorklistError(why, code="worklist-unreachable"))
    return "/service"


@screen
def service_signs(box: Box) -> str:
    del box
    return "/service/signs"


@screen
def service_of_an_appliance(box: Box) -> str:
    """Every key that there can be at the box itself."""
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    return "/service"


def _appliance(box: Box, page: Page) -> None:
    as_administrator(box, page)
    updates.says(box)
    (box.settings.station.runtime_dir / "machine/data.json").write_text("{}")


BEFORE["service_of_an_appliance"] = _appliance
BEFORE["service_troubled"] = BEFORE["service"] = BEFORE["service_signs"] = as_administrator
