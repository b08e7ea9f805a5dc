"""What the screen shows while the box's data cannot be opened. The panel's port, and nothing of the panel.

It opens no spool and reads no settings; every address answers the same page, with 503. No exam can be worked on and
nothing acknowledged, because nothing that could do so runs. Which language the clinic chose lies on the data, so
the page says it in every one. Where a person can open them, the page takes a start PIN or a recovery code and hands
it to root (gateway/machine/data.py); it needs no script.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
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
from gateway.panel.doors.connections import BACKLOG, Door, WebServer
from gateway.panel.doors.guard import LOOPBACK_NAMES
from gateway.panel.words import Languages, Words
from gateway.spool.files import Files

_log = logging.getLogger(__name__)
_SUBJECT = "data"
_BY_A_PERSON = frozenset({"start-pin", "key-gone", "key-refused", "no-key"})  # codes of what somebody can open
_KEYS = "123A456B789C0DEF"  # a PIN has digits, a recovery code hexadecimal ones
_LONGEST = 64
_LARGEST = 1024  # bytes of a form
_NUMBER_DIGITS = 16
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
_STYLE = """
:root { color-scheme: dark; }
body { margin: 0; padding: 3vh 4vw; background: #101418; color: #f2f4f5; font: 1.2rem/1.4 sans-serif; }
main { display: flex; flex-wrap: wrap; gap: 2rem; align-items: start; }
main > div { flex: 1 1 24rem; }
section { margin: 0 0 2vh; padding-inline-start: 1rem; border-inline-start: .4rem solid #ff6b5e; }
h1 { margin: 0; font-size: 1.4rem; }
p { margin: .2rem 0; }
form { display: grid; grid-template-columns: repeat(4, 4.5rem); gap: .6rem; }
input { grid-column: span 4; font-size: 1.5rem; padding: .6rem; }
button { font-size: 1.6rem; min-height: 4rem; }
.wide { grid-column: span 2; }
footer { font-size: 1.4rem; }
"""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where root says what it found and is asked, and what the image says of itself."""

    says: Path = FOLDER
    requests: Path = Path("/run/scopegate")
    image: Path = Path("/usr/lib/scopegate/image")

    def said(self) -> dict[str, str]:
        """Return what root says of the data, in words that are shown."""
        found = told(_SUBJECT, self.says) or {}
        if not found.get("code"):
            return dict(_UNKNOWN)
        return {key: str(found.get(key) or _UNKNOWN[key]) for key in _UNKNOWN}

    def service(self) -> str:
        """Return whom to call, as whoever built the image said; "" when nobody did."""
        try:
            lines = self.image.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return ""
        return next((line.removeprefix("SERVICE=") for line in lines if line.startswith("SERVICE=")), "")

    def unlock(self, secret: str, number: str) -> None:
        """Ask root to open the data with this."""
        wanted = {"do": "unlock", "secret": secret, "number": number}
        Files().write(self.requests / _SUBJECT, [json.dumps(wanted).encode()])


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

    async def answer(request: Request) -> Response:
        said, again_s, typed = await run_in_threadpool(box.said), _AGAIN_S, ""
        if request.url.path.startswith("/api/"):
            return JSONResponse(said, 503, headers=_HEADERS)
        if request.method == "POST" and request.url.path == "/unlock" and _is_ours(request):
            form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace")))
            typed = (form.get("secret", "") + form.get("add", ""))[:_LONGEST]
            if "clear" in form:
                typed = ""
            elif "add" not in form and typed:
                await run_in_threadpool(partial(box.unlock, typed, clock.token(_NUMBER_DIGITS)))
                again_s, typed = _SOON_S, ""
        words = [languages[tag] for tag in LANGUAGES]
        text = page(said, box.service(), words, typed=typed, again_s=0 if typed else again_s)
        return HTMLResponse(text, 503, headers=_HEADERS)

    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])


def page(said: Mapping[str, str], service: str, languages: Sequence[Words], *, typed: str, again_s: int) -> str:
    """Return the page: what happened, what of the pictures, what to do, in each language, and where to type."""
    sections = [
        f'<section lang="{words.language}"><h1>{_text(words, said["what"])}</h1>'
        f"<p>{_text(words, said['safe'])}</p><p><b>{_text(words, said['action'])}</b></p></section>"
        for words in languages
    ]
    refresh = f'<meta http-equiv="refresh" content="{again_s};url=/">' if again_s else ""  # else it would be lost
    call = f"<p>&#9742; <b>{escape(service)}</b></p>" if service else ""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Scopegate</title>',
            f'<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}',
            f"<style>{_STYLE}</style></head><body><main><div>",
            *sections,
            "</div>",
            _pad(typed) if said["code"] in _BY_A_PERSON else "",
            f"</main><footer>{call}<p><code>{escape(said['code'])}</code></p></footer></body></html>\n",
        ]
    )


def _pad(typed: str) -> str:
    """Return where a PIN or a recovery code is typed, on the screen or on a keyboard."""
    keys = "".join(f'<button name="add" value="{key}">{key}</button>' for key in _KEYS)
    field = f'<input type="password" name="secret" maxlength="{_LONGEST}" value="{escape(typed)}" autofocus'
    return (
        '<form method="post" action="/unlock" autocomplete="off">'
        # The first button of a form is that of the Enter key.
        f'{field} aria-label="PIN"><button class="wide">OK</button>'
        f'<button class="wide" name="clear" value="1" aria-label="Clear">&#9003;</button>{keys}</form>'
    )


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


def _text(words: Words, message: str) -> str:
    return escape(words.said(message))


if __name__ == "__main__":
    to_stderr("closed")
    run()
