"""What `scopegate doctor` sees on this box: processes, devices, disk, clock, certificates. Opens no connection."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

from gateway.cli import own_machine
from gateway.cli.finding import Finding, until
from gateway.clock import Clock
from gateway.config.settings import Settings, Sign, Source, Tls, Trigger
from gateway.errors import SpoolError, TooHot
from gateway.spool.files import Files
from gateway.spool.live import LiveState
from gateway.spool.paths import Layout
from gateway.spool.reserve import Reserve
from gateway.spool.room import MB, Level, Typical
from gateway.spool.space import judge
from hardware.machine import Sensors


def processes(settings: Settings, clock: Clock) -> Iterator[Finding]:
    for name in ("capture", "forward", "panel"):
        running = _said(settings, name, clock) is not None
        yield Finding(
            what=f"process {name}",
            ok=running,
            says="runs" if running else "does not run",
            action="" if running else f"Start it: `systemctl start scopegate-{name}` or `scopegate run`.",
        )


def sources(settings: Settings, clock: Clock) -> Iterator[Finding]:
    capture = _said(settings, "capture", clock) or {}
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
    capture = _said(settings, "capture", clock) or {}
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
    capture = _said(settings, "capture", clock) or {}
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
    said = (_said(settings, "capture", clock) or {}).get("machine") or {}
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


def certificates(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Look at the files of every `tls` and of `lan`, each once: how long they hold, who may read the keys."""
    from gateway.net import expiry

    every = [
        settings.station.tls,
        *(server.tls for server in settings.worklists),
        *(server.tls for server in settings.procedure_steps),
        *(destination.tls for destination in settings.destinations),
        settings.audit.tls if settings.audit else None,
    ]
    used: list[Tls] = [tls for tls in every if tls is not None]
    # A file of authorities is as good as its best; our certificate is as good as the worst of its chain.
    files = {tls.ca: max for tls in used if tls.ca} | {tls.certificate: min for tls in used if tls.certificate}
    lan = settings.panel.lan
    files |= {lan.certificate: min} if lan else {}
    for path, choose in files.items():
        what = f"certificate {path}"
        try:
            yield until(what, choose(expiry.ends(path)), clock, "Have it renewed; no restart is needed then.")
        except (OSError, ValueError):
            yield Finding(what=what, ok=False, says="cannot be read", action="Put the file right.")
    keys = {tls.key: "key" for tls in used if tls.key}
    keys |= {lan.key: "key"} if lan else {}
    for peer in settings.destinations:
        keys |= {path: "secret" for path in (peer.token_file, peer.password_file) if path}
    for path, kind in keys.items():
        if path.stat().st_mode & 0o007:
            says = "everybody on this box may read it"
            yield Finding(what=f"{kind} {path}", ok=None, says=says, action=f"chmod 640 {path}")


def second_door(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say whether browsers of the network can come in, where that is configured."""
    if settings.panel.lan is None:
        return
    said = _said(settings, "panel", clock)
    if said is None:
        yield Finding(what="second door", ok=None, says="not known while panel does not run")
    elif listens_at := said.get("lan"):
        yield Finding(what="second door", ok=True, says=f"open at {listens_at}")
    else:
        do = "Make an administrator on the box; then look at certificate, key and address of [panel] lan."
        yield Finding(what="second door", ok=False, says="shut: browsers of the network cannot come in", action=do)


def monitoring(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say whether the clinic's monitoring can read this box, where that is configured."""
    if settings.metrics.listen is None:
        return
    said = _said(settings, "panel", clock)
    if said is None:
        yield Finding(what="metrics", ok=None, says="not known while panel does not run")
    elif listens_at := said.get("metrics"):
        yield Finding(what="metrics", ok=True, says=f"listens at {listens_at}")
    else:
        do = "Look at [metrics] listen: is the address this box's own, and its port free?"
        yield Finding(
            what="metrics", ok=False, says="shut: the clinic's monitoring cannot read this box", action=do
        )


def listener(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say whether archives can report to this box."""
    forward = _said(settings, "forward", clock)
    if forward is None:
        yield Finding(what="listener", ok=None, says="not known while forward does not run")
    elif said := forward.get("listener"):
        yield Finding(what="listener", ok=False, says=f"{said['what']} [{said['code']}]", action=said["action"])
    else:
        yield Finding(what="listener", ok=True, says=f"listens at {settings.station.listen}")


def queues(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say what the forward process knows of queues that go nowhere and of archives that were replaced."""
    forward = _said(settings, "forward", clock) or {}
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


def _said(settings: Settings, process: str, clock: Clock) -> dict[str, Any] | None:
    """Return what a process of this box says of itself; None when it does not run."""
    folder = settings.station.runtime_dir
    return LiveState(folder=folder, process=process, files=Files(), clock=clock).read()
