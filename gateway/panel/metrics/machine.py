"""Processes, picture sources, disk, heat and clock in numbers, from what each process says of itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import SpoolError
from gateway.panel.metrics.families import Family, counter, gauge
from gateway.spool.disk.wear import judge
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

Said = Mapping[str, Any] | None


def processes(live: Mapping[str, LiveState], clock: Clock) -> Iterator[Family]:
    """Say which run, how often each was started since the box was, and when."""
    up = {(name,): float(each.read() is not None) for name, each in live.items()}
    yield gauge("process_up", "1 while the process says that it is there.", up, ("process",))
    known = {name: starts for name, each in live.items() if (starts := each.starts())}
    counts = {(name,): float(starts.count) for name, starts in known.items()}
    yield counter("process_starts", "Starts of the process since the machine's.", counts, ("process",))
    now, now_ns = clock.utc_ns() / 1e9, clock.boottime_ns()
    since = {(name,): now - (now_ns - starts.at_ns) / 1e9 for name, starts in known.items()}
    yield gauge("process_start_time_seconds", "When the process was started, Unix time.", since, ("process",))


def sources(settings: Settings, capture: Said) -> Iterator[Family]:
    """Say of each source that is configured whether it shows a picture, and how many frames never came."""
    wanted = {source.name for source in settings.sources}
    said = {each["name"]: each for each in (capture or {}).get("sources", []) if each["name"] in wanted}
    live = {(name,): float(said.get(name, {}).get("state") == "live") for name in sorted(wanted)}
    yield gauge("source_live", "1 while the source shows a picture.", live, ("source",))
    states = {(name, str(each["state"])): 1.0 for name, each in said.items()}
    yield gauge("source_state", "The state of the source, as a label.", states, ("source", "state"))
    lost = {(name,): float(each["lost"]) for name, each in said.items()}
    yield counter("source_frames_lost", "Frames that never came, since capture's start.", lost, ("source",))
    rates = {(name,): float(each["rate"]) for name, each in said.items()}
    yield gauge("source_frames_per_second", "Frames that come.", rates, ("source",))
    if capture and "refused" in capture:
        help_ = "Presses after which nothing was stored, since capture's start."
        yield counter("presses_refused", help_, float(capture["refused"]))


def machine(capture: Said) -> Iterator[Family]:
    """Say how hot it is, and whether the supply is too weak; nothing that is not measured."""
    said = (capture or {}).get("machine") or {}
    zones = said.get("zones", [])
    warm = {(str(each["name"]),): float(each["celsius"]) for each in zones}
    limits = {(str(each["name"]),): float(each["limit"]) for each in zones}
    yield gauge("temperature_celsius", "Measured.", warm, ("zone",))
    yield gauge("temperature_limit_celsius", "Above it no clip is begun.", limits, ("zone",))
    for key, bad, name, help_ in (
        ("heat", "hot", "too_hot", "1 while it is too hot for clips."),
        ("power", "weak", "undervoltage", "1 while the box gets too little power."),
    ):
        if (state := said.get(key, "unknown")) != "unknown":
            yield gauge(name, help_, float(state == bad))


def disk(spool: Spool) -> Iterator[Family]:
    """Say how much room there is and what it is enough for; of a disk that cannot be read, only that."""
    try:
        seen = spool.space.view()
    except SpoolError:
        yield gauge("disk_writable", "0 when the disk of the pictures cannot be used.", 0)
        return
    room = seen.room
    yield gauge("disk_writable", "0 when the disk of the pictures cannot be used.", not room.read_only)
    yield gauge("disk_size_bytes", "The disk of the pictures.", room.total)
    yield gauge("disk_free_bytes", "Free on it.", room.free)
    yield gauge("disk_usable_bytes", "What pictures may take of it: without the reserve.", max(0, room.usable))
    yield gauge("disk_state", "The state of the disk, as a label.", {(str(seen.level),): 1.0}, ("state",))
    yield gauge("disk_stills_left", "About so many stills have room.", seen.stills)
    yield gauge("disk_clip_left_seconds", "So much clip has room.", seen.clip_seconds)


def disk_life(said: Said) -> Iterator[Family]:
    """Say how worn the disk is; nothing of one that does not tell, or that nobody asks."""
    if not said:
        return
    state = {(str(judge(said).life),): 1.0}
    yield gauge("disk_life_state", "How much is left of the disk, as a label.", state, ("state",))
    if (used := said.get("used")) is not None:
        yield gauge("disk_life_used_ratio", "Of the life the disk was made for; at 1 it is over.", used / 100)


def time_of_day(clock: Clock) -> Iterator[Family]:
    now = clock.now()
    yield gauge("clock_trusted", "0 when the clock was never set since the box started.", now.trusted)
    yield gauge("clock_time_seconds", "The clock of the box, Unix time.", now.utc.timestamp())
