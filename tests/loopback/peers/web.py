"""A DICOMweb store that does what a test wants with each request."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pydicom import dcmread

REFERENCED, FAILED = "00081199", "00081198"


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    parts: list[bytes] = field(default_factory=list, repr=False)
    uids: list[str] = field(default_factory=list)


def json_answer(stored: dict[str, int | None] = {}, failed: dict[str, int | None] = {}) -> bytes:  # noqa: B006
    """Return a store's answer: UID -> warning or failure reason."""

    def items(of: dict[str, int | None], reason: str) -> dict[str, Any]:
        value = [
            {"00081155": {"vr": "UI", "Value": [uid]}, **({reason: {"vr": "US", "Value": [code]}} if code else {})}
            for uid, code in of.items()
        ]
        return {"vr": "SQ", "Value": value}

    whole = {}
    if stored:
        whole[REFERENCED] = items(stored, "00081196")
    if failed:
        whole[FAILED] = items(failed, "00081197")
    return json.dumps(whole).encode()


class FaultWeb:
    """Served at `url`. Without `behave` it takes everything and answers searches for what it has.

    behave(request, asked): use `request.answer(...)`, the connection, or return False for the usual.
    """

    def __init__(self, *, secured: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.has: dict[str, bytes] = {}
        self.study = "2.25.1"  # in which all of it is
        self.behave: Callable[[Any, Asked], Any] | None = None
        self.gone = threading.Event()
        outer = self

        class Handler(_Handler):
            peer = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # cut lines are the point
        self.port = self._server.server_address[1]
        self.url = f"{'https' if secured else 'http'}://127.0.0.1:{self.port}/dicom-web"
        if secured:
            self._server.socket = secured.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gone.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def posts(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "POST"]

    def searches(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    peer: FaultWeb
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", kind: str = "application/dicom+json", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.connection.close()

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(method=self.command, path=parts.path, query=parse_qs(parts.query), headers=headers)
        self.peer.asked.append(asked)
        return asked

    def do_GET(self) -> None:
        asked = self._asked()
        if self.peer.behave and self.peer.behave(self, asked) is not False:
            return
        wanted = asked.query.get("SOPInstanceUID", sorted(self.peer.has))
        found = [
            {"00080018": {"vr": "UI", "Value": [uid]}, "0020000D": {"vr": "UI", "Value": [self.peer.study]}}
            for uid in wanted
            if uid in self.peer.has
        ]
        start, count = (
            int(asked.query.get(name, [str(usual)])[0]) for name, usual in (("offset", 0), ("limit", 99))
        )
        self.answer(200, json.dumps(found[start : start + count]).encode())

    def do_POST(self) -> None:
        asked = self._asked()
        if self.peer.behave and self.peer.behave(self, asked) is not False:
            return
        self.take(asked)
        self.answer(200, json_answer(dict.fromkeys(asked.uids)))

    def take(self, asked: Asked) -> None:
        """Read the body and keep its objects."""
        body = self.rfile.read(int(asked.headers["content-length"]))
        boundary = re.search(r'boundary="?([^";]+)', asked.headers["content-type"])
        assert boundary
        mark = b"--" + boundary[1].encode()
        assert body.startswith(mark + b"\r\n")
        assert body.endswith(b"\r\n" + mark + b"--\r\n")
        for part in body[: -len(mark) - 6].split(mark + b"\r\n")[1:]:
            head, _, content = part.partition(b"\r\n\r\n")
            assert head == b"Content-Type: application/dicom"
            uid = str(dcmread(BytesIO(content), stop_before_pixels=True).file_meta.MediaStorageSOPInstanceUID)
            asked.parts.append(content)
            asked.uids.append(uid)
            self.peer.has[uid] = content
