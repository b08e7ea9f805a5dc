"""`scopegate support`: everything that helps from afar in one zip. Looks, asks what `doctor` asks, changes nothing.

What is in it and why no patient is: `gateway.panel.support`. Here is what only a command may ask.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.cli import doctor
from gateway.cli.opened import spool_of
from gateway.clock import Clock
from gateway.config import reader
from gateway.config.settings import Settings
from gateway.errors import BadValue, SpoolError
from gateway.panel.support import parts
from gateway.panel.support.bundle import Part, bundle
from gateway.spool.spool import Spool

_PATIENCE_S = 20
_UNITS = "scopegate*"
_SHOWN = "Id,LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestamp,MemoryCurrent"
_STATES = ("systemctl", "show", _UNITS, "--all", "--no-pager", f"--property={_SHOWN}")
_JOURNAL = ("journalctl", f"--unit={_UNITS}", "--lines=4000", "--no-pager", "--quiet", "--output=short-iso")
_NONE = "There is none here, or this user may not read it."


def write(config: Path, to: Path) -> int:
    """Write a new file, readable by its owner alone; return 1 when nobody could be named in it for safety.

    Raises ConfigurationError, BadValue.
    """
    settings = reader.read(config, os.environ)
    lacks = 0
    try:
        with spool_of(config) as (_, spool):
            made = _bundle(settings, spool)
            spool.audit.note("support-bundle", by="command-line", bytes=len(made))
    except SpoolError as error:
        lacks = 1
        made = _bundle(settings, None)
        print(f"{error.what} {error.action}\nSo nobody knows which patients a text could name: texts are left out.")
    _keep(to, made)
    print(f"{to}: {len(made) / 1000:.0f} KB. Its manifest.json says what is in it and what is not.")
    return lacks


def _keep(to: Path, made: bytes) -> None:
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadValue(f"{to}: {error.strerror}.", action="Name a new file in a folder of yours.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(made)


def _bundle(settings: Settings, spool: Spool | None) -> bytes:
    clock, missing = Clock(), dict[str, str]()
    every = [*parts.of_the_box(settings), *_of_the_command(settings, clock, missing)]
    if spool:
        live = parts.live_of(settings, spool, clock)
        every += parts.of_the_spool(settings, spool=spool, clock=clock, live=live)
    return bundle(parts=every, spool=spool, clock=clock, missing=missing)


def _of_the_command(settings: Settings, clock: Clock, missing: dict[str, str]) -> Iterator[Part]:
    """Yield what doctor finds and what systemd knows; note in `missing` what is not to be had."""
    yield Part(
        name="doctor.json",
        about="What `scopegate doctor` finds.",
        made=lambda: doctor.for_programs(doctor.findings(settings, clock)),
    )
    for name, about, command, own in (
        ("units.txt", "The services, as systemd knows them.", _STATES, True),
        ("journal.log", "The last lines of the services in the journal.", _JOURNAL, False),
    ):
        if text := _said(command):
            yield Part(name=name, about=about, made=lambda text=text: text, names_nobody=own)  # type: ignore[misc]
        else:
            missing[name] = _NONE


def _said(command: Sequence[str]) -> str:
    """Return what a program of the system says; "" where there is none, or it has nothing to say."""
    if (program := shutil.which(command[0])) is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, timeout=_PATIENCE_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
