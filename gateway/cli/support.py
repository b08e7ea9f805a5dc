"""`scopegate support`: everything that helps from afar in one zip. Looks, asks what `doctor` asks, changes nothing.

What is in it and why no patient is: `gateway.panel.support`. Here is what only a command may ask.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.cli import doctor
from gateway.cli.opened import spool_of
from gateway.clock import Clock
from gateway.config import reader
from gateway.config.settings import Settings
from gateway.errors import BadValue, SpoolError
from gateway.panel.support import journal, parts
from gateway.panel.support.bundle import Part, bundle
from gateway.spool.spool import Spool

_SHOWN = "Id,LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestamp,MemoryCurrent"
_STATES = ("systemctl", "show", "scopegate*", "--all", "--no-pager", f"--property={_SHOWN}")


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
    if text := journal.said(_STATES):
        about = "The services, as systemd knows them."
        yield Part(name="units.txt", about=about, made=lambda: text, names_nobody=True)
    else:
        missing["units.txt"] = "Nobody says it here."
    yield from journal.parts(missing)
