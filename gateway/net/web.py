"""HTTP to one archive: one request at a time, each with its deadline; nothing is followed, little is read.

Raises TryLater and NeedsConfiguration for what keeps an answer away; what an answer means others say. Names, tokens
and passwords stand in no error and no log line.
"""

import base64
import logging
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from gateway import IMPLEMENTATION_VERSION_NAME
from gateway.config.secret import secret_in
from gateway.config.settings import Destination, Tls
from gateway.config.values import Wrong
from gateway.errors import DeliveryError, TryLater
from gateway.net import refusals, tls
from gateway.net.deadline import deadline
from gateway.net.peers import Peer, Timeouts, capital
from gateway.net.refusals import AGAIN

_PORTS = {"http": 80, "https": 443}
_HANG_UP = ("Server disconnected", "peer closed connection")  # httpcore2's words for an end without an answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer as it came. retry_after_s: 0 when it does not say."""

    status: int
    body: bytes
    content_type: str
    retry_after_s: float

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's successes


class _NotedSocket(ssl.SSLSocket):
    """Says with an error whether version and cipher were agreed on: see `tls.fault_of`."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of SSLSocket
        try:
            super().do_handshake(block)
        except ssl.SSLError as error:
            error.agreed = self.cipher() is not None  # type: ignore[attr-defined]
            raise


class Web:
    """The connection to one archive, kept open between requests. Enter it first.

    usable: False once its state is in doubt. proven_until: when the archive's certificate ends; None without TLS.
    """

    def __init__(self, destination: Destination, *, timeouts: Timeouts) -> None:
        where = urlsplit(destination.url)
        secured = where.scheme == "https"
        self._destination = destination
        self._timeouts = timeouts
        self.peer = Peer(
            kind="archive",
            name=destination.name,
            ae_title="",
            host=where.hostname or "",
            port=where.port or _PORTS[where.scheme],
            tls=(destination.tls or Tls(ca=None)) if secured else None,
        )
        self.usable = True
        self.proven_until: datetime | None = None
        self._client: httpx2.Client | None = None
        self._socket: socket.socket | None = None
        self._late = False

    def __enter__(self) -> Self:
        quiet()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # of no use with http://, but httpx2 would make a big one
        if self.peer.tls is not None:
            try:
                context = tls.for_calls(self.peer.tls)
            except tls.TlsFileUnusable as error:
                raise tls.file_unusable(self.peer, error) from None
            context.sslsocket_class = _NotedSocket
        self._client = httpx2.Client(
            verify=context,
            trust_env=False,  # no proxy, no .netrc: the configuration says everything
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=1),
            headers={"User-Agent": IMPLEMENTATION_VERSION_NAME, "Accept-Encoding": "identity"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        most: int,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Iterable[bytes] | None = None,
    ) -> Answer:
        """Send one request and return its answer. seconds: for all of it; most: bytes of the answer's body."""
        assert self._client is not None
        signed = {**(headers or {}), **self._sign_on()}
        limits = self._timeouts
        self._late = False
        try:
            with (
                deadline(seconds, self._expire),
                self._client.stream(
                    method,
                    self._destination.url + path,
                    params=params,
                    headers=signed,
                    content=content,
                    timeout=httpx2.Timeout(connect=limits.connect, write=limits.stall, read=seconds, pool=1.0),
                    extensions={"trace": self._note},
                ) as response,
            ):
                return self._answer(response, most)
        except httpx2.TransportError as error:
            raise self._broken(error) from None
        except UnicodeError:
            self.usable = False
            raise self._unknown_or_garbage() from None
        except (httpx2.InvalidURL, ValueError):  # httpx2 reads the address of a redirection that nobody follows
            self.usable = False
            raise self._garbage() from None

    def _answer(self, response: httpx2.Response, most: int) -> Answer:
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > most:
                self.usable = False
                raise TryLater(f"{capital(self.peer.who)} sent more than any answer has.", code="endless")
        return Answer(
            status=response.status_code,
            body=bytes(body),
            content_type=response.headers.get("Content-Type", "").lower(),
            retry_after_s=_retry_after(response.headers),
        )

    def _sign_on(self) -> dict[str, str]:
        """Return the header that says who we are; the files are read anew each time."""
        ours = self._destination
        path = ours.token_file or ours.password_file
        if path is None:
            return {}
        try:
            secret = secret_in(path)
        except (OSError, Wrong) as error:
            why = str(error) if isinstance(error, Wrong) else f"{path} cannot be read: {error.strerror}"
            failure = TryLater(
                f"{capital(self.peer.who)} was not called: its sign-on cannot be used ({why}).",
                code="secret-file",
                action="It is tried again by itself. Call IT: put the file right.",
            )
            failure.nothing_left = True
            raise failure from None
        if ours.token_file is not None:
            return {"Authorization": f"Bearer {secret}"}
        return {"Authorization": f"Basic {base64.b64encode(f'{ours.user}:{secret}'.encode()).decode('ascii')}"}

    # --- when no answer comes -----------------------------------------------------------------------------

    def _note(self, name: str, info: Mapping[str, Any]) -> None:
        """Keep the socket: it is the one way to end a request from another thread."""
        if name in {"connection.connect_tcp.started", "connection.connect_tcp.failed"}:
            self._socket = None
        elif name in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = info["return_value"].get_extra_info("socket")
            if self._late:  # the time was up before there was a connection to end
                self._expire()
            if isinstance(self._socket, ssl.SSLSocket):
                shown: Any = self._socket.getpeercert()
                self.proven_until = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)

    def _expire(self) -> None:
        self._late = True
        if self._socket is not None:
            with suppress(OSError):
                # Never SSLSocket's own: it forgets TLS first, and a writer would go on in clear.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _broken(self, error: httpx2.TransportError) -> DeliveryError:
        """Say why there is no answer. After this the connection is not used again."""
        self.usable = False
        peer = self.peer
        connecting = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
        causes = list(_causes(error))
        trouble = next((c for c in causes if isinstance(c, ssl.SSLError) and not _mere_end(c)), None)
        why: DeliveryError
        if trouble is not None:
            why = tls.refusal(peer, trouble, agreed=getattr(trouble, "agreed", False))
        elif connecting:
            why = self._not_connected(causes)
        elif self._late or isinstance(error, httpx2.TimeoutException):
            why = TryLater(f"{capital(peer.who)} took the request but did not answer in time.", code="timeout")
        elif isinstance(error, httpx2.ProtocolError) and not str(error).startswith(_HANG_UP):
            why = self._garbage()
        else:
            why = TryLater(
                f"The connection to {peer.who} broke.",
                code="dropped",
                action=f"{AGAIN}: check the network between this box and {peer.where}.",
            )
        why.nothing_left = connecting or trouble is not None
        return why

    def _garbage(self) -> DeliveryError:
        return TryLater(
            f"{capital(self.peer.who)} gave an answer that is not HTTP.",
            code="garbage",
            action=f"{AGAIN}: check that {self.peer.port} is the port of its DICOMweb service.",
        )

    def _unknown_or_garbage(self) -> DeliveryError:
        """Say what a UnicodeError means: Python's own of our name when there is no connection yet."""
        if self._socket is not None:
            return self._garbage()
        why = refusals.unknown_host(self.peer)
        why.nothing_left = True
        return why

    def _not_connected(self, causes: list[BaseException]) -> DeliveryError:
        failure = next((c for c in causes if isinstance(c, OSError)), TimeoutError())
        if self._socket is not None:
            return refusals.not_secured(self.peer, failure)
        return refusals.not_connected(self.peer, failure)


def quiet() -> None:
    """Keep the libraries from logging what they send: their lines hold addresses and sign-ons."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _mere_end(error: ssl.SSLError) -> bool:
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)


def _retry_after(headers: Mapping[str, str]) -> float:
    """RFC 9110 10.2.3: seconds, or a date, which is compared with the server's own clock."""
    words = headers.get("Retry-After", "").strip()
    if words.isdecimal() and len(words) < 10:  # noqa: PLR2004 - what is more is no wish, and capped anyway
        return float(words)
    try:
        wait = parsedate_to_datetime(words) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):  # the last: of a time zone with twenty digits
        return 0.0
    return max(0.0, wait.total_seconds())
