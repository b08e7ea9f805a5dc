"""How every part of the box is."""

from gateway.errors import WorklistError
from tests.browser.conftest import Box
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


BEFORE["service_troubled"] = BEFORE["service"] = BEFORE["service_signs"] = as_administrator
