"""Runs the programs of the system that take what was written: bounded in time, and never a shell."""

import subprocess
from collections.abc import Sequence
from typing import Protocol

from gateway.errors import MachineFailed

_PATIENCE_S = 30


class Programs(Protocol):
    """What runs a program of the system."""

    def run(self, *words: str, given: str = "") -> str:
        """Return what it printed. Raises MachineFailed."""


class RealPrograms:
    """The machine's own."""

    def run(self, *words: str, given: str = "") -> str:
        try:
            done = subprocess.run(
                words,
                input=given,
                capture_output=True,
                text=True,
                check=False,
                timeout=_PATIENCE_S,
                errors="replace",
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(words, type(error).__name__) from None
        if done.returncode:
            raise _failed(words, done.stderr.strip()[-200:] or str(done.returncode))
        return done.stdout


def _failed(words: Sequence[str], why: str) -> MachineFailed:
    return MachineFailed(f"{words[0]} failed: {why}")
