"""How every part of the box is."""

from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import BEFORE, screen
from tests.browser.screens.states import said_of_forward


@screen
def service(box: Box) -> str:
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    return "/service"


@screen
def service_signs(box: Box) -> str:
    del box
    return "/service/signs"


BEFORE["service"] = BEFORE["service_signs"] = as_administrator
