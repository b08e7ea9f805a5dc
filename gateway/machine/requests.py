"""What the panel asks of root: files below /run/scopegate, a folder in which its whole group may write.

What counts is a file that the panel's user alone can have filled. Others of the group can neither give one of its
files a request's name (the folder is sticky: systemd/tmpfiles.d) nor have one taken that they might have written.
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
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_asked(name: str, folder: Path = FOLDER) -> bool:
    """Say whether something stands there, whatever it is."""
    return os.path.lexists(folder / name)


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
        counts = stat.S_ISREG(found.st_mode) and found.st_uid in _users(by) and not found.st_mode & _OTHERS_WRITE
        raw = os.read(fd, _LARGEST + 1) if counts else b""
    finally:
        os.close(fd)
        _gone(path)
    if not counts or len(raw) > _LARGEST:
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
    """Take away what stands there; a folder with something in it stays, and its path unit gives up."""
    with suppress(OSError):
        path.unlink()
    with suppress(OSError):
        path.rmdir()
