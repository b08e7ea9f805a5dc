"""What capture, root and the kernel said, as checks. Measures nothing but the disk."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.config.told import told
from gateway.errors import SpoolError
from gateway.panel.self_test.check import Check, Result, absent, failed, judged
from gateway.panel.shown.health import GONE
from gateway.spool.disk.room import Level
from gateway.spool.disk.trial import try_disk
from gateway.spool.disk.wear import SUBJECT, Life, judge
from gateway.spool.spool import Spool

Said = Mapping[str, Any]
_SLOW_MB = 10  # a second; a clip of a 1080p scope is 5 to 8
_CLOCK_S = 60  # what a battery clock may be off
_LEAST_MEMORY_MB = 1800  # of 2 GB: some is the graphics'


def sources(report: Said, capture: Said | None) -> Iterator[Check]:
    """Say of each source whether a moving picture comes from it."""
    said = {each["name"]: each for each in (capture or {}).get("sources", [])}
    for line in report["sources"]:
        name, state = line["name"], said.get(line["name"])
        if line["state"] != "live" or state is None:
            yield of_line("source", line, name=name)
            continue
        measured = f"{state['width']} x {state['height']}, {state['rate']:g}/s"
        if state.get("unchanged_s"):
            yield failed("source", "source-still", name=name, measured=measured)
        else:
            yield judged("source", "source-snow", well=not state.get("noise"), name=name, measured=measured)
    if not report["sources"]:
        yield absent("source")


def signs(report: Said) -> Iterator[Check]:
    """Say of each lamp and loudspeaker whether it is there; whether it is seen and heard, a person knows."""
    for line in report["signs"]:
        well = line["state"] == "ok"
        yield _passed("sign", name=line["name"]) if well else of_line("sign", line, name=line["name"])
    if not report["signs"]:
        yield absent("sign")


def disk(spool: Spool, clock: Clock) -> Check:
    """Write, flush and read back; not on a disk that has little room."""
    try:
        seen = spool.space.view()
        if seen.level not in (Level.OK, Level.LOW):
            return _failed("disk", seen.code, seen.what, seen.action)
        speed = try_disk(spool.layout.root, files=spool.files, clock=clock)
    except SpoolError as error:
        return _failed("disk", error.code, error.what, error.action)
    measured = f"{speed.written:.0f} MB/s, {speed.read:.0f} MB/s"
    return judged("disk", "disk-slow", well=speed.written >= _SLOW_MB, measured=measured)


def of_root(says: Path, board: Said) -> Iterator[Check]:
    """Say what only root of an appliance knows: the disk's life, the time server, whether the TPM can be used."""
    if life := told(SUBJECT, says):
        seen = judge(life)
        result = {Life.OK: Result.PASSED, Life.UNKNOWN: Result.ABSENT}.get(seen.life, Result.FAILED)
        yield Check(
            kind="disk-life",
            result=result,
            measured=seen.measured,
            code=seen.code,
            what=seen.what,
            action=seen.action,
        )
    else:
        yield absent("disk-life")
    clock = told("clock", says)
    if clock is None or not clock.get("servers", True):
        yield absent("time-server")
    else:
        well = clock.get("by") == "ntp"
        yield judged("time-server", "time-server-silent", well=well, measured=str(clock.get("server") or ""))
    data = told("data", says)
    if board.get("tpm") != "2":
        yield absent("tpm")
    else:
        yield judged("tpm", "tpm-unusable", well=data is None or bool(data.get("tpm")), measured="2.0")


def machine(report: Said, capture: Said | None, board: Said) -> Iterator[Check]:
    """Say how warm the machine is and whether it gets enough power, as capture judges it over time."""
    zones = ((capture or {}).get("machine") or {}).get("zones") or []
    warm = ", ".join(f"{each['name']} {each['celsius']:.0f} °C" for each in zones)
    for kind, line, measured in (("temperature", report["heat"], warm), ("power", report["power"], "")):
        if line["state"] == "unknown":
            yield absent(kind)
        else:
            yield _passed(kind, measured=measured) if line["state"] == "ok" else of_line(kind, line)
    slowed = board.get("slowed")
    yield absent("speed") if slowed is None else judged("speed", "slowed-down", well=not slowed)


def parts(board: Said, clock: Clock) -> Iterator[Check]:
    """Say what the board has: battery clock, memory, watchdog, network."""
    battery = board.get("battery_clock")
    if battery is None:
        yield absent("battery-clock")
    else:
        off = round(battery - clock.utc().timestamp())
        well = abs(off) <= _CLOCK_S
        yield judged("battery-clock", "battery-clock-off", well=well, measured=f"{off:+d} s")
    total, free = int(board.get("memory_mb", 0)), int(board.get("memory_free_mb", 0))
    well = total >= _LEAST_MEMORY_MB
    yield (
        judged("memory", "memory-small", well=well, measured=f"{total} MB, {free} MB")
        if total
        else absent("memory")
    )
    name = str(board.get("watchdog", ""))
    well = bool(board.get("watched"))
    yield judged("watchdog", "watchdog-asleep", well=well, measured=name) if name else absent("watchdog")
    ports = [each for each in board.get("ports", ()) if each.get("cable")]
    measured = ", ".join(f"{each['name']} {each['mbit'] or '?'} Mbit/s" for each in ports)
    there = bool(board.get("ports"))
    yield judged("network", "no-cable", well=bool(ports), measured=measured) if there else absent("network")


def of_line(kind: str, line: Said, *, name: str = "") -> Check:
    """Return a check that failed as a line of the box's health says, or because capture, who knows, is away."""
    line = line if line["code"] else GONE
    return _failed(kind, line["code"], line["what"], line["action"], name=name)


def _passed(kind: str, *, name: str = "", measured: str = "") -> Check:
    return Check(kind=kind, name=name, result=Result.PASSED, measured=measured)


def _failed(kind: str, code: str, what: str, action: str, *, name: str = "") -> Check:
    return Check(kind=kind, name=name, result=Result.FAILED, code=code, what=what, action=action)
