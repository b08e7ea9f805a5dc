"""Sockets that never wait without end, tell why they failed, and take only so many bytes; plain, and with TLS.

Nothing here knows DICOM.
"""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

_PIECE = 64 * 1024  # bytes that are read at once


class WireBroken(Exception):
    """The connection ended while we were writing."""


class WatchedSocket(socket.socket):
    """A TCP socket that never waits without end, tells why it failed, and takes only so many bytes.

    stall: seconds within which some bytes must move; allowance: bytes that may still arrive, None for no bound.
    """

    def __init__(self, plain: socket.socket, *, stall: float, allowance: int | None) -> None:
        """Take over the file descriptor of `plain`."""
        timeout = plain.gettimeout()
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        super().settimeout(timeout)
        self.stall = stall
        self.allowance = allowance
        self.failure: OSError | None = None  # why connecting failed
        self.trouble: ssl.SSLError | None = None  # what TLS found wrong, before or after the connection stood
        self.lost = False  # the other side, or the network, ended it before we did
        self.leaving = False  # we are ending it
        self.received = 0
        self.written = 0

    def settimeout(self, value: float | None) -> None:
        """Set a timeout; "without end" means `stall` here."""
        super().settimeout(self.stall if value is None else value)

    def connect(self, address: Any) -> None:  # noqa: ANN401 - the signature of socket.connect
        try:
            super().connect(address)
        except OSError as error:
            self.failure = error
            raise
        self.speed_up()

    def speed_up(self) -> None:
        """Keep small messages from waiting for each other (Nagle, delayed acknowledgement)."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        try:
            data = super().recv(bufsize, flags)
            if data:
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # the kernel forgets it
        except OSError as error:
            self._ended(error)
            raise
        if not data:
            self._ended()
        self.received += len(data)
        if self.overflowed:
            raise OSError("more bytes than were asked for")  # pynetdicom ends the association
        return data

    @property
    def securing(self) -> bool:
        """Whether TCP is connected and TLS is not."""
        return False

    @property
    def overflowed(self) -> bool:
        return self.allowance is not None and self.received > self.allowance

    def write(self, data: bytes) -> None:
        """Send all of `data`, at least some of it every `stall` seconds, or raise WireBroken."""
        try:
            self.sendall(data)
        except OSError as error:
            self._ended(error)
            raise WireBroken from error
        self.written += len(data)

    def cut(self) -> None:
        """End the connection at once, whatever any thread waits for on it."""
        self.leaving = True
        self.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how: int) -> None:
        """End it also when the other side did so first: pynetdicom would then forget to close it."""
        with suppress(OSError):
            super().shutdown(how)

    def _ended(self, error: OSError | None = None) -> None:
        if not self.leaving and not isinstance(error, TimeoutError):
            self.lost = True


class TlsSocket(WatchedSocket):
    """The same with TLS: what is written and read here goes encrypted over the line, or not at all.

    OpenSSL works on memory, never on the line itself, so a lock around it is never held while the line waits: one
    thread may read while another writes, and `cut` ends both. CPython's own SSLSocket lets two threads into one
    OpenSSL connection, which OpenSSL forbids, and forgets TLS on shutdown: what is written next would go in clear.
    """

    def __init__(
        self,
        plain: socket.socket,
        *,
        stall: float,
        allowance: int | None,
        context: ssl.SSLContext,
        server_name: str | None = None,
        failed: Callable[[ssl.SSLError], None] | None = None,
    ) -> None:
        """Take over `plain`. server_name: whom we call; None when we were called. failed: hears of `trouble`."""
        super().__init__(plain, stall=stall, allowance=allowance)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )
        self._cipher = threading.Lock()  # around OpenSSL; never held while waiting
        self._line = threading.Lock()  # what is encrypted first goes out first
        self._clear = bytearray()  # decrypted, and not fetched yet
        self._failed = failed
        self._connecting = False
        self._shaken = False  # the handshake is done
        self._over = False  # nothing more will come
        self._said_goodbye = False

    @property
    def securing(self) -> bool:
        return self._connecting

    @property
    def agreed(self) -> bool:
        """Whether version and cipher were agreed on, however it went on."""
        with self._cipher:
            return self._session.cipher() is not None

    @property
    def proven_until(self) -> datetime | None:
        """When the other side's certificate ends; None before it was verified."""
        with self._cipher:
            shown: Any = self._session.getpeercert() if self._shaken else None
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC) if shown else None

    def connect(self, address: Any) -> None:  # noqa: ANN401 - the signature of socket.connect
        """Connect and secure the connection; `failure` says which error ended it."""
        super().connect(address)
        self._connecting = True
        try:
            self._advance()
            while not self._shaken and not self._over:
                self._take_in()
            if self.trouble is not None:
                raise self.trouble
        except OSError as error:
            self.failure = TimeoutError() if self.leaving else error  # `leaving`: our own deadline ended it
            raise
        self._connecting = False

    @property
    def holds(self) -> bool:
        """Whether `recv` has something to return at once; no `select` sees what was decrypted already."""
        return bool(self._clear) or self._over

    def look(self) -> bool:
        """Take in what the line has, whose bytes may all be TLS's own; say whether `recv` has something now."""
        if not self.holds:
            try:
                self._take_in()
            except OSError:
                return True  # `recv` meets it again
        return self.holds

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        del flags
        while not self.holds:
            self._take_in()
        if self._clear:
            data = bytes(self._clear[:bufsize])
            del self._clear[:bufsize]
            return data
        if self.trouble is not None:
            raise self.trouble
        return b""

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - the signature of socket.send
        self.sendall(data, flags)
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - the signature of socket.sendall
        """Encrypt `data` and send all of it, as the line takes it."""
        del flags
        with self._line:
            with self._cipher, memoryview(data) as view:
                sent = 0
                while sent < len(view):
                    sent += self._session.write(view[sent:])
                encrypted = self._outgoing.read()
            super().sendall(encrypted)

    def cut(self) -> None:
        self._said_goodbye = True
        super().cut()

    def shutdown(self, how: int) -> None:
        self._goodbye()
        super().shutdown(how)

    def _take_in(self) -> None:
        """Wait for bytes of the line, at most `stall`, and decrypt them."""
        raw = super().recv(_PIECE)
        with self._cipher:
            if raw:
                self._incoming.write(raw)
            else:
                self._incoming.write_eof()
        self._advance()

    def _advance(self) -> None:
        """Let OpenSSL work on what came, and send what it has to say itself."""
        with self._cipher:
            try:
                if not self._shaken:
                    self._session.do_handshake()
                    self._shaken = True
                while piece := self._session.read(_PIECE):
                    self._clear += piece
                self._over = True  # the other side said goodbye
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                self._over = True
                if not (self._shaken and isinstance(error, ssl.SSLEOFError)):  # an end without goodbye is an end
                    self.trouble = error
        if self._over:
            self._ended(self.trouble)
            if self.trouble is not None and self._failed is not None:
                self._failed(self.trouble)
        if self._line.acquire(blocking=False):  # whoever holds it sends this too, with what it writes next
            try:
                with self._cipher:
                    own = self._outgoing.read()
                if own:
                    super().sendall(own)
            finally:
                self._line.release()

    def _goodbye(self) -> None:
        """Tell the other side that this is our end and not a cut line (RFC 8446 6.1), if that needs no waiting."""
        if self._said_goodbye or not self._line.acquire(blocking=False):
            return
        self._said_goodbye = True
        try:
            with self._cipher:
                with suppress(ssl.SSLError):  # it would wait for the other side's
                    self._session.unwrap()
                own = self._outgoing.read()
            self.settimeout(0)
            with suppress(OSError):
                super().sendall(own)
        finally:
            self._line.release()
