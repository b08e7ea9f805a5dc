"""C-FIND of any model: one question over an open association, its answers bounded and unread."""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.dimse_messages import C_FIND_RSP

from gateway.errors import TryLater
from gateway.net.association import Link, agreed
from gateway.net.peers import capital
from gateway.net.wires import WireBroken

_PENDING = (0xFF00, 0xFF01)  # FF01: some optional keys were not looked at (PS3.4 C.4.1.1.4)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawAnswer:
    """One identifier as it came over the wire."""

    raw: bytes
    transfer_syntax_uid: str


class Answers:
    """Collects identifiers as they arrive, in pynetdicom's thread; `most` of one question are too many."""

    def __init__(self, most: int) -> None:
        self.answers: list[RawAnswer] = []
        self._most = most

    @property
    def enough(self) -> bool:
        return len(self.answers) > self._most

    def take(self, heard: evt.Event) -> None:
        message = heard.message
        if self.enough or not isinstance(message, C_FIND_RSP) or message.data_set is None:
            return
        if message.command_set.get("Status") not in _PENDING:
            return
        raw = message.data_set.getvalue()
        context = agreed(heard.assoc).get(message.context_id or 0)
        syntax = context.transfer_syntax if context else ""
        self.answers.append(RawAnswer(raw=raw, transfer_syntax_uid=syntax))


def ask(link: Link, query: Dataset, model: str, heard: Answers) -> int:
    """Send a question and wait for its last answer; return the status. `heard` is what the link was opened with.

    Raises TryLater, `endless` when there were too many answers.
    """
    heard.answers = []
    status = None
    try:
        with link.within(link.timeouts.answer):
            for answer, _ in link.association.send_c_find(query, model):
                if heard.enough:
                    link.drop()
                    raise TryLater(f"{capital(link.peer.who)} sent more than any answer has.", code="endless")
                status = answer.get("Status")
                if status is None or status not in _PENDING:
                    break
    except (WireBroken, RuntimeError, ValueError):
        raise link.broken() from None
    if status is None:
        raise link.broken()
    return int(status)
