"""What a process of the box can put into a support bundle: from the index, the runtime folder and the settings."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.panel.metrics.snapshot import Snapshot
from gateway.panel.shown import service
from gateway.panel.shown.report import Report
from gateway.panel.support.bundle import MOST, Part
from gateway.spool.processes import connections
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

PROCESSES = ("capture", "forward", "panel")
_COUNTED = {
    "exams": "exam",
    "captures": "capture",
    "deliveries": "delivery",
    "messages": "step_message",
    "requests": "request",
}


def of_the_box(settings: Settings) -> Iterator[Part]:
    """Yield what needs no index."""
    yield Part(
        name="versions.json",
        about="The program, its libraries, the system.",
        made=service.versions,
        names_nobody=True,
    )
    yield Part(
        name="configuration.json",
        about="The settings. Secrets are files: their places are here, not they.",
        made=lambda: _configuration(settings),
        names_nobody=True,
    )
    folder = settings.station.runtime_dir
    yield Part(name="live.json", about="What each process said last of itself.", made=lambda: _live(folder))
    for process in PROCESSES:
        about = f"The last lines that {process} wrote."
        yield Part(name=f"{process}.log", about=about, made=lambda name=process: _lines(folder, name))  # type: ignore[misc]


def of_the_spool(
    settings: Settings, *, spool: Spool, clock: Clock, live: Mapping[str, LiveState], report: Report | None = None
) -> Iterator[Part]:
    """Yield what is known by index and live states together. `report`: of who asks over and over."""
    health = report or Report(spool=spool, settings=settings, clock=clock, live=live)
    numbers = Snapshot(spool=spool, settings=settings, live=live)
    yield Part(name="health.json", about="Every part of the box, with what to do.", made=health.whole)
    yield Part(
        name="faults.json",
        about="Codes in the index, and how often each stands there.",
        made=lambda: [asdict(each) for each in service.faults(spool)],
    )
    yield Part(
        name="counts.json",
        about="How many exams, captures, deliveries, messages and requests are in each state.",
        made=lambda: _counts(spool),
    )
    yield Part(
        name="self-test.json",
        about="The last self-test of the box, if there was one.",
        made=lambda: _of_file(spool.layout.self_test),
    )
    yield Part(
        name="stored-data.json",
        about="The last check of what is stored, if there was one.",
        made=lambda: _of_file(spool.layout.stored_data),
    )
    yield Part(
        name="connections.json",
        about="The last look at connections and certificates, if there was one within a day.",
        made=lambda: _newest(spool),
    )
    yield Part(name="disk.json", about="The disk of the pictures.", made=lambda: asdict(spool.space.view()))
    yield Part(
        name="temperatures.json",
        about="As the recorder measured them last.",
        made=lambda: [asdict(each) for each in service.temperatures(live["capture"].read())],
    )
    yield Part(name="metrics.txt", about="What monitoring reads.", made=lambda: numbers.text().decode())


def _newest(spool: Spool) -> dict[str, Any] | None:
    """Return what was found when somebody had the connections looked at."""
    newest = spool.requests.newest(connections.REQUEST)
    return newest.answer if newest else None


def _of_file(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file says, None for nothing."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MOST))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def live_of(settings: Settings, spool: Spool, clock: Clock) -> dict[str, LiveState]:
    """Return where each process says how it is."""
    folder = settings.station.runtime_dir
    return {name: LiveState(folder=folder, process=name, files=spool.files, clock=clock) for name in PROCESSES}


def _configuration(settings: Settings) -> dict[str, Any]:
    """Return what is configured. Secrets are files of which the configuration knows the place alone."""
    found = asdict(settings)
    found["panel"]["operators"] = len(settings.panel.operators)
    for each in found["destinations"]:
        each["user"] = bool(each["user"])  # half of what opens an archive
    return found


def _counts(spool: Spool) -> dict[str, dict[str, int]]:
    with spool.database.read() as connection:
        return {
            name: dict(connection.execute(f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state"))  # noqa: S608 - fixed words
            for name, table in _COUNTED.items()
        }


def _live(folder: Path) -> dict[str, Any]:
    """Return the files as they are, also those of a process that is gone."""
    found: dict[str, Any] = {}
    for name in (f"{process}.{kind}" for process in PROCESSES for kind in ("json", "starts")):
        with suppress(OSError, ValueError), (folder / name).open("rb") as file:
            found[name] = json.loads(file.read(MOST))
    return found


def _lines(folder: Path, process: str) -> str:
    text = ""
    for path in (folder / f"{process}.log.1", folder / f"{process}.log"):
        with suppress(OSError), path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST))
            found = file.read(MOST).decode("utf-8", "replace")
            text += found if size <= MOST else found.partition("\n")[2]  # half a name would not be found
    return text
