"""`scopegate doctor`: one finding for everything that must work, with what to do when it does not.

What is on this box is looked at in `this_box`; here the other systems are asked.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli import disk_life, own_machine, this_box
from gateway.cli.finding import Finding, until
from gateway.cli.profiled import unusable
from gateway.clock import Clock
from gateway.config import reader
from gateway.config.remarks import remarks
from gateway.config.settings import ProcedureStep, Settings, Worklist
from gateway.errors import DeliveryError

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from gateway.net.echo import EchoAnswer
_ECHO_S = 5.0


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
        print(json.dumps([asdict(finding) for finding in found], indent=1))
    return 1 if problems else 0


def findings(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Look at this box and ask the other systems; each finding as it is made."""
    broken = list(unusable(settings))
    if not broken:
        yield Finding(what="configuration", ok=True, says="no mistakes found")
    else:
        says = f"{len(broken)} mistakes about device profiles"
        yield Finding(what="configuration", ok=False, says=says, action="`scopegate config check` names each.")
    yield from (Finding(what="configuration", ok=None, says=remark) for remark in remarks(settings))
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
    yield from this_box.second_door(settings, clock)
    yield from this_box.monitoring(settings, clock)
    yield from this_box.certificates(settings, clock)
    yield from _peers(settings, clock)
    yield from _proofs(settings)
    yield from _audit(settings, clock)
    yield from this_box.listener(settings, clock)
    yield from this_box.queues(settings, clock)


def _dimse_servers(settings: Settings) -> Iterator[tuple[str, str, Worklist | ProcedureStep]]:
    yield from (("worklist", "worklist server", server) for server in settings.worklists)
    yield from (("procedure_step", "procedure step server", server) for server in settings.procedure_steps)


def _peers(settings: Settings, clock: Clock) -> Iterator[Finding]:
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


def _audit(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Ask whether the audit repository would take messages."""
    if settings.audit is None:
        return
    from gateway.net import syslog

    answer = syslog.knock(syslog.repository(settings.audit), deadline_s=_ECHO_S)
    yield from _said("audit repository", settings.audit.host, answer, clock)


def _said(what: str, name: str, answer: "EchoAnswer", clock: Clock) -> Iterator[Finding]:
    says = "answers" if answer.ok else f"{answer.what} [{answer.code}]"
    yield Finding(what=f"{what} {name}", ok=answer.ok, says=says, action=answer.action)
    if answer.proven_until is not None:
        yield until(f"certificate of {name}", answer.proven_until, clock, "Ask who runs it to have it renewed.")


def _proofs(settings: Settings) -> Iterator[Finding]:
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
                    yield Finding(what=f"{what} {destination.name}", ok=True, says="offers it")
            except DeliveryError as error:
                says = f"{error.what} [{error.code}]"
                yield Finding(what=f"{what} {destination.name}", ok=False, says=says, action=error.action)
