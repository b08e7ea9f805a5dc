"""The box that is practised on."""

from gateway.config.settings import Address
from tests.browser.conftest import Box
from tests.browser.screens.registry import screen
from tests.browser.screens.states import LONG, exam


def in_practice(box: Box) -> None:
    """Make the panel that of practice."""
    box.configure(practice_of=Address(host="127.0.0.1", port=8080))


@screen
def practice(box: Box) -> str:
    box.configure(practice=True)
    return "/practice"


@screen
def practice_choose(box: Box) -> str:
    in_practice(box)
    return "/"


@screen
def practice_live(box: Box) -> str:
    in_practice(box)
    return f"/live/{exam(box, 12, name=LONG).id}"


@screen
def practice_type(box: Box) -> str:
    in_practice(box)
    return "/type"


@screen
def practice_more(box: Box) -> str:
    in_practice(box)
    return "/more"
