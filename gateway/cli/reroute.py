"""`scopegate queue move, add, resend, same, drop`: what to do with whole queues when archives change."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config
from gateway.config.settings import Destination, ProcedureStep, Settings
from gateway.errors import BadValue, NotFound
from gateway.model import DeliveryState
from gateway.spool import routing
from gateway.spool.spool import Spool

_ORDER = tuple(DeliveryState)
Since = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Of exams that began on this day or later.")]


def add_to(app: typer.Typer) -> None:
    """Give these commands to `scopegate queue`."""
    for command in (move, add, resend, same, drop):
        app.command()(command)


def move(
    old: Annotated[str, typer.Option("--from", help="The destination whose queue it is.")],
    new: Annotated[str, typer.Option("--to", help="A configured destination.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Let what waits for one destination wait for another."""
    from gateway.cli.opened import spool_of

    with spool_of(config) as (settings, spool):
        _configured(settings, new)
        if old == new:
            raise BadValue("A queue cannot be moved to itself.")
        _counts(spool, "before", old, new)
        done = spool.rerouting.move(old, new)
        spool.audit.note(
            "queue-moved", by="command-line", source=old, target=new, moved=done.moved, merged=done.merged
        )
        _counts(spool, "after", old, new)
    print(f"{done.moved} moved from {old} to {new}, {done.merged} stood there already.")


def add(
    destination: Annotated[str, typer.Option(help="A configured destination.")],
    since: Since,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Queue the objects of earlier exams for a destination that was added later."""
    from gateway.cli.opened import spool_of

    with spool_of(config) as (settings, spool):
        to = _configured(settings, destination)
        _counts(spool, "before", destination)
        count = spool.rerouting.add(destination, since=_utc(since), wants=partial(routing.wants, to))
        spool.audit.note(
            "queue-filled", by="command-line", target=destination, since=f"{since:%Y-%m-%d}", count=count
        )
        _counts(spool, "after", destination)
    print(f"{count} queued for {destination}.")


def resend(
    destination: Annotated[str, typer.Option(help="A configured destination.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only exams that began on this day or later.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Send again what was sent: the archive lost it, or another one took its place."""
    from gateway.cli.opened import spool_of

    with spool_of(config) as (settings, spool):
        _configured(settings, destination)
        _counts(spool, "before", destination)
        count = spool.rerouting.resend(destination, since=_utc(since) if since else None)
        day = f"{since:%Y-%m-%d}" if since else "ever"
        spool.audit.note("queue-sent-again", by="command-line", target=destination, since=day, count=count)
        _counts(spool, "after", destination)
    print(f"{count} queued again for {destination}.")


def same(
    destination: Annotated[str, typer.Option(help="A configured destination, which got another address.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Say that the archive is the one before and only moved: it is asked again what it has; nothing is sent."""
    from gateway.cli.opened import spool_of

    with spool_of(config) as (settings, spool):
        at = _configured(settings, destination)
        _started_with(spool, at)
        _counts(spool, "before", destination)
        count = spool.rerouting.same(destination)
        spool.audit.note("queue-same-archive", by="command-line", target=destination, count=count)
        _counts(spool, "after", destination)
    asked = at.commitment or at.trust_query
    then = "it will be asked for them again" if asked else "nothing here asks it whether it has them"
    print(f"{count} deliveries count as sent to {destination} where it is now; {then}.")


def drop(
    destination: Annotated[str, typer.Option(help="A destination that is not configured any more.")] = "",
    server: Annotated[str, typer.Option(help="A procedure step server that is not configured any more.")] = "",
    yes: Annotated[int, typer.Option(help="How many are given up, as this command names it.")] = 0,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Give up what waits for who is not configured any more. The pictures stay on the box."""
    from gateway.cli.opened import spool_of

    if bool(destination) == bool(server):
        raise typer.BadParameter("Name a destination, or a procedure step server with --server.")
    with spool_of(config) as (settings, spool):
        if server:
            _drop_messages(settings, spool, server, yes)
        else:
            _drop_deliveries(settings, spool, destination, yes)


def _drop_deliveries(settings: Settings, spool: Spool, name: str, yes: int) -> None:
    _not_configured(name, settings.destinations)
    _counts(spool, "before", name)
    _agreed("delivery", name, spool.destinations.unsettled(name), yes)
    count = spool.rerouting.drop(name)
    spool.audit.note("queue-dropped", by="command-line", target=name, count=count)
    _counts(spool, "after", name)
    print(f"{count} deliveries to {name} were given up; the pictures stay on this box.")


def _drop_messages(settings: Settings, spool: Spool, name: str, yes: int) -> None:
    from gateway.cli.opened import counted

    _not_configured(name, settings.procedure_steps)
    _agreed("message", name, spool.steps.waiting().get(name, 0), yes)
    count = spool.rerouting.drop_messages(name)
    spool.audit.note("step-messages-dropped", by="command-line", target=name, count=count)
    print(f"Given up: {counted(count, 'message')} to {name}. Pictures are not affected.")


def _not_configured(name: str, peers: Sequence[Destination | ProcedureStep]) -> None:
    if name in {each.name for each in peers}:
        raise BadValue(
            f"{name} is configured: its queue is not dropped.",
            action="Take it out of the configuration and restart the processes first.",
        )


def _agreed(what: str, name: str, waiting: int, yes: int) -> None:
    """End the command unless whoever typed it names the number of what is given up."""
    from gateway.cli.opened import counted

    if waiting and yes != waiting:
        print(f"Nothing was dropped. To give up {counted(waiting, what)} for {name}: --yes {waiting}")
        raise typer.Exit(1)


def _started_with(spool: Spool, destination: Destination) -> None:
    """Refuse what is to be said of an address that the forward process does not know yet."""
    from gateway.forward.sending.rearm import peer_of

    with suppress(NotFound):  # it never started with any
        if spool.destinations.get(destination.name).peer != peer_of(destination):
            raise BadValue(
                f"{destination.name} got another address since the processes were started.",
                action="Restart them first, then repeat this.",
            )


def _configured(settings: Settings, name: str) -> Destination:
    found = {destination.name: destination for destination in settings.destinations}
    if name not in found:
        raise BadValue(
            f"There is no destination called {name} in the configuration.",
            action=f"Configured are: {', '.join(found) or 'none'}.",
        )
    return found[name]


def _counts(spool: Spool, when: str, *names: str) -> None:
    counts = spool.deliveries.counts()
    for name in names:
        numbers = ", ".join(f"{counts.get((name, state), 0)} {state}" for state in _ORDER)
        print(f"{when}: {name}: {numbers}")


def _utc(day: datetime) -> datetime:
    """Return the local midnight with which a day began."""
    return day.astimezone(UTC)
