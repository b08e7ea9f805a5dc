"""Opens and ends associations as requestor. The only module that knows why a peer did not let us in.

Raises TryLater or NeedsConfiguration with one of these codes: unreachable, silent, busy, rejected, rejected-title,
no-context, aborted, dropped, timeout, garbage.
"""

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.presentation import PresentationContext, build_context

from gateway.errors import DeliveryError, NeedsConfiguration, TryLater
from gateway.log import event
from gateway.net import tuning

_log = logging.getLogger(__name__)

_AGAIN = "It is tried again by itself. If it lasts, call IT"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Seconds. `answer` grows with what was asked, see `for_bytes`."""

    connect: float = 10.0  # until TCP is connected
    negotiate: float = 20.0  # until the association, or its release, is answered
    answer: float = 30.0  # until a DIMSE request is answered
    stall: float = 30.0  # while writing or reading: some bytes must move
    idle: float = 60.0  # an association on which nothing happens
    slowest: float = 64 * 1024  # bytes/s: what a slow line must carry, and a slow archive store

    def for_bytes(self, count: int) -> float:
        """Return how long a request with so many bytes may take, answer included."""
        return self.answer + count / self.slowest


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """Another system, in the words of the person who reads about it: kind "archive", name "pacs"."""

    kind: str
    name: str
    ae_title: str
    host: str
    port: int

    @property
    def who(self) -> str:
        return f"the {self.kind} {self.name}"

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What is offered: one SOP class in one transfer syntax."""

    abstract_syntax: str
    transfer_syntax: str


class Link:
    """One open association. Leave it with `release` or `drop`; afterwards `usable` is False."""

    def __init__(
        self,
        *,
        peer: Peer,
        association: Association,
        wire: tuning.WatchedSocket,
        timeouts: Timeouts,
        ears: "_Ears",
    ) -> None:
        self.peer = peer
        self.association = association
        self.timeouts = timeouts
        self._wire = wire
        self._ears = ears
        self._late = False
        self.accepted = tuple(
            Context(abstract_syntax=str(c.abstract_syntax), transfer_syntax=str(c.transfer_syntax[0]))
            for c in association.accepted_contexts
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def usable(self) -> bool:
        return bool(self.association.is_established) and not self._wire.lost and not self._late

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """End the connection when the block takes longer than `seconds`; `broken` then says "timeout"."""
        # The limits of pynetdicom start anew with every message or byte; this one does not.
        self.association.dimse_timeout = seconds + 1

        def expire() -> None:
            self._late = True
            self._wire.cut()

        timer = threading.Timer(seconds, expire)
        timer.name = "dicom-deadline"
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def broken(self) -> DeliveryError:
        """Say why no answer came, and drop the association: nothing that follows on it could be trusted."""
        peer = self.peer
        if self._ears.aborted:
            why = TryLater(f"{_cap(peer.who)} broke off the transfer.", code="aborted")
        elif self._wire.lost and not self._late:
            why = TryLater(
                f"The connection to {peer.who} broke.",
                code="dropped",
                action=f"{_AGAIN}: check the network between this box and {peer.where}.",
            )
        elif self._ears.garbage or not (self._late or self.usable):
            why = TryLater(f"{_cap(peer.who)} gave an answer that is not DICOM.", code="garbage")
        else:
            why = TryLater(f"{_cap(peer.who)} took the request but did not answer in time.", code="timeout")
        self.drop()
        return why

    def release(self) -> None:
        """End the association politely. A peer that does not answer is left: everything was said before."""
        if not self.usable:
            self.drop()
            return
        with self.within(self.timeouts.negotiate):
            self.association.release()
        if not self.association.is_released:
            event(_log, "release_unanswered", peer=self.peer.name)
            self._wire.cut()

    def drop(self) -> None:
        """End the association at once."""
        if self.association.is_established and not self._late:
            with self.within(1.0):
                self.association.abort()
        self._wire.cut()
        with self.within(1.0):
            self.association.kill()


class _Ears:
    """Hears what pynetdicom reports but does not keep."""

    def __init__(self) -> None:
        self.aborted = False
        self.garbage = False

    def pdu(self, heard: evt.Event) -> None:
        if isinstance(heard.pdu, A_ABORT_RQ):
            self.aborted = True

    def machine(self, heard: evt.Event) -> None:
        if heard.action == "AA-8":  # PS3.8 table 9-8: an unexpected or unreadable PDU
            self.garbage = True


def open_link(
    peer: Peer,
    *,
    our_ae: str,
    contexts: Sequence[Context],
    timeouts: Timeouts,
    allowance: int | None = None,
    heard: Callable[[evt.Event], None] | None = None,
) -> Link:
    """Open an association or raise TryLater / NeedsConfiguration.

    allowance: bytes the peer may send over the life of the association; heard: called with every DIMSE message,
    in pynetdicom's thread.
    """
    entity = tuning.Entity(our_ae, stall=timeouts.stall, allowance=allowance)
    entity.connection_timeout = timeouts.connect
    entity.acse_timeout = timeouts.negotiate
    entity.dimse_timeout = timeouts.answer
    entity.network_timeout = timeouts.idle
    ears = _Ears()
    handlers: list[Any] = [(evt.EVT_PDU_RECV, ears.pdu), (evt.EVT_FSM_TRANSITION, ears.machine)]
    if heard is not None:
        handlers.append((evt.EVT_DIMSE_RECV, heard))
    try:
        with _deadline(entity, timeouts.connect + timeouts.negotiate + 1):
            association = entity.associate(
                peer.host, peer.port, _offers(contexts), ae_title=peer.ae_title, evt_handlers=handlers
            )
    except socket.gaierror:
        raise _unreachable(peer, f"the name {peer.host} is not known in this network", "host name") from None
    wire = entity.wire
    assert wire is not None
    if not association.is_established:
        wire.cut()
        raise _refusal(peer, our_ae, association, wire, ears)
    link = Link(peer=peer, association=association, wire=wire, timeouts=timeouts, ears=ears)
    if not tuning.limit_pdu(association):
        link.drop()
        raise TryLater(f"{_cap(peer.who)} wants messages cut too small to carry anything.", code="garbage")
    return link


@contextmanager
def _deadline(entity: tuning.Entity, seconds: float) -> Iterator[None]:
    """Bound the opening: a peer that answers byte by byte would keep it for hours."""

    def expire() -> None:
        if entity.wire is not None:
            entity.wire.cut()

    timer = threading.Timer(seconds, expire)
    timer.name = "dicom-deadline"
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _offers(contexts: Sequence[Context]) -> list[PresentationContext]:
    return [build_context(c.abstract_syntax, c.transfer_syntax) for c in contexts]


def _refusal(
    peer: Peer, our_ae: str, association: Association, wire: tuning.WatchedSocket, ears: _Ears
) -> DeliveryError:
    """Tell refused, silent, rejected, nothing accepted, aborted apart: pynetdicom says "aborted" for most."""
    if wire.failure is not None:
        return _not_connected(peer, wire.failure)
    if association.is_rejected:
        return _rejected(peer, our_ae, association)
    if association.rejected_contexts and not association.accepted_contexts:
        return NeedsConfiguration(
            f"{_cap(peer.who)} takes none of the kinds of data that were offered.",
            code="no-context",
            action=f"Call IT: the {peer.kind} must be set to take them, or another format be configured here.",
        )
    return _not_answered(peer, wire, ears)


def _not_answered(peer: Peer, wire: tuning.WatchedSocket, ears: _Ears) -> TryLater:
    check = f"{_AGAIN}: check that {peer.port} is the DICOM port of the {peer.kind}"
    if ears.aborted:
        words = f"{_cap(peer.who)} broke off the connection before anything was said."
        return TryLater(words, code="aborted", action=f"{check} and that this box may use it.")
    if ears.garbage:
        words = f"What answers at {peer.where} does not speak DICOM."
        return TryLater(words, code="garbage", action=f"{check}.")
    if wire.lost:
        words = f"{_cap(peer.who)} closed the connection without an answer."
        return TryLater(words, code="dropped", action=f"{check} and that this box may use it.")
    words = f"{_cap(peer.who)} took the connection at {peer.where} but did not answer."
    return TryLater(words, code="silent", action=f"{check} and that the program there is not stuck.")


def _not_connected(peer: Peer, failure: OSError) -> TryLater:
    if isinstance(failure, ConnectionRefusedError):
        return _unreachable(peer, f"nothing listens at {peer.where}", "program there, host and port")
    if isinstance(failure, TimeoutError):
        words = f"{_cap(peer.who)} did not answer: no machine answered at {peer.where}."
        check = f"{_AGAIN}: check that it is on, the network cable and the address."
        return TryLater(words, code="silent", action=check)
    reason = errno.errorcode.get(failure.errno or 0, "network error")
    return _unreachable(peer, f"there is no way to {peer.where} ({reason})", "network cable and address")


def _unreachable(peer: Peer, because: str, check: str) -> TryLater:
    return TryLater(
        f"{_cap(peer.who)} did not answer: {because}.", code="unreachable", action=f"{_AGAIN}: check the {check}."
    )


def _rejected(peer: Peer, our_ae: str, association: Association) -> DeliveryError:
    """PS3.8 table 9-21: result 1 is permanent, 2 transient; source 1 service user, 2 and 3 the provider."""
    answer: Any = association.acceptor.primitive
    result, source, reason = answer.result, answer.result_source, answer.diagnostic
    if result != 1:
        return TryLater(f"{_cap(peer.who)} takes no further connection now.", code="busy")
    if (source, reason) == (1, 7):
        return NeedsConfiguration(
            f"{_cap(peer.who)} does not go by the AE title {peer.ae_title}.",
            code="rejected-title",
            action=f"Call IT: correct ae_title of {peer.name} here, or the title of the {peer.kind} there.",
        )
    if (source, reason) == (1, 3):
        return NeedsConfiguration(
            f"{_cap(peer.who)} does not know this box by its AE title {our_ae}.",
            code="rejected-title",
            action=f"Call IT: register {our_ae} with this box's address at the {peer.kind}.",
        )
    return NeedsConfiguration(
        f"{_cap(peer.who)} refuses connections of this box (source {source}, reason {reason}).", code="rejected"
    )


def _cap(words: str) -> str:
    return words[:1].upper() + words[1:]


def unhurried(timeouts: Timeouts, seconds: float) -> Timeouts:
    """Return `timeouts`, none of them longer than `seconds`."""
    return replace(
        timeouts,
        connect=min(timeouts.connect, seconds),
        negotiate=min(timeouts.negotiate, seconds),
        answer=min(timeouts.answer, seconds),
        stall=min(timeouts.stall, seconds),
    )
