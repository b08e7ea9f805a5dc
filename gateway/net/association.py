"""Opens and ends associations as requestor, each step with its deadline; says why an answer stayed away.

Raises TryLater or NeedsConfiguration with the codes of `refusals`, and timeout or endless.
"""

import logging
import queue
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context, build_role

from gateway.errors import DeliveryError, TryLater
from gateway.log import event
from gateway.net import tls, tuning
from gateway.net.deadline import deadline
from gateway.net.peers import Context, Peer, Timeouts, capital, named, target
from gateway.net.refusals import AGAIN, Ears, refusal, unknown_host
from gateway.net.wires import TlsSocket, WatchedSocket

_log = logging.getLogger(__name__)
ALLOWANCE = 1024 * 1024  # bytes; the answers to an exam of a thousand objects have 200,000
_LAST_WORDS = 5.0  # s; what a peer said before the line broke lies here already and has only to be read


class Link:
    """One open association. Leave it with `release` or `drop`; afterwards `usable` is False."""

    def __init__(
        self,
        *,
        peer: Peer,
        association: Association,
        wire: WatchedSocket,
        inbox: tuning.Inbox,
        timeouts: Timeouts,
        ears: Ears,
    ) -> None:
        self.peer = peer
        self.association = association
        self.timeouts = timeouts
        self._wire = wire
        self._inbox = inbox
        self._ears = ears
        self._late = False
        self.accepted = tuple(agreed(association).values())  # in the order of the offer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def proven_until(self) -> datetime | None:
        """When the peer's certificate ends; None without TLS."""
        return self._wire.proven_until if isinstance(self._wire, TlsSocket) else None

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

        with deadline(seconds, expire):
            yield

    def request(self, seconds: float) -> tuple[Any, int] | None:
        """Return the peer's next request and its context; None when none came in that time."""
        try:
            return self._inbox.get(timeout=seconds)
        except queue.Empty:
            return None

    def context(self, context_id: int) -> Context | None:
        """Return what was agreed on under that number."""
        return agreed(self.association).get(context_id)

    def broken(self) -> DeliveryError:
        """Say why no answer came, and drop the association: nothing that follows on it could be trusted."""
        peer = self.peer
        why: DeliveryError
        self._hear_out()
        if self._wire.trouble is not None:
            why = tls.refusal(peer, self._wire.trouble)
        elif self._wire.overflowed:
            why = TryLater(f"{capital(peer.who)} sent more than any answer has.", code="endless")
        elif self._ears.aborted:
            why = TryLater(f"{capital(peer.who)} broke off the transfer.", code="aborted")
        elif self._wire.lost and not self._late:
            why = TryLater(
                f"The connection to {peer.who} broke.",
                code="dropped",
                action=f"{AGAIN}: check the network between this box and {peer.where}.",
            )
        elif self._ears.garbage or not (self._late or self.usable):
            why = TryLater(f"{capital(peer.who)} gave an answer that is not DICOM.", code="garbage")
        else:
            why = TryLater(f"{capital(peer.who)} took the request but did not answer in time.", code="timeout")
        self.drop()
        return why

    def _hear_out(self) -> None:
        """Let the reactor read what the peer said before the connection broke.

        Who aborts does not read on: our next bytes fail, and that is known here before the A-ABORT was read.
        """
        if self._wire.lost and not self._late:
            self.association.dul.join(_LAST_WORDS)  # it ends with the connection, once there is no more to read

    def release(self) -> None:
        """End the association politely. A peer that does not answer is left: everything was said before."""
        if not self.usable:
            self.drop()
            return
        with self.within(self.timeouts.negotiate):
            self.association.release()
        if not self.association.is_released:
            event(_log, "release_unanswered", peer=self.peer.name)
        self.drop()

    def drop(self) -> None:
        """End the association at once."""
        if self.association.is_established and not self._late:
            with self.within(1.0):
                self.association.abort()
        self._wire.cut()
        with self.within(1.0):
            self.association.kill()
        self._wire.close()


def open_link(
    peer: Peer,
    *,
    our_ae: str,
    contexts: Sequence[Context],
    timeouts: Timeouts,
    allowance: int = ALLOWANCE,
    heard: Callable[[evt.Event], None] | None = None,
    both_roles: bool = False,
) -> Link:
    """Open an association or raise TryLater / NeedsConfiguration.

    allowance: bytes the peer may send over the life of the association; heard: called with every DIMSE message,
    in pynetdicom's thread; both_roles: the peer may send requests too, see Link.request (PS3.7 D.3.3.4).
    """
    entity = _entity(peer, our_ae, timeouts, allowance)
    ears = Ears()
    handlers = _handlers(ears, heard)

    def expire() -> None:  # a peer that answers byte by byte would keep us for hours
        if entity.wire is not None:
            entity.wire.cut()

    try:
        with deadline(timeouts.connect + timeouts.negotiate + 1, expire):
            roles = _roles(contexts) if both_roles else []
            association = _associate(entity, peer, _offers(contexts), roles, handlers)
    except (socket.gaierror, UnicodeError):  # Python's own of a name with an empty or a too long label
        raise unknown_host(peer) from None
    wire = entity.wire
    assert wire is not None
    if not association.is_established:
        because = refusal(peer, our_ae, association, wire, ears)
        _dispose(association, wire)
        raise because
    link = Link(peer=peer, association=association, wire=wire, inbox=entity.inbox, timeouts=timeouts, ears=ears)
    if not tuning.limit_pdu(association):
        link.drop()
        raise TryLater(f"{capital(peer.who)} takes PDUs too small to carry anything.", code="garbage")
    return link


def agreed(association: Association) -> dict[int, Context]:
    """Return what was agreed on, by the number of its context."""
    return {
        int(c.context_id or 0): Context(
            abstract_syntax=str(c.abstract_syntax), transfer_syntax=str(c.transfer_syntax[0])
        )
        for c in association.accepted_contexts
    }


def _associate(
    entity: tuning.Entity,
    peer: Peer,
    offers: list[PresentationContext],
    roles: list[Any],
    handlers: list[Any],
) -> Association:
    return entity.associate(
        target(peer.host), peer.port, offers, ae_title=peer.ae_title, ext_neg=roles, evt_handlers=handlers
    )


def _entity(peer: Peer, our_ae: str, timeouts: Timeouts, allowance: int) -> tuning.Entity:
    try:
        secured = (tls.for_calls(peer.tls), named(peer.host)) if peer.tls else None
    except tls.TlsFileUnusable as error:
        raise tls.file_unusable(peer, error) from None
    entity = tuning.Entity(our_ae, stall=timeouts.stall, allowance=allowance, tls=secured)
    entity.connection_timeout = timeouts.connect
    entity.acse_timeout = timeouts.negotiate
    entity.dimse_timeout = timeouts.answer
    entity.network_timeout = timeouts.idle
    return entity


def _handlers(ears: Ears, heard: Callable[[evt.Event], None] | None) -> list[Any]:
    handlers: list[Any] = [(evt.EVT_PDU_RECV, ears.pdu), (evt.EVT_FSM_TRANSITION, ears.machine)]
    return [*handlers, (evt.EVT_DIMSE_RECV, heard)] if heard else handlers


def _dispose(association: Association, wire: WatchedSocket) -> None:
    """End both at once."""
    wire.cut()
    association.kill()
    wire.close()


def _offers(contexts: Sequence[Context]) -> list[PresentationContext]:
    return [build_context(c.abstract_syntax, c.transfer_syntax) for c in contexts]


def _roles(contexts: Sequence[Context]) -> list[Any]:
    classes = dict.fromkeys(context.abstract_syntax for context in contexts)
    return [build_role(each, scu_role=True, scp_role=True) for each in classes]
