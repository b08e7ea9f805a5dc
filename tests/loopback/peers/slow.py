"""A slow line: passes TCP on to a peer at so many bytes a second, and holds next to nothing in between."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self

_PIECE = 16 * 1024  # bytes; also what each socket may hold


class SlowLink:
    """Listens on `port` of 127.0.0.1. Towards the peer `bytes_per_s`, back as fast as it comes.

    `passed`: bytes that went towards the peer.
    """

    def __init__(self, peer_port: int, *, bytes_per_s: int) -> None:
        self._peer_port = peer_port
        self._rate = bytes_per_s
        self._gone = threading.Event()
        self._listener = socket.socket()
        self._listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE
        )  # before listen: who calls inherits it
        self._listener.bind(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.passed = 0
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._gone.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in (self._listener, *self._sockets):
            each.close()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._peer_port))
            far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECE)
            self._sockets += [near, far]
            self._start(self._pass_on, near, far, self._rate)
            self._start(self._pass_on, far, near, 0)

    def _pass_on(self, source: socket.socket, target: socket.socket, rate: int) -> None:
        began, count = time.monotonic(), 0
        with suppress(OSError):  # either side may hang up
            while data := source.recv(_PIECE):
                target.sendall(data)
                count += len(data)
                if rate:
                    self.passed += len(data)
                    self._gone.wait(max(0.0, count / rate - (time.monotonic() - began)))
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
