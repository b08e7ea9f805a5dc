"""Asks root of an appliance for something by a file, and finds the answer by the number of the request.

What is asked may hold a secret: the file is this user's alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.config.told import FOLDER, told
from gateway.spool.files import Files

_NUMBER_DIGITS = 16
_STEP_S = 0.2
_PATIENCE_S = 60.0  # a slow processor makes a PIN hard to guess


class AskingRoot:
    """One subject: the name of the request and of what root says (gateway/machine)."""

    def __init__(self, subject: str, *, requests: Path, files: Files, clock: Clock, says: Path = FOLDER) -> None:
        """`requests`: where root is asked; `says`: where it answers."""
        self._subject = subject
        self._path = requests / subject
        self._files = files
        self._clock = clock
        self._says = says

    def begin(self, what: str, secret: str = "") -> str:
        """Ask, and return the number of the request."""
        number = self._clock.token(_NUMBER_DIGITS)
        self._files.write_secret(self._path, json.dumps({"do": what, "secret": secret, "number": number}).encode())
        return number

    def answer(self, number: str) -> Mapping[str, Any] | None:
        """Return what root says to a request, None before it does."""
        said = told(self._subject, self._says) or {}
        return said if said.get("number") == number else None

    def ask(self, what: str, secret: str = "") -> Mapping[str, Any] | None:
        """Ask, wait, and return what root says; None when it does not in time: it may be done yet."""
        number = self.begin(what, secret)
        for _ in range(int(_PATIENCE_S / _STEP_S)):
            said = self.answer(number)
            if said is not None:
                return said
            self._clock.pause(_STEP_S)
        return None
