"""Runs programs of the system: bounded in time, never by a shell.

Keys are handed to them in memory, never in a file, a word of a command or a log.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gateway.errors import MachineFailed

_LONGEST = 200  # characters of why
_SETTING_S = 30


class ProgramFailed(Exception):
    """A program of the system refused; `why` is the end of what it said, never what was handed to it."""

    def __init__(self, program: str, status: int, why: str) -> None:
        super().__init__(f"{program} ended with {status}: {why}")
        self.status = status


def run(
    words: Sequence[str | Path],
    *,
    given: bytes = b"",
    secrets: Sequence[bytes] = (),
    wait_s: float = 120,
    heard: bool = True,
) -> bytes:
    """Return what a program said. `{0}`, `{1}` in its words stand for files in memory with the secrets.

    heard: what it says is kept, in memory; that of a program with a line for every mistake of a disk is not.
    Raises ProgramFailed, also when it does not end in time or is not there.
    """
    held = [_in_memory(secret) for secret in secrets]
    names = [f"/proc/self/fd/{file}" for file in held]
    command = [str(word).format(*names) if held else str(word) for word in words]
    try:
        done = subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE if heard else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=held,
            timeout=wait_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramFailed(Path(command[0]).name, -1, type(error).__name__) from None
    finally:
        for file in held:
            os.close(file)
    if done.returncode:
        why = " ".join(done.stderr.decode(errors="replace").split())[-_LONGEST:]
        raise ProgramFailed(Path(command[0]).name, done.returncode, why)
    return done.stdout if heard else b""


class Programs(Protocol):
    """What runs those that take the machine's settings."""

    def run(self, *words: str, given: str = "") -> str:
        """Return what it printed. Raises MachineFailed."""


class RealPrograms:
    """The machine's own."""

    def run(self, *words: str, given: str = "") -> str:
        try:
            return run(words, given=given.encode(), wait_s=_SETTING_S).decode(errors="replace")
        except ProgramFailed as error:
            raise MachineFailed(f"{error}") from None


def _in_memory(secret: bytes) -> int:
    file = os.memfd_create("key", os.MFD_CLOEXEC)
    os.write(file, secret)
    os.lseek(file, 0, os.SEEK_SET)
    return file
