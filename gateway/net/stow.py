"""STOW-RS to one archive: one object a request, streamed from its sealed file; which answer means what to do."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, SpoolDamaged, TryLater
from gateway.log import event
from gateway.net import qido, webanswers
from gateway.net.echo import EchoAnswer
from gateway.net.peers import Timeouts, capital, shared_out
from gateway.net.statuses import Meaning
from gateway.net.store import StoreResult, Wanted, as_file, verify
from gateway.net.web import Answer, Web

_log = logging.getLogger(__name__)

FOUND = "found"  # the status of an object that the archive had already
_PIECE = 256 * 1024  # bytes that are read and sent at once
_LARGEST_ANSWER = 1024 * 1024  # bytes; one object's takes less than a thousand


class StowChannel:
    """A `Channel` over HTTP. Entering it opens no connection; it raises TryLater when a file of `tls` is unusable.

    DICOMweb has no negotiation: each object goes as it is sealed, unless `transfer_syntaxes` says what is taken.
    """

    def __init__(
        self, destination: Destination, *, wanted: Iterable[Wanted], timeouts: Timeouts | None = None
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._override = destination.transfer_syntaxes
        self._wanted = tuple(wanted)
        self._web = Web(destination, timeouts=self._timeouts)

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    @property
    def usable(self) -> bool:
        return self._web.usable

    def accepted(self, sop_class_uid: str) -> tuple[str, ...]:
        """Return the transfer syntaxes that objects of this class go in."""
        asked = (syntax for w in self._wanted if w.sop_class_uid == sop_class_uid for syntax in w.asked)
        return self._override or tuple(dict.fromkeys(asked))

    def store(
        self,
        source: Path | bytes,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sent_before: bool = False,
    ) -> StoreResult:
        """Send one DICOM file, byte for byte, and say what the archive answered.

        sent_before: it may have arrived by an earlier try, so the archive is asked first. Raises TryLater,
        NeedsConfiguration, NeverAccepted; SpoolDamaged when the file cannot be read.
        """
        with as_file(source) as file:
            verify(file, (sop_class_uid, sop_instance_uid, transfer_syntax_uid))
            if sent_before and self._has(sop_instance_uid):
                return StoreResult(status=FOUND)
            answer = self._post(file, sop_instance_uid)
        return self._judge(answer, sop_instance_uid, sent_before=sent_before)

    def _has(self, uid: str) -> bool:
        return bool(qido.has(self._web, uid, seconds=self._timeouts.answer))

    def _post(self, file: Path, uid: str) -> Answer:
        boundary = hashlib.sha256(uid.encode("ascii")).hexdigest()[:48]  # no picture holds it
        # Without the transfer syntax as a parameter: the file names it, and Orthanc takes no part that has one.
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
        tail = f"\r\n--{boundary}--\r\n".encode("ascii")
        try:
            size = file.stat().st_size
        except OSError as error:
            raise SpoolDamaged(f"An object's file cannot be read ({type(error).__name__}).") from error
        return self._web.ask(
            "POST",
            "/studies",
            seconds=self._timeouts.for_bytes(size),
            most=_LARGEST_ANSWER,
            headers={
                "Accept": "application/dicom+json",
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
                "Content-Length": str(len(head) + size + len(tail)),
            },
            content=_body(head, file, size, tail),
        )

    def _judge(self, answer: Answer, uid: str, *, sent_before: bool) -> StoreResult:
        who = self._web.peer.who
        try:
            said = webanswers.read(answer.body, answer.content_type)
        except ValueError:
            said = webanswers.Said()
        if uid in said.failed:
            meaning, error = webanswers.by_reason(said.failed[uid], who=who)
            if meaning is Meaning.DUPLICATE and sent_before:
                return StoreResult(status=error.status)
            raise self._waiting(error, answer)
        if not answer.ok:
            raise self._waiting(webanswers.by_status(answer.status, who=who), answer)
        if uid in said.stored:
            return self._stored(said.stored[uid], answer)
        return self._unsaid(answer, uid)

    def _stored(self, warning: int | None, answer: Answer) -> StoreResult:
        if not warning:
            return StoreResult(status=f"HTTP {answer.status}")
        peer, status = self._web.peer, f"{warning:04X}"
        event(_log, "stored_with_warning", destination=peer.name, status=status)
        return StoreResult(
            status=status, warning=f"The archive {peer.name} stored it but {webanswers.warning(warning)}."
        )

    def _unsaid(self, answer: Answer, uid: str) -> StoreResult:
        """A success that does not name the object is none, until the archive says that it has it."""
        try:
            if self._has(uid):
                return StoreResult(status=FOUND)
        except DeliveryError:
            pass  # what follows is the better word
        raise TryLater(
            f"{capital(self._web.peer.who)} answered HTTP {answer.status} but does not say that it stored it.",
            code="unconfirmed",
            action="It is tried again by itself. If it lasts, call IT: look at the archive and its log.",
        )

    @staticmethod
    def _waiting(error: DeliveryError, answer: Answer) -> DeliveryError:
        error.retry_after_s = answer.retry_after_s
        return error


def _body(head: bytes, file: Path, size: int, tail: bytes) -> Iterator[bytes]:
    """Yield one part around the file; memory holds one piece of it."""
    yield head
    left = size
    try:
        with file.open("rb", buffering=0) as content:
            while left and (piece := content.read(min(_PIECE, left))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise SpoolDamaged(f"An object's file cannot be read ({type(error).__name__}).") from error
    if left:
        raise SpoolDamaged("An object's file became shorter while it was sent.")
    yield tail


def ask(destination: Destination, *, deadline_s: float = 10.0, timeouts: Timeouts | None = None) -> EchoAnswer:
    """Ask one archive whether it hears us, with a search for one study. Never raises for what it does."""
    patience = shared_out(timeouts or Timeouts(), deadline_s)
    try:
        with Web(destination, timeouts=patience) as web:
            answer = web.ask(
                "GET",
                "/studies",
                seconds=patience.answer,
                most=_LARGEST_ANSWER,
                params={"limit": "1"},
                headers={"Accept": "application/dicom+json"},
            )
            if not answer.ok:
                raise webanswers.by_status(answer.status, who=web.peer.who)
            return EchoAnswer(ok=True, proven_until=web.proven_until)
    except DeliveryError as error:
        return EchoAnswer(ok=False, what=error.what, code=error.code, action=error.action)
