"""The queue of one archive, as who serves the box sees it."""

from gateway.model import MessageKind, MessageState
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


@screen
def queue_add(box: Box) -> str:
    sealed(box)
    return "/service/queue/add?of=pacs"


@screen
def queue_again(box: Box) -> str:
    sealed(box)
    return "/service/queue/again?of=pacs"


@screen
def queue_stopped(box: Box) -> str:
    sealed(box)
    set_deliveries(box, "pacs", state="held", code="no-context")
    return "/service/queue?of=pacs"


@screen
def queue_messages(box: Box) -> str:
    opened = sealed(box)
    box.spool.steps.queue(opened, opened.steps[0].sop_instance_uid, MessageKind.CREATE, ["old-ris"])
    return "/service/messages?of=old-ris"


@screen
def queue_messages_stopped(box: Box) -> str:
    opened = sealed(box)
    (server, *_) = box.settings.procedure_steps
    uid, held = opened.steps[0].sop_instance_uid, MessageState.HELD
    box.spool.steps.queue(opened, uid, MessageKind.CREATE, [server.name], state=held, code="refused")
    return f"/service/messages?of={server.name}"


for _name in (
    "queue_of_nobody",
    "queue_replaced",
    "queue_add",
    "queue_again",
    "queue_stopped",
    "queue_messages",
    "queue_messages_stopped",
):
    BEFORE[_name] = as_administrator
