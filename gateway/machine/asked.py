"""What the panel asks of root: files below /run/scopegate, whose contents anybody of its group may have written.

Read bounded, following no link, and taken away: what could not be done is not asked again and again.
"""

import json
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from gateway.errors import MachineRequest

FOLDER = Path("/run/scopegate")
PANEL = "scopegate-panel"  # the user of the screen
_LARGEST = 64 * 1024


def taken(name: str, folder: Path = FOLDER, *, by: str = PANEL) -> bytes:
    """Return what a request says, and take it away. Raises MachineRequest.

    by: the user who alone may ask, besides the one as whom this runs.
    """
    path = folder / name
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        _gone(path)
        raise MachineRequest from None
    try:
        found = os.fstat(fd)
        is_file = stat.S_ISREG(found.st_mode) and found.st_uid in _users(by)
        raw = os.read(fd, _LARGEST + 1) if is_file else b""
    finally:
        os.close(fd)
        _gone(path)
    if not is_file or len(raw) > _LARGEST:
        raise MachineRequest
    return raw


def words_of(raw: bytes) -> dict[str, str]:
    """Return the words by name that a request consists of. Raises MachineRequest."""
    try:
        wanted = json.loads(raw)
    except (ValueError, RecursionError):
        raise MachineRequest from None  # the parser's words quote what may be a secret
    if not isinstance(wanted, dict) or not all(isinstance(value, str) for value in wanted.values()):
        raise MachineRequest
    return wanted


def _users(name: str) -> set[int]:
    try:
        return {os.geteuid(), pwd.getpwnam(name).pw_uid}
    except KeyError:  # no such user: this machine is none of a clinic's
        return {os.geteuid()}


def _gone(path: Path) -> None:
    """Take away what stands there; a folder with something in it stays, and its unit gives up."""
    with suppress(OSError):
        path.unlink()
    with suppress(OSError):
        path.rmdir()
