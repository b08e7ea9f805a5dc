"""Looks at a version that was just started, as a user without rights: pictures, spool, screen, and a whole exam.

The exam is the demo's, with processes, archive and folder of its own, which is thrown away: no patient, no record.
"""

import http.client
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway import wire
from gateway.clock import Clock
from gateway.config.settings import Address, Settings, Station
from gateway.errors import ScopegateError
from gateway.log import warn
from gateway.spool import inspection
from gateway.spool.files import Files
from gateway.spool.spool import assemble
from gateway.wire import Message, WireError

_PICTURE = {"device": "pattern:ultrasound", "profile": "", "width": 640}
_LOOK_S = 60
_PANEL_S = 30
_EXAM_S = 600
_EXAMS = 5  # the newest, of which every file is read
_MOST_BYTES = 1 << 22
_log = logging.getLogger(__name__)
_ANSWERS = (200, 401, 403, 503)  # well, who are you, not for you, and nothing can be captured just now
_JPEG = b"\xff\xd8"


class Unwell(Exception):
    """Something does not work; the text is a code."""


def look(settings: Settings, screen: Address, clock: Clock) -> None:
    """Look at everything; `screen`: the panel's address. Raises Unwell at the first thing that does not work."""
    for code, check in _checks(settings.station, screen, clock).items():
        try:
            check()
        except (OSError, ScopegateError, WireError, http.client.HTTPException, ValueError, KeyError) as error:
            warn(_log, "not_healthy", code=code, error=f"{type(error).__name__}: {error}")
            raise Unwell(code) from error


def _checks(station: Station, screen: Address, clock: Clock) -> Mapping[str, Callable[[], None]]:
    return {
        "picture": lambda: _picture(station.runtime_dir / wire.SOCKET_NAME),
        "spool": lambda: _spool(station.data_dir, clock),
        "panel": lambda: _panel(screen),
        "exam": _exam,
    }


def _picture(path: Path) -> None:
    """Have capture take a picture of its test pattern. While an exam is open it refuses: well enough."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_LOOK_S)
        connection.connect(str(path))
        wire.receive(connection)
        connection.sendall(wire.pack({"call": "look", "arguments": _PICTURE}))
        answer = wire.receive(connection, limit=_MOST_BYTES)
    if answer.header.get("error", {}).get("code") == "exam-open":
        return
    _is_picture(answer)


def _is_picture(answer: Message) -> None:
    wire.result_of(answer)
    if not answer.body.startswith(_JPEG):
        raise ValueError("no picture")


def _spool(root: Path, clock: Clock) -> None:
    """Read the index, and every file of the newest exams."""
    spool = assemble(root, clock=clock, files=Files())
    try:
        spool.database.check()
        for exam in spool.exams.list(limit=_EXAMS):
            if any(inspection.inspect_exam(spool, exam.id)):
                raise ValueError("files of an exam are not as they were written")
    finally:
        spool.close()


def _panel(address: Address) -> None:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_PANEL_S)
    try:
        connection.request("GET", "/api/v1/health")
        response = connection.getresponse()
        response.read(_MOST_BYTES)
        if response.status not in _ANSWERS:
            raise ValueError(f"the panel answers {response.status}")
    finally:
        connection.close()


def _exam() -> None:
    words = [sys.executable, "-m", "gateway", "demo", "--headless-exam", "--port", "8180"]
    try:
        subprocess.run(words, check=True, timeout=_EXAM_S, stdin=subprocess.DEVNULL)
    except subprocess.SubprocessError as error:
        raise ValueError("the exam failed") from error
