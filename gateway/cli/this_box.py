"""What `scopegate doctor` sees on this box: processes, devices, disk, clock, queues. Opens no connection."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

from gateway.cli import own_machine
from gateway.clock import Clock
from gateway.config.settings import Settings, Sign, Source, Trigger
from gateway.errors import SpoolError, TooHot
from gateway.forward.connections.doors import live_of
from gateway.forward.connections.finding import Finding
from gateway.spool.disk.reserve import Reserve
from gateway.spool.disk.room import MB, Level, Typical
from gateway.spool.disk.space import judge
from gateway.spool.files import Files
from gateway.spool.paths import Layout
from hardware.machine import Sensors


def processes(settings: Settings, clock: Clock) -> Iterator[Finding]:
    for name in ("capture", "forward", "panel"):
        running = live_of(settings, name, clock) is not None
        yield Finding(
            what=f"process {name}",
            ok=running,
            says="runs" if running else "does not run",
            action="" if running else f"Start it: `systemctl start scopegate-{name}` or `scopegate run`.",
        )


def sources(settings: Settings, clock: Clock) -> Iterator[Finding]:
    capture = live_of(settings, "capture", clock) or {}
    said = {source["name"]: source for source in capture.get("sources", [])}
    for source in settings.sources:
        state = said.get(source.name)
        what = f"source {source.name}"
        if state is None:
            yield Finding(what=what, ok=None, says="not known while capture does not run")
        elif state["state"] == "live":
            size = f"{state['width']}x{state['height']} at {state['rate']:g}/s"
            yield Finding(what=what, ok=True, says=f"live, {size}, {state['lost']} frames lost")
            yield from (Finding(what=what, ok=None, says=says, action=do) for says, do in _odd(source, state))
        else:
            yield Finding(
                what=what,
                ok=False,
                says=f"{state['what']} [{state['code']}]",
                action=state.get("action", ""),
            )


def _odd(source: Source, state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what is strange about a picture that arrives, each with what to do."""
    if not state.get("size_expected", True):
        what = "has another size than its profile or crop is for: a crop is left out"
        yield what, f"Set the scanner to the size of {source.profile or 'the crop'}, or change the setting."
    if state.get("noise"):
        yield "looks like snow", "Look at the picture; check its cable."
    if state.get("levels_cut"):
        yield "sends levels that its range does not have", 'Set range = "full" in its profile.'
    if state.get("unchanged_s"):
        yield f"has not moved for {state['unchanged_s']} s", "Is the scanner frozen?"


_GROUPS = {"serial": "dialout", "input": "input", "gpio": "gpio", "tone": "audio"}


def pedals(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say which pedals, lamps and loudspeakers capture has open."""
    capture = live_of(settings, "capture", clock) or {}
    tables: tuple[tuple[str, str, tuple[Trigger | Sign, ...]], ...] = (
        ("pedal", "pedals", settings.triggers),
        ("sign", "signs", settings.signs),
    )
    for what, key, wanted in tables:
        said = {each["name"]: each["connected"] for each in capture.get(key, [])}
        for number, each in enumerate(wanted, 1):
            there = said.get(f"{each.kind}-{number}")
            says = {True: "there", False: "is not there, or may not be used"}
            yield Finding(
                what=f"{what} {each.kind} {each.device or 'default'}",
                ok=there,
                says="not known while capture does not run" if there is None else says[there],
                action=f"Plug it in; on the box its user must be in the group {_GROUPS[each.kind]}."
                if there is False
                else "",
            )


def grabbers(settings: Settings) -> Iterator[Finding]:
    """Ask every configured grabber itself what it is, how it is set and what arrives."""
    from hardware.errors import DeviceError
    from hardware.sources.v4l2.finding import Place
    from hardware.sources.v4l2.probe import probe

    for source in settings.sources:
        kind, _, where = source.device.partition(":")
        if kind != "v4l2":
            continue
        what = f"grabber {source.name}"
        try:
            seen = probe(Place(where))
        except DeviceError as error:
            yield Finding(
                what=what, ok=False, says=f"{error} [{error.code}]", action="Check its plug and `device`."
            )
            continue
        says = f"{seen.name} ({seen.driver}, {seen.bus}) at {seen.node}, {seen.mode}"
        says += f', input "{seen.input}"' if seen.input else ""
        action = "Check that the scanner is on and its cable is plugged in." if seen.loss else ""
        yield Finding(what=what, ok=not seen.loss, says=f"{says}, {seen.loss or 'signal'}", action=action)


def attached() -> Iterator[Finding]:
    """Say what the kernel sees, for the person who has to write the configuration."""
    import pyudev

    from hardware.sources.v4l2.finding import nodes

    for node in nodes():
        where = f'; device = "v4l2:usb:{node.port}:{node.identity}"' if node.port else ""
        yield Finding(what=f"grabber {node.node}", ok=None, says=f"attached: {node.name}{where}")
    for device in pyudev.Context().list_devices(subsystem="tty"):
        if device.device_node and device.find_parent("usb"):
            name = device.get("ID_MODEL") or "unnamed"
            yield Finding(what=f"serial adapter {device.device_node}", ok=None, says=f"attached: {name}")


def disk(settings: Settings, clock: Clock) -> Finding:
    folder = settings.station.data_dir
    place = next(path for path in (folder, *folder.parents) if path.exists())
    wanted = settings.retention.reserve_mb * MB
    capture = live_of(settings, "capture", clock) or {}
    measured = (capture.get("disk") or {}).get("sizes") or {}
    try:
        found = Reserve(path=place / Layout(folder).reserve.name, wanted=wanted, files=Files()).room()
    except SpoolError as error:
        return Finding(what=f"disk {folder}", ok=False, says=error.what, action=error.action)
    seen = judge(found, Typical(**measured))
    may_write = os.access(place, os.W_OK)
    says = f"{found.free / 1e9:.1f} GB of {found.total / 1e9:.1f} GB free ({found.free / found.total:.0%})"
    says += f", room for about {seen.stills} stills or {seen.clip_seconds // 60} minutes of clip"
    return Finding(
        what=f"disk {folder}",
        ok=seen.level is Level.OK and may_write,
        says=f"{says}. {seen.what}" if seen.what else says,
        action=seen.action or ("" if may_write else "Check who may write there."),
    )


def machine(settings: Settings, clock: Clock, sensors: Sensors | None = None) -> Iterator[Finding]:
    """Say how warm the box is and whether its supply holds, as far as the machine has sensors.

    Capture judges it over time; without it this moment counts.
    """
    sensors = sensors or Sensors()
    said = (live_of(settings, "capture", clock) or {}).get("machine") or {}
    zones, weak = sensors.zones(), sensors.undervoltage()
    if zones:
        nearest = max(zones, key=lambda each: each.celsius - each.limit)
        hot = said.get("heat") == "hot" or nearest.celsius >= nearest.limit
        says = f"{nearest.celsius:.0f} °C ({nearest.name}), too hot from {nearest.limit:.0f} °C on"
        action = "Clips are off while it is hot. Check that its vents are free." if hot else ""
        yield Finding(
            what="temperature", ok=not hot, says=f"{says} [{TooHot.code}]" if hot else says, action=action
        )
    if weak is not None:
        weak = weak or said.get("power") == "weak"
        says = "too weak within the last minute [undervoltage]" if weak else "steady"
        action = "Use the power supply and the cable that belong to the box." if weak else ""
        yield Finding(what="power supply", ok=not weak, says=says, action=action)


def time_of_day(clock: Clock) -> Finding:
    now = clock.now()
    return Finding(
        what="clock",
        ok=now.trusted,
        says=", ".join(filter(None, (f"{now.local:%d-%b-%Y %H:%M:%S %z}", own_machine.set_by()))),
        action="" if now.trusted else "Set the clock: it was never set since the start.",
    )


def media(settings: Settings) -> Iterator[Finding]:
    from gateway.forward.media.medium import is_mounted

    for destination in settings.destinations:
        if destination.kind == "media":
            there = is_mounted(destination.folder, settings.station.data_dir)
            says = f"{shutil.disk_usage(destination.folder).free / 1e9:.1f} GB free" if there else "no medium"
            yield Finding(what=f"destination {destination.name}", ok=True if there else None, says=says)


def queues(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say what the forward process knows of queues that go nowhere and of archives that were replaced."""
    forward = live_of(settings, "forward", clock) or {}
    for told in forward.get("destinations", []):
        name = told["name"]
        if told["state"] == "not-configured":
            yield Finding(
                what=f"queue {name}",
                ok=False,
                says=f"{told['waiting']} objects wait for a destination that is not configured any more",
                action=f"Configure it again, or `scopegate queue move --from {name} --to ANOTHER`.",
            )
        elif count := told.get("sent_to_the_one_before"):
            yield Finding(
                what=f"queue {name}",
                ok=None,
                says=f"{count} objects were sent to the archive that bore this name before, not to this one",
                action=(
                    f"If it does not have them: `scopegate queue resend --destination {name}`. "
                    f"If it is the same one and only moved: `scopegate queue same --destination {name}`."
                ),
            )
    for told in forward.get("procedure_steps", []):
        if told["state"] == "not-configured":
            yield Finding(
                what=f"messages {told['name']}",
                ok=False,
                says=f"{told['waiting']} wait for a procedure step server that is not configured any more",
                action=f"Configure it again, or `scopegate queue drop --server {told['name']}`.",
            )
