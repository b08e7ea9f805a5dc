"""Asks the other systems: do they answer, how long do their certificates hold, do they prove what they have.

Opens connections to whom the configuration names, one after the other, each for some seconds at most.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from gateway.clock import Clock
from gateway.config.settings import ProcedureStep, Settings, Worklist
from gateway.errors import DeliveryError
from gateway.forward.connections.finding import Finding, until
from gateway.messages import N_
from gateway.net import syslog
from gateway.net.commitment import CommitmentAssociation
from gateway.net.echo import EchoAnswer, echo
from gateway.net.peers import Timeouts, service_of, shared_out
from gateway.net.query import QueryAssociation
from gateway.net.reach import reach

_ECHO_S = 5.0


def peers(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Ask every server and every archive whether it hears us."""
    ours = settings.station.ae_title
    for server in settings.worklists:
        answer = _echo(server, "worklist server", ours)
        yield from _said(f"worklist {server.name}", server.name, answer, clock)
    for teller in settings.procedure_steps:
        answer = _echo(teller, "procedure step server", ours)
        yield from _said(f"procedure_step {teller.name}", teller.name, answer, clock)
    for destination in settings.destinations:
        if destination.kind != "media":
            answer = reach(destination, our_ae=ours, deadline_s=_ECHO_S)
            yield from _said(f"destination {destination.name}", destination.name, answer, clock)


def proofs(settings: Settings) -> Iterator[Finding]:
    """Ask whether archives offer what is to prove that they have the pictures."""
    our_ae, patience = settings.station.ae_title, shared_out(Timeouts(), _ECHO_S)
    for each in settings.destinations:
        if peer := service_of(each, each.commitment):
            way = CommitmentAssociation(peer, our_ae=our_ae, timeouts=patience)
            yield _offered(f"commitment {each.name}", way)
        if peer := service_of(each, each.query):
            yield _offered(f"query {each.name}", QueryAssociation(peer, our_ae=our_ae, timeouts=patience))


def audit(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Ask whether the audit repository would take messages."""
    if settings.audit is None:
        return
    answer = syslog.knock(syslog.repository(settings.audit), deadline_s=_ECHO_S)
    yield from _said(f"audit repository {settings.audit.host}", settings.audit.host, answer, clock)


def _echo(server: Worklist | ProcedureStep, kind: str, our_ae: str) -> EchoAnswer:
    return echo(
        server.host,
        server.port,
        server.ae_title,
        our_ae,
        kind=kind,
        name=server.name,
        deadline_s=_ECHO_S,
        tls=server.tls,
    )


def _offered(what: str, way: AbstractContextManager[object]) -> Finding:
    try:
        with way:
            return Finding(what=what, ok=True, says="offers it")
    except DeliveryError as error:
        return Finding(what=what, ok=False, says=error.what, action=error.action, code=error.code)


def _said(what: str, name: str, answer: EchoAnswer, clock: Clock) -> Iterator[Finding]:
    if answer.ok:
        yield Finding(what=what, ok=True, says="answers")
    else:
        yield Finding(what=what, ok=False, says=answer.what, action=answer.action, code=answer.code)
    if answer.proven_until is not None:
        whose, do = N_(f"certificate of {name}"), N_("Ask who runs it to have it renewed.")
        yield until(whose, answer.proven_until, clock, do)
