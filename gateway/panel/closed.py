"""What the screen shows while the box's data cannot be opened. The panel's port, and nothing of the panel.

It opens no spool and reads no settings; every address answers the same page, with 503. No exam can be worked on and
nothing acknowledged, because nothing that could do so runs. Which language the clinic chose lies on the data, so
the page says it in every one. Where a person can open them, the page takes a start PIN or a recovery code and hands
it to root (gateway/machine/encryption/service.py); two more pages ask root for a repair (machine/repair/desk.py).
None needs a script.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gateway.clock import Clock
from gateway.config.settings import LANGUAGES, Panel
from gateway.config.told import FOLDER, told
from gateway.log import event, to_stderr
from gateway.messages import N_
from gateway.panel import closed_pages
from gateway.panel.asking_root import AskingRoot
from gateway.panel.doors.connections import BACKLOG, Door, WebServer
from gateway.panel.doors.guard import LOOPBACK_NAMES
from gateway.panel.words import Languages, Words
from gateway.spool.files import Files

_log = logging.getLogger(__name__)
_SUBJECT, _REPAIR, _UPDATE = "data", "repair", "update"
_LARGEST = 1024  # bytes of a form
_DIGITS = 6  # of the number that erases the box
_AGAIN_S, _SOON_S = 10, 2  # that the page waits before it looks whether the panel is there
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_UNKNOWN = {  # where root said nothing, or only that all is well: then it could not be mounted
    "code": "data-closed",
    "what": N_("The box cannot open its data."),
    "safe": N_("What is on its disk stays as it is. No picture can be taken."),
    "action": N_("Switch the box off and on again; if this page comes back, call service."),
}


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where root says what it found and is asked, and what the image says of itself."""

    says: Path = FOLDER
    requests: Path = Path("/run/scopegate")
    image: Path = Path("/usr/lib/scopegate/image")

    def said(self) -> dict[str, Any]:
        """Return what root says of the data, or of a repair, in words that are shown."""
        repair = told(_REPAIR, self.says) or {}
        found = repair if repair.get("code") else told(_SUBJECT, self.says) or {}
        if not found.get("code"):
            return dict(_UNKNOWN)
        words = {key: str(found.get(key) or _UNKNOWN[key]) for key in _UNKNOWN}
        return {**words, "doing": str(found["doing"])} if found.get("doing") else words

    def asking(self, subject: str, clock: Clock) -> AskingRoot:
        return AskingRoot(subject, requests=self.requests, files=Files(), clock=clock, says=self.says)

    @property
    def proving(self) -> bool:
        """Say whether root repairs nothing for now, because a new version has to prove itself."""
        return bool((told(_UPDATE, self.says) or {}).get("proving"))

    def service(self) -> str:
        """Return whom to call, as whoever built the image said; "" when nobody did."""
        try:
            lines = self.image.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return ""
        return next((line.removeprefix("SERVICE=") for line in lines if line.startswith("SERVICE=")), "")


def run() -> None:
    """Serve until stopped, where the box's own browser looks for the panel."""
    address, box = Panel().listen, Box()
    config = uvicorn.Config(
        create_app(box, languages=Languages(), clock=Clock()),
        host=address.host,
        port=address.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=Door(),  # type: ignore[arg-type]  # uvicorn only calls it
        backlog=BACKLOG,
        ws="none",
        server_header=False,
        proxy_headers=False,
    )
    event(_log, "data_closed", code=box.said()["code"], listen=str(address))
    WebServer(config).run()


def create_app(box: Box, *, languages: Languages, clock: Clock) -> Starlette:
    """Return the application; what root says is read for each answer."""
    shown = _Pages(box, [languages[tag] for tag in LANGUAGES], clock)

    async def answer(request: Request) -> Response:
        if request.url.path.startswith("/api/"):
            return JSONResponse(await run_in_threadpool(box.said), 503, headers=_HEADERS)
        form = None
        if request.method == "POST" and _is_ours(request):
            form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace")))
        text = await run_in_threadpool(partial(shown.page, request.url.path, form))
        return HTMLResponse(text, 503, headers=_HEADERS)

    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])


class _Pages:
    """What is shown, and what is typed on it. Blocks: reads and writes files."""

    def __init__(self, box: Box, languages: Sequence[Words], clock: Clock) -> None:
        self._box = box
        self._languages = languages
        self._clock = clock
        self._keys, self._repairs = box.asking(_SUBJECT, clock), box.asking(_REPAIR, clock)
        self._offered = ""  # the number that erases the box, while it is shown
        self._asked = ""  # under which number root was asked for a repair last

    def page(self, path: str, form: Mapping[str, str] | None) -> str:
        """Return a page; `form`: what was typed on it, None where nobody did."""
        proving = self._box.proving
        match path:
            case "/erase" if not proving:
                return self._erase(form)
            case "/rescue" if not proving:
                return self._rescue(form)
            case _:
                return self._main(form if path == "/unlock" else None)

    def _main(self, form: Mapping[str, str] | None, *, again_s: int = _AGAIN_S) -> str:
        typed, done = _typed(form)
        if done:
            self._keys.begin("unlock", typed)
            again_s, typed = _SOON_S, ""
        said = self._box.said()
        again_s = 0 if typed else _SOON_S if said.get("doing") else again_s
        return closed_pages.main(
            said,
            self._box.service(),
            self._languages,
            proving=self._box.proving,
            typed=typed,
            again_s=again_s,
        )

    def _erase(self, form: Mapping[str, str] | None) -> str:
        typed, done = _typed(form)
        if done and typed == self._offered:
            return self._repair("destroy", "")
        if form is None or done:  # another one each time: nobody knows it by heart
            self._offered, typed = self._clock.digits(_DIGITS), ""
        return closed_pages.erase(self._offered, typed, self._refused(), self._languages)

    def _rescue(self, form: Mapping[str, str] | None) -> str:
        typed, done = _typed(form)
        if done:
            return self._repair("rescue", typed)
        return closed_pages.rescue(typed, self._refused(), self._languages)

    def _repair(self, do: str, secret: str) -> str:
        self._offered, self._asked = "", self._repairs.begin(do, secret)
        return self._main(None, again_s=_SOON_S)

    def _refused(self) -> dict[str, str]:
        """Return why root did not do what was asked last; nothing when it did, or did not answer."""
        words = (self._repairs.answer(self._asked) or {}).get("refused")
        return words if isinstance(words, dict) else {}


def _typed(form: Mapping[str, str] | None) -> tuple[str, bool]:
    """Return what was typed so far, and whether that is all of it."""
    if form is None or "clear" in form:
        return "", False
    typed = (form.get("secret", "") + form.get("add", ""))[: closed_pages.LONGEST]
    return typed, "add" not in form and bool(typed)


def _is_ours(request: Request) -> bool:
    """Say whether this page sent it, and no other that some browser shows."""
    host = request.headers.get("host", "")
    return urlsplit(f"//{host}").hostname in LOOPBACK_NAMES and request.headers.get("origin") == f"http://{host}"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST:
            return b""
    return bytes(body)


if __name__ == "__main__":
    to_stderr("closed")
    run()
