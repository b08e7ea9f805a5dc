"""What waits, for whom and since when, in numbers, from the index. Asks no other system."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config.settings import Settings
from gateway.model import UNTOLD, DeliveryState
from gateway.panel.metrics.families import Family, gauge
from gateway.panel.shown import certificates as shown
from gateway.spool.queue import backlog
from gateway.spool.spool import Spool

_STATE = ("destination", "state")


def destinations(settings: Settings, spool: Spool, forward: Mapping[str, Any] | None) -> Iterator[Family]:
    """Say what waits for each destination, one that left the configuration with a queue as well."""
    counts = spool.deliveries.counts()
    names = sorted({each.name for each in settings.destinations} | {name for name, _ in counts})
    objects = {(name, str(state)): counts.get((name, state), 0) for name in names for state in DeliveryState}
    yield gauge("deliveries", "Objects by destination, in each state.", objects, _STATE)
    stopped = spool.deliveries.stopped()
    held = {(name,): stopped.get(name, 0) for name in names}
    yield gauge("deliveries_stopped", "Objects that wait for a person.", held, ("destination",))
    ages = dict.fromkeys(names, (0.0, 0.0)) | backlog.oldest(spool)
    help_ = "Age of what waits longest to be sent; 0 when nothing does."
    yield gauge("oldest_waiting_seconds", help_, {(name,): ages[name][0] for name in names}, ("destination",))
    vouching = [each.name for each in settings.destinations if each.commitment or each.query]
    help_ = "Since when something was sent for which the destination has not vouched; 0 when nothing was."
    yield gauge("oldest_unproven_seconds", help_, {(name,): ages[name][1] for name in vouching}, ("destination",))
    if forward is not None:
        said = {each["name"]: each["state"] for each in forward.get("destinations", [])}
        up = {(name,): float(said[name] == "ok") for name in names if said.get(name) in {"ok", "paused"}}
        yield gauge("destination_up", "0 while sending pauses after an error.", up, ("destination",))


def worklists(settings: Settings, spool: Spool) -> Iterator[Family]:
    known = {state.server: state for state in spool.worklist.servers()}
    names = [server.name for server in settings.worklists]
    good = {
        (name,): float(name in known and known[name].answered_ns > 0 and not known[name].code) for name in names
    }
    yield gauge("worklist_up", "1 when the last question was answered.", good, ("server",))
    now = spool.clock.utc_ns()
    ages = {
        (n,): max(0.0, (now - known[n].answered_ns) / 1e9) for n in names if n in known and known[n].answered_ns
    }
    yield gauge("worklist_age_seconds", "Age of the list.", ages, ("server",))


def step_messages(settings: Settings, spool: Spool) -> Iterator[Family]:
    counts = spool.steps.counts()
    names = sorted({each.name for each in settings.procedure_steps} | {name for name, _ in counts})
    found = {(name, str(state)): counts.get((name, state), 0) for name in names for state in UNTOLD}
    yield gauge("step_messages", "Messages about procedure steps that wait.", found, ("server", "state"))


def audit_messages(forward: Mapping[str, Any] | None) -> Iterator[Family]:
    """Say what waits for the audit repository, where there is one."""
    said = (forward or {}).get("audit")
    if said:
        yield gauge(
            "audit_messages_waiting", "Audit messages that the repository does not have yet.", said["waiting"]
        )
        up = float(said["state"] == "ok")
        yield gauge("audit_repository_up", "0 while sending audit messages pauses after an error.", up)


def exams(spool: Spool) -> Iterator[Family]:
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT 'open' AS state, count(*) AS count FROM exam WHERE state = 'open' "
            "UNION ALL SELECT 'finished', count(*) FROM exam WHERE state = 'finished'"
        ).fetchall()
    found = {(str(row["state"]),): int(row["count"]) for row in rows}
    yield gauge("exams", "Exams that are open, and finished ones that have not left.", found, ("state",))
    help_ = "Pictures of which no DICOM object can be made until a person did something."
    yield gauge("pictures_unmakeable", help_, backlog.unmakeable(spool))


def certificates(settings: Settings) -> Iterator[Family]:
    """Say until when each certificate of ours holds. One that cannot be read has no number."""
    ends = {(use,): end.timestamp() for use, end in shown.ends(settings) if end}
    help_ = "Until when the certificate holds, Unix time; of a chain, its first end."
    yield gauge("certificate_expiry_timestamp_seconds", help_, ends, ("use",))
