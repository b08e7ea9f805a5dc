"""The queue of one archive, as who serves the box sees it."""

from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import BEFORE, screen
from tests.browser.screens.states import sealed, set_deliveries


def left_behind(box: Box, name: str) -> None:
    """Let what waited for the archive wait for one of a name that nobody bears any more."""
    with box.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET destination = ? WHERE destination = 'pacs'", (name,))


@screen
def queue_of_nobody(box: Box) -> str:
    sealed(box)
    left_behind(box, "old-archive")
    return "/service/queue?of=old-archive"


@screen
def queue_replaced(box: Box) -> str:
    sealed(box)
    set_deliveries(box, "pacs", state="committed", proof="commitment")
    for peer in ("10.0.0.5", "10.0.0.6"):
        box.spool.destinations.put("pacs", peer=peer, settings="")
    return "/service/queue?of=pacs"


BEFORE["queue_of_nobody"] = BEFORE["queue_replaced"] = as_administrator
