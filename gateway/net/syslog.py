"""Syslog over TLS (RFC 5424, RFC 5425) to one audit repository. Offers no UDP and no TCP in clear.

Syslog has no answers. What was sent counts as taken when the server, told that nothing more comes, ends the
connection in order: it then has read everything before. A server that resets it, or says nothing, has not.
"""

import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.config.settings import AuditRepository
from gateway.errors import DeliveryError, TryLater
from gateway.messages import N_
from gateway.net import refusals, tls
from gateway.net.deadline import deadline
from gateway.net.echo import EchoAnswer
from gateway.net.peers import Peer, Timeouts, capital, named
from gateway.net.wires import TlsSocket, WireBroken

_PRIORITY = 10 * 8 + 5  # facility "security/authorization messages", severity "notice" (PS3.15 A.6.1)
_BOM = b"\xef\xbb\xbf"  # what follows is UTF-8 (RFC 5424 6.4)
_PIECE = 4096
_LISTEN_S = 0.5  # a server of TLS 1.3 judges our certificate when we are done: it refuses within this, or does not


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRecord:
    """One message: its number at this box, when it happened, the XML."""

    number: int
    utc: datetime
    xml: bytes


def repository(settings: AuditRepository) -> Peer:
    """Return whom the configuration means, in the words of the person who reads about it."""
    return Peer(
        kind="audit repository",
        name=settings.host,
        ae_title="",
        host=settings.host,
        port=settings.port,
        tls=settings.tls,
    )


def framed(record: AuditRecord, *, our_host: str) -> bytes:
    """Return a record as it goes over the line: its length, then the message (RFC 5425 4.3, PS3.15 A.6.1)."""
    when = record.utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = (
        f"<{_PRIORITY}>1 {when} {our_host} scopegate - DICOM+RFC3881 "
        f'[meta sequenceId="{record.number % 2**31 or 1}"] '  # RFC 5424 7.3.1: 1 to 2147483647
    )
    message = head.encode("ascii") + _BOM + record.xml
    return b"%d %b" % (len(message), message)


def tell(peer: Peer, records: Sequence[AuditRecord], *, our_host: str, timeouts: Timeouts | None = None) -> None:
    """Send records over one connection; when this returns the server has read them.

    Raises TryLater or NeedsConfiguration: any number of them, from the first on, may have arrived.
    """
    timeouts = timeouts or Timeouts()
    data = b"".join(framed(record, our_host=our_host) for record in records)
    wire = _opened(peer, timeouts)
    with closing(wire), deadline(timeouts.for_bytes(len(data)), wire.cut):
        _let_it_refuse(peer, wire)
        try:
            wire.write(data)
            wire.shutdown(socket.SHUT_WR)
            _await_the_end(wire, timeouts)
        except (OSError, WireBroken) as error:
            raise _unsure(peer, wire, error) from None
        if wire.leaving:  # our own deadline ended it
            raise _unsure(peer, wire, TimeoutError())
        if _unsent(wire):  # it was reset, and somebody read that already
            raise _unsure(peer, wire, ConnectionResetError())


def knock(peer: Peer, *, deadline_s: float) -> EchoAnswer:
    """Ask whether the server would take messages, and send none. Never raises for what it does."""
    timeouts = Timeouts(connect=deadline_s, negotiate=deadline_s, answer=deadline_s)
    try:
        wire = _opened(peer, timeouts)
        with closing(wire), deadline(deadline_s, wire.cut):
            _let_it_refuse(peer, wire)
            wire.shutdown(socket.SHUT_WR)
            return EchoAnswer(ok=True, proven_until=wire.proven_until)
    except DeliveryError as error:
        return EchoAnswer(ok=False, code=error.code, what=error.what, action=error.action)


def _opened(peer: Peer, timeouts: Timeouts) -> TlsSocket:
    assert peer.tls is not None
    try:
        context = tls.for_calls(peer.tls)
    except tls.TlsFileUnusable as error:
        raise tls.file_unusable(peer, error) from None
    family, where = _where(peer)
    plain = socket.socket(family, socket.SOCK_STREAM)
    plain.settimeout(timeouts.connect)
    wire = TlsSocket(plain, stall=timeouts.stall, allowance=None, context=context, server_name=named(peer.host))
    try:
        with deadline(timeouts.connect + timeouts.negotiate, wire.cut):
            wire.connect(where)
    except OSError as error:
        securing, agreed = wire.securing, wire.agreed
        wire.close()
        if isinstance(error, ssl.SSLError):
            raise tls.refusal(peer, error, agreed=agreed) from None
        said = refusals.not_secured if securing else refusals.not_connected
        raise said(peer, wire.failure or error) from None
    return wire


def _where(peer: Peer) -> tuple[int, Any]:
    """Return the family and the address of a socket's call. Raises TryLater."""
    try:
        family, _, _, _, where = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):  # Python's own of a name with an empty or a too long label
        raise refusals.unknown_host(peer) from None
    return family, where


def _let_it_refuse(peer: Peer, wire: TlsSocket) -> None:
    """Listen before the first byte. Raises TryLater or NeedsConfiguration when the server ends the connection."""
    wire.settimeout(_LISTEN_S)
    try:
        wire.recv(_PIECE)
    except TimeoutError:
        wire.settimeout(None)
        return
    except OSError:
        if wire.trouble is not None:
            raise tls.refusal(peer, wire.trouble, agreed=True) from None
    raise TryLater(
        N_(f"{capital(peer.who)} closed the connection before anything was sent."),
        code="dropped",
        action="It is tried again by itself. If it lasts, call IT: check that "
        f"{peer.name} trusts the certificate of this box.",
    )


def _await_the_end(wire: TlsSocket, timeouts: Timeouts) -> None:
    """Wait until the server ends the connection in order: first TLS, then the line. Raises OSError."""
    wire.settimeout(timeouts.answer)
    while wire.recv(_PIECE):
        pass
    while socket.socket.recv(wire, _PIECE):  # a reset that follows its goodbye says that it did not read all
        pass


def _unsent(wire: socket.socket) -> int:
    """Return how many bytes the other machine did not acknowledge (SIOCOUTQ)."""
    (count,) = struct.unpack("i", fcntl.ioctl(wire.fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(count)


def _unsure(peer: Peer, wire: TlsSocket, error: Exception) -> DeliveryError:
    """Return the error of records of which nobody knows whether they were read."""
    if wire.trouble is not None:
        return tls.refusal(peer, wire.trouble, agreed=True)
    silent = isinstance(error, TimeoutError)
    how = "took the connection but did not end it" if silent else "broke off the connection"
    return TryLater(
        N_(f"{capital(peer.who)} {how}: nobody knows what it has."),
        code="silent" if silent else "dropped",
        action=f"It is tried again by itself. If it lasts, call IT: look at the log of {peer.name}.",
    )
