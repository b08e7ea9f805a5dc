"""`scopegate queue move, add, resend, same, drop`: what to do with whole queues when archives change."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from gateway.spool.queue.whole_queues import Queues
    from gateway.spool.spool import Spool
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
    with _counted(config, old, new) as queues:
        done = queues.move(old, new)
    print(f"{done.moved} moved from {old} to {new}, {done.merged} stood there already.")


def add(
    destination: Annotated[str, typer.Option(help="A configured destination.")],
    since: Since,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Queue the objects of earlier exams for a destination that was added later."""
    with _counted(config, destination) as queues:
        count = queues.add(destination, since=_utc(since))
    print(f"{count} queued for {destination}.")


def resend(
    destination: Annotated[str, typer.Option(help="A configured destination.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only exams that began on this day or later.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Send again what was sent: the archive lost it, or another one took its place."""
    with _counted(config, destination) as queues:
        count = queues.resend(destination, since=_utc(since) if since else None)
    print(f"{count} queued again for {destination}.")


def same(
    destination: Annotated[str, typer.Option(help="A configured destination, which got another address.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Say that the archive is the one before and only moved: it is asked again what it has; nothing is sent."""
    with _counted(config, destination) as queues:
        count = queues.same(destination)
        at = queues.configured(destination)
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
    from gateway.cli.opened import counted

    if bool(destination) == bool(server):
        raise typer.BadParameter("Name a destination, or a procedure step server with --server.")
    with _counted(config, *([destination] if destination else [])) as queues:
        if server:
            _agreed("message", server, queues.orphaned_messages(server), yes)
            count = queues.drop_messages(server, agreed=yes)
        else:
            _agreed("delivery", destination, queues.orphaned(destination), yes)
            count = queues.drop(destination, agreed=yes)
    if server:
        print(f"Given up: {counted(count, 'message')} to {server}. Pictures are not affected.")
    else:
        print(f"{count} deliveries to {destination} were given up; the pictures stay on this box.")


def _agreed(what: str, name: str, waiting: int, yes: int) -> None:
    """End the command unless whoever typed it names the number of what is given up."""
    from gateway.cli.opened import counted

    if waiting and yes != waiting:
        print(f"Nothing was dropped. To give up {counted(waiting, what)} for {name}: --yes {waiting}")
        raise typer.Exit(1)


@contextmanager
def _counted(config: Path, *names: str) -> "Iterator[Queues]":
    """Open the spool for a word about queues, and print how many objects are where before and after it."""
    from gateway.cli.opened import spool_of
    from gateway.spool.queue.whole_queues import Queues

    with spool_of(config) as (settings, spool):
        _counts(spool, "before", *names)
        yield Queues(spool, settings, by="command-line")
        _counts(spool, "after", *names)


def _counts(spool: "Spool", when: str, *names: str) -> None:
    from gateway.model import DeliveryState

    counts = spool.deliveries.counts()
    for name in names:
        numbers = ", ".join(f"{counts.get((name, state), 0)} {state}" for state in DeliveryState)
        print(f"{when}: {name}: {numbers}")


def _utc(day: datetime) -> datetime:
    """Return the local midnight with which a day began."""
    return day.astimezone(UTC)
