"""`scopegate doctor`: one line for everything that must work, with what to do when it does not."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.config import reader
from gateway.config.settings import Destination, Settings, Worklist
from gateway.errors import DeliveryError
from gateway.spool.files import Files
from gateway.spool.live import LiveState

_LOW_SHARE = 0.10
_ECHO_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One thing that was looked at. `ok` None = nothing is wrong, but somebody should know."""

    what: str
    ok: bool | None
    says: str
    action: str = ""


def look(config: Path, *, as_json: bool) -> int:
    """Print one line for each thing as it is looked at; return 1 if one of them is a problem."""
    settings = reader.read(config, os.environ)
    problems = 0
    lines = []
    for line in _lines(settings, Clock()):
        problems += line.ok is False
        lines.append(line)
        if not as_json:
            print(_text(line), flush=True)
    if as_json:
        print(json.dumps([asdict(line) for line in lines], indent=1))
    return 1 if problems else 0


def _lines(settings: Settings, clock: Clock) -> Iterator[Line]:
    yield Line(what="configuration", ok=True, says="no mistakes found")
    yield from _processes(settings, clock)
    yield from _sources(settings, clock)
    yield from _pedals(settings)
    yield from _attached()
    yield _disk(settings.station.data_dir)
    yield _clock(clock)
    yield from _peers(settings)
    yield from _proofs(settings)


def _processes(settings: Settings, clock: Clock) -> Iterator[Line]:
    for name in ("capture", "forward", "panel"):
        live = LiveState(folder=settings.station.runtime_dir, process=name, files=Files(), clock=clock)
        running = live.read() is not None
        yield Line(
            what=f"process {name}",
            ok=running,
            says="runs" if running else "does not run",
            action="" if running else f"Start it: `systemctl start scopegate-{name}` or `scopegate run`.",
        )


def _sources(settings: Settings, clock: Clock) -> Iterator[Line]:
    live = LiveState(folder=settings.station.runtime_dir, process="capture", files=Files(), clock=clock)
    said = {source["name"]: source for source in (live.read() or {}).get("sources", [])}
    for source in settings.sources:
        state = said.get(source.name)
        what = f"source {source.name}"
        if state is None:
            yield Line(what=what, ok=None, says="not known while capture does not run")
        elif state["state"] == "live":
            size = f"{state['width']}x{state['height']} at {state['rate']:g}/s"
            yield Line(what=what, ok=True, says=f"live, {size}, {state['lost']} frames lost")
        else:
            yield Line(
                what=what,
                ok=False,
                says=f"{state['what']} [{state['code']}]",
                action="Check that the device is on and its cable is plugged in.",
            )


def _pedals(settings: Settings) -> Iterator[Line]:
    for trigger in settings.triggers:
        there = os.access(trigger.device, os.R_OK | os.W_OK)
        yield Line(
            what=f"pedal {trigger.device}",
            ok=there,
            says="there" if there else "is not there, or may not be opened",
            action="" if there else "Plug it in; on the box its user must be in the group dialout.",
        )


def _attached() -> Iterator[Line]:
    """Say what the kernel sees, for the person who has to write the configuration."""
    import pyudev

    context = pyudev.Context()
    for kind, subsystem in (("grabber", "video4linux"), ("serial adapter", "tty")):
        for device in context.list_devices(subsystem=subsystem):
            if device.device_node and device.find_parent("usb"):
                name = device.get("ID_V4L_PRODUCT") or device.get("ID_MODEL") or "unnamed"
                yield Line(what=f"{kind} {device.device_node}", ok=None, says=f"attached: {name}")


def _disk(folder: Path) -> Line:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total
    ok = share >= _LOW_SHARE and os.access(place, os.W_OK)
    says = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB free ({share:.0%})"
    return Line(
        what=f"disk {folder}",
        ok=ok,
        says=says,
        action="" if ok else "Make room on this disk, or give it a larger one; check who may write there.",
    )


def _clock(clock: Clock) -> Line:
    now = clock.now()
    return Line(
        what="clock",
        ok=now.trusted,
        says=f"{now.local:%d-%b-%Y %H:%M:%S %z}",
        action="" if now.trusted else "Set the clock: it was never set since the start.",
    )


def _peers(settings: Settings) -> Iterator[Line]:
    from gateway.net.echo import echo

    peers: list[tuple[str, str, Worklist | Destination]] = []
    peers += [("worklist", "worklist server", server) for server in settings.worklists]
    peers += [("destination", "archive", destination) for destination in settings.destinations]
    for what, kind, peer in peers:
        answer = echo(
            peer.host,
            peer.port,
            peer.ae_title,
            settings.station.ae_title,
            kind=kind,
            name=peer.name,
            deadline_s=_ECHO_S,
        )
        says = "answers" if answer.ok else f"{answer.what} [{answer.code}]"
        yield Line(what=f"{what} {peer.name}", ok=answer.ok, says=says, action=answer.action)


def _proofs(settings: Settings) -> Iterator[Line]:
    """Ask whether archives offer what is to prove that they have the pictures."""
    from gateway.net.commitment import CommitmentAssociation
    from gateway.net.peers import Timeouts, service_of, shared_out
    from gateway.net.query import QueryAssociation

    our_ae, patience = settings.station.ae_title, shared_out(Timeouts(), _ECHO_S)
    for destination in settings.destinations:
        for what, service, way in (
            ("commitment", destination.commitment, CommitmentAssociation),
            ("query", destination.query, QueryAssociation),
        ):
            peer = service_of(destination, service)
            if peer is None:
                continue
            try:
                with way(peer, our_ae=our_ae, timeouts=patience):
                    yield Line(what=f"{what} {destination.name}", ok=True, says="offers it")
            except DeliveryError as error:
                says = f"{error.what} [{error.code}]"
                yield Line(what=f"{what} {destination.name}", ok=False, says=says, action=error.action)


def _text(line: Line) -> str:
    mark = {True: "ok     ", False: "problem", None: "note   "}[line.ok]
    action = f"  -> {line.action}" if line.action else ""
    return f"{mark}  {line.what}: {line.says}{action}"
