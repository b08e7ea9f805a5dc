"""An archive without a network: a channel that says what a test wants, and a sender to it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, TryLater
from gateway.forward.sending.sender import Sender
from gateway.net.store import StoreResult, Wanted
from gateway.spool.spool import Spool

EVERYTHING = ("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
Answer = DeliveryError | str  # a status

UNREACHABLE = TryLater("The archive pacs did not answer.", code="unreachable")
BROKEN = TryLater("The connection to the archive pacs broke off.", code="dropped")


def stored(uid: str) -> Answer:
    del uid
    return "0000"


class Archive:
    """Takes what it gets, object by object as `say` answers; `opens` may raise for a whole association."""

    def __init__(self) -> None:
        self.say: Callable[[str], Answer] = stored
        self.opens: Callable[[Sequence[Wanted]], None] = lambda _: None
        self.accepts: Callable[[str], tuple[str, ...]] = lambda _: EVERYTHING
        self.got: list[str] = []  # UIDs, in order
        self.forms: dict[str, bytes] = {}  # the file as it came, of what was kept
        self.keep_files = False
        self.hangs_up = False  # once it accepted
        self.calls: list[list[str]] = []  # the UIDs of each association
        self.doubted: set[str] = set()  # of which it was said that they may have come before

    @contextmanager
    def connect(self, wanted: Sequence[Wanted]) -> Iterator["Connection"]:
        self.opens(wanted)
        self.calls.append([])
        yield Connection(self)


class Connection:
    """One association."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.usable = True

    def accepted(self, sop_class_uid: str) -> tuple[str, ...]:
        self.usable = not self._archive.hangs_up
        return self._archive.accepts(sop_class_uid)

    def store(
        self,
        source: Path | bytes,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sent_before: bool = False,
    ) -> StoreResult:
        assert transfer_syntax_uid in self.accepted(sop_class_uid)
        self._archive.calls[-1].append(sop_instance_uid)
        if sent_before:
            self._archive.doubted.add(sop_instance_uid)
        answer = self._archive.say(sop_instance_uid)
        if isinstance(answer, DeliveryError):
            self.usable = bool(answer.status)
            raise answer
        self._archive.got.append(sop_instance_uid)
        if self._archive.keep_files:
            self._archive.forms[sop_instance_uid] = source if isinstance(source, bytes) else source.read_bytes()
        return StoreResult(status=answer)


def pacs(name: str = "pacs", **more: object) -> Destination:
    values: dict[str, object] = {"ae_title": "PACS", "host": "127.0.0.1", "port": 104}
    return Destination(name=name, **{**values, **more})  # type: ignore[arg-type]


def sender(spool: Spool, archive: Archive, to: Destination | None = None, **more: int) -> Sender:
    return Sender(spool=spool, destination=to or pacs(), connect=archive.connect, **more)  # type: ignore[arg-type]


def run(part: Sender) -> None:
    """Take steps until there is no more to do now."""
    steps = 0
    while part.step():
        steps += 1
        assert steps < 5000, "the sender never comes to rest"
