"""`scopegate doctor`: one line for everything that must work, with what to do when it does not."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.clock import Clock
from gateway.config import reader
from gateway.config.remarks import remarks
from gateway.config.settings import ProcedureStep, Settings, Tls, Worklist
from gateway.errors import DeliveryError, SpoolError
from gateway.spool.files import Files
from gateway.spool.live import LiveState
from gateway.spool.paths import Layout
from gateway.spool.reserve import Reserve
from gateway.spool.room import MB, Level, Typical
from gateway.spool.space import judge

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from gateway.net.echo import EchoAnswer
_ECHO_S = 5.0
_SOON_DAYS = 60  # before a certificate ends; a hospital's PKI takes its time


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
    yield from (Line(what="configuration", ok=None, says=remark) for remark in remarks(settings))
    yield from _processes(settings, clock)
    yield from _sources(settings, clock)
    yield from _pedals(settings)
    yield from _attached()
    yield _disk(settings, clock)
    yield _clock(clock)
    yield from _media(settings)
    yield from _certificates(settings, clock)
    yield from _peers(settings, clock)
    yield from _proofs(settings)
    yield from _queues(settings, clock)


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


def _disk(settings: Settings, clock: Clock) -> Line:
    folder = settings.station.data_dir
    place = next(path for path in (folder, *folder.parents) if path.exists())
    wanted = settings.retention.reserve_mb * MB
    live = LiveState(folder=settings.station.runtime_dir, process="capture", files=Files(), clock=clock)
    measured = ((live.read() or {}).get("disk") or {}).get("sizes") or {}
    try:
        found = Reserve(path=place / Layout(folder).reserve.name, wanted=wanted, files=Files()).room()
    except SpoolError as error:
        return Line(what=f"disk {folder}", ok=False, says=error.what, action=error.action)
    seen = judge(found, Typical(**measured))
    may_write = os.access(place, os.W_OK)
    says = f"{found.free / 1e9:.1f} GB of {found.total / 1e9:.1f} GB free ({found.free / found.total:.0%})"
    says += f", room for about {seen.stills} stills or {seen.clip_seconds // 60} minutes of clip"
    return Line(
        what=f"disk {folder}",
        ok=seen.level is Level.OK and may_write,
        says=f"{says}. {seen.what}" if seen.what else says,
        action=seen.action or ("" if may_write else "Check who may write there."),
    )


def _clock(clock: Clock) -> Line:
    now = clock.now()
    return Line(
        what="clock",
        ok=now.trusted,
        says=f"{now.local:%d-%b-%Y %H:%M:%S %z}",
        action="" if now.trusted else "Set the clock: it was never set since the start.",
    )


def _media(settings: Settings) -> Iterator[Line]:
    from gateway.forward.media.medium import is_mounted

    for destination in settings.destinations:
        if destination.kind == "media":
            there = is_mounted(destination.folder, settings.station.data_dir)
            says = f"{shutil.disk_usage(destination.folder).free / 1e9:.1f} GB free" if there else "no medium"
            yield Line(what=f"destination {destination.name}", ok=True if there else None, says=says)


def _certificates(settings: Settings, clock: Clock) -> Iterator[Line]:
    """Look at the files of every `tls`, each once: how long they hold, and who may read the keys."""
    from gateway.net import expiry

    every = [settings.station.tls]
    every += [server.tls for _, _, server in _dimse_servers(settings)]
    every += [peer.tls for peer in settings.destinations]
    used: list[Tls] = [tls for tls in every if tls is not None]
    # A file of authorities is as good as its best; our certificate is as good as the worst of its chain.
    files = {tls.ca: max for tls in used if tls.ca} | {tls.certificate: min for tls in used if tls.certificate}
    for path, choose in files.items():
        what = f"certificate {path}"
        try:
            yield _until(what, choose(expiry.ends(path)), clock, "Have it renewed; no restart is needed then.")
        except (OSError, ValueError):
            yield Line(what=what, ok=False, says="cannot be read", action="Put the file right.")
    keys = {tls.key: "key" for tls in used if tls.key}
    for peer in settings.destinations:
        keys |= {path: "secret" for path in (peer.token_file, peer.password_file) if path}
    for path, kind in keys.items():
        if path.stat().st_mode & 0o007:
            says = "everybody on this box may read it"
            yield Line(what=f"{kind} {path}", ok=None, says=says, action=f"chmod 640 {path}")


def _until(what: str, end: datetime, clock: Clock, action: str) -> Line:
    left = (end - clock.utc()).days
    if left < 0:
        return Line(what=what, ok=False, says=f"expired on {end:%d-%b-%Y}", action=action)
    soon = left < _SOON_DAYS
    says = f"holds until {end:%d-%b-%Y}{f', {left} days more' if soon else ''}"
    return Line(what=what, ok=None if soon else True, says=says, action=action if soon else "")


def _dimse_servers(settings: Settings) -> Iterator[tuple[str, str, Worklist | ProcedureStep]]:
    yield from (("worklist", "worklist server", server) for server in settings.worklists)
    yield from (("procedure_step", "procedure step server", server) for server in settings.procedure_steps)


def _peers(settings: Settings, clock: Clock) -> Iterator[Line]:
    from gateway.net.echo import echo
    from gateway.net.reach import reach

    ours = settings.station.ae_title
    for what, kind, server in _dimse_servers(settings):
        answer = echo(
            server.host,
            server.port,
            server.ae_title,
            ours,
            kind=kind,
            name=server.name,
            deadline_s=_ECHO_S,
            tls=server.tls,
        )
        yield from _said(what, server.name, answer, clock)
    for destination in settings.destinations:
        if destination.kind == "media":
            continue
        answer = reach(destination, our_ae=ours, deadline_s=_ECHO_S)
        yield from _said("destination", destination.name, answer, clock)


def _said(what: str, name: str, answer: "EchoAnswer", clock: Clock) -> Iterator[Line]:
    says = "answers" if answer.ok else f"{answer.what} [{answer.code}]"
    yield Line(what=f"{what} {name}", ok=answer.ok, says=says, action=answer.action)
    if answer.proven_until is not None:
        yield _until(f"certificate of {name}", answer.proven_until, clock, "Ask who runs it to have it renewed.")


def _queues(settings: Settings, clock: Clock) -> Iterator[Line]:
    """Say what the forward process knows of queues that go nowhere and of archives that were replaced."""
    live = LiveState(folder=settings.station.runtime_dir, process="forward", files=Files(), clock=clock)
    said = live.read() or {}
    for told in said.get("destinations", []):
        name = told["name"]
        if told["state"] == "not-configured":
            yield Line(
                what=f"queue {name}",
                ok=False,
                says=f"{told['waiting']} objects wait for a destination that is not configured any more",
                action=f"Configure it again, or `scopegate queue move --from {name} --to ANOTHER`.",
            )
        elif count := told.get("sent_to_the_one_before"):
            yield Line(
                what=f"queue {name}",
                ok=None,
                says=f"{count} objects were sent to the archive that bore this name before, not to this one",
                action=(
                    f"If it does not have them: `scopegate queue resend --destination {name}`. "
                    f"If it is the same one and only moved: `scopegate queue same --destination {name}`."
                ),
            )
    for told in said.get("procedure_steps", []):
        if told["state"] == "not-configured":
            yield Line(
                what=f"messages {told['name']}",
                ok=False,
                says=f"{told['waiting']} wait for a procedure step server that is not configured any more",
                action=f"Configure it again, or `scopegate queue drop --server {told['name']}`.",
            )


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
