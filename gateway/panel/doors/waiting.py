"""What the panel answers while the spool cannot be opened: why, and what is safe."""

import html
import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from gateway.clock import Clock, Stopwatch
from gateway.config.settings import ENGLISH
from gateway.errors import DiskFull, SpoolError
from gateway.panel import problems
from gateway.panel.words import Languages

_SLOW_S = 2.0  # a client that sends nothing for so long is hung up on
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>Scopegate</title>
<style>body{{background:#0b0f12;color:#fff;font:28px/1.4 sans-serif;margin:3em}}</style></head>
<body><h1>{what}</h1><p>{detail}</p><p>{code}</p></body></html>
"""


class Waiting(HTTPServer):
    """Answers on the panel's own listening socket, one request at a time."""

    def __init__(self, listener: socket.socket, clock: Clock, languages: Languages, usual: str) -> None:
        super().__init__(listener.getsockname()[:2], _Answer, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._clock = clock
        self.languages = languages
        self.usual = usual  # the language of the page
        self.error: SpoolError = DiskFull("The box is full.")

    def say(self, error: SpoolError) -> None:
        """Answer with this from now on."""
        self.error = DiskFull("The box is full.") if isinstance(error, DiskFull) else error

    def serve_for(self, seconds: float, stop: threading.Event) -> None:
        """Answer whoever asks, for about `seconds`."""
        watch = Stopwatch(self._clock)
        self.timeout = 0.2
        while watch.seconds < seconds and not stop.is_set():
            self.handle_request()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Say nothing: a client that hung up is no matter."""


class _Answer(BaseHTTPRequestHandler):
    server: Waiting
    timeout = _SLOW_S

    def _answer(self) -> None:
        error = self.server.error
        if self.path.startswith("/api/v1/health"):
            kind, content = "application/json", _health(error)
        elif self.path.startswith("/api/"):
            kind, content = (
                problems.MEDIA_TYPE,
                json.dumps(problems.document_of(error, self.server.languages[ENGLISH])),
            )
        else:
            language = self.server.languages[self.server.usual]
            said = problems.document_of(error, language)
            facts = {name: html.escape(str(word)) for name, word in said.items()}
            page = _PAGE.format(language=language.language, **facts)
            kind, content = "text/html; charset=utf-8", page
        body = content.encode()
        self.send_response(HTTPStatus.SERVICE_UNAVAILABLE)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Retry-After", "2"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET: Callable[["_Answer"], None] = _answer  # noqa: N815 - as http.server has it
    do_POST: Callable[["_Answer"], None] = _answer  # noqa: N815

    def version_string(self) -> str:
        return "scopegate"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: addresses of requests stay out of the journal."""


def _health(error: SpoolError) -> str:
    state = "full" if isinstance(error, DiskFull) else "failed"
    disk = {"name": "disk", "state": state, "code": error.code, "what": error.what, "action": error.action}
    nothing: dict[str, list[object]] = {"processes": [], "sources": [], "destinations": [], "worklists": []}
    return json.dumps({"can_capture": False, **nothing, "disk": disk})
