"""`scopegate doctor`: one finding for everything that must work, with what to do when it does not.

What only a command may look at is in `this_box`; what the screen shows too, in gateway/forward/connections.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gateway.cli import disk_life, own_machine, this_box
from gateway.cli.profiled import unusable
from gateway.clock import Clock
from gateway.config import reader
from gateway.config.settings import Settings
from gateway.forward.connections.finding import Finding
from gateway.forward.connections.looking import connected, remarked


def look(config: Path, *, as_json: bool) -> int:
    """Print each finding as it is made; return 1 if one of them is a problem. Raises ConfigurationError."""
    settings = reader.read(config, os.environ)
    problems = 0
    found = []
    for finding in findings(settings, Clock()):
        problems += finding.ok is False
        found.append(finding)
        if not as_json:
            print(finding, flush=True)
    if as_json:
        print(json.dumps(for_programs(found), indent=1))
    return 1 if problems else 0


def for_programs(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as JSON has them: what each says ends with its code, as it is printed."""
    return [{**finding.to_json(), "says": finding.said} for finding in found]


def findings(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Look at this box and ask the other systems; each finding as it is made."""
    broken = list(unusable(settings))
    if not broken:
        yield Finding(what="configuration", ok=True, says="no mistakes found")
    else:
        says = f"{len(broken)} mistakes about device profiles"
        yield Finding(what="configuration", ok=False, says=says, action="`scopegate config check` names each.")
    yield from remarked(settings)
    yield from this_box.processes(settings, clock)
    yield from this_box.sources(settings, clock)
    yield from this_box.grabbers(settings)
    yield from this_box.pedals(settings, clock)
    yield from this_box.attached()
    yield this_box.disk(settings, clock)
    yield disk_life.finding(settings.station.data_dir)
    yield from this_box.machine(settings, clock)
    yield this_box.time_of_day(clock)
    yield from own_machine.network()
    yield from own_machine.usb()
    yield from this_box.media(settings)
    yield from connected(settings, settings.panel.lan, clock)
    yield from this_box.queues(settings, clock)
