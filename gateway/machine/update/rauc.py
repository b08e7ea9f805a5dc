"""RAUC (rauc(1)): looks at bundles, installs one, says what is in the slots. Its words are translated here."""

import json
import logging
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.log import warn
from gateway.machine.update import payload
from gateway.machine.update.payload import Seal
from gateway.machine.update.refusals import Damaged, UpdateRefused, meant

CONFIGURATION = Path("/run/rauc/system.conf")
_LOOK_S = 60
_PROGRESS = re.compile(r"^\s*(\d{1,3})% ")
_TAIL = 2000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """`seal`: what its contents are checked with."""

    version: str
    build: str
    compatible: str
    seal: Seal


class Rauc:
    """The service of this machine."""

    def look(self, file: Path) -> Bundle:
        """Return what a bundle says, once its signature is found to be right. Raises UpdateRefused."""
        words = self._said("info", "--output-format=json-2", str(file))
        try:
            said = json.loads(words)
            update, sealed = said["update"], said["bundle"]
            return Bundle(
                version=str(update["version"]),
                build=str(update["build"] or ""),
                compatible=str(update["compatible"]),
                seal=Seal(
                    root=str(sealed["verity-hash"]),
                    salt=str(sealed["verity-salt"]),
                    tree=int(sealed["verity-size"]),
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged from error

    def check(self, file: Path, bundle: Bundle) -> None:
        """Read everything in it. Raises UpdateRefused."""
        try:
            payload.check(file, bundle.seal)
        except OSError as error:
            raise Damaged from error

    def install(self, file: Path, progress: Callable[[int], None]) -> None:
        """Write a bundle into the other slot and have the firmware start it next. Raises UpdateRefused.

        progress: gets percents, each once.
        """
        said = ""
        with subprocess.Popen(
            ["rauc", "install", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as running:
            assert running.stdout
            for line in running.stdout:
                said = (said + line)[-_TAIL:]
                if found := _PROGRESS.match(line):
                    progress(min(int(found[1]), 100))
        if running.returncode:
            raise self._refused(said)

    def mark_good(self) -> None:
        """Have the firmware start the running slot from now on. Raises UpdateRefused."""
        self._said("status", "mark-good")

    def mark_bad(self) -> None:
        """Have the running slot never be started by itself again. Raises UpdateRefused."""
        self._said("status", "mark-bad")

    def _said(self, *words: str) -> str:
        try:
            done = subprocess.run(
                ["rauc", *words], capture_output=True, text=True, errors="replace", timeout=_LOOK_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UpdateRefused from error
        if done.returncode:
            raise self._refused(done.stderr + done.stdout)
        return done.stdout

    def _refused(self, said: str) -> UpdateRefused:
        error = meant(said)
        warn(_log, "update_refused", code=error.code, rauc=" | ".join(said.strip().splitlines()[-3:]))
        return error
