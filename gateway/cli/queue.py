"""`scopegate queue`: what is waiting and why, and a person's hand on it."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config
from gateway.model import UNTOLD, Delivery

_MOST_FILMS = 1000
app = typer.Typer(help="What is waiting to be sent, and why.", invoke_without_command=True)


@app.callback()
def overview(context: typer.Context, config: Config = DEFAULT_CONFIG) -> None:
    """Without a word behind it: as `list`."""
    if context.invoked_subcommand is None:
        list_waiting(config)


@app.command("list")
def list_waiting(config: Config = DEFAULT_CONFIG) -> None:
    """List what was not sent yet, oldest first, and last what needs nobody."""
    from gateway.cli.opened import counted, print_table, spool_of
    from gateway.spool.processes.live import LiveState

    with spool_of(config) as (settings, spool):
        films = len(spool.captures.unsealed(_MOST_FILMS, films=True))
        folder = settings.station.runtime_dir
        said = LiveState(folder=folder, process="forward", files=spool.files, clock=spool.clock).read() or {}
        percent = {each.get("into", "h264"): each["percent"] for each in [said.get("film")] if each}
        waiting = spool.deliveries.unsettled()
        messages = spool.steps.list(states_wanted=UNTOLD)
        orphans = spool.destinations.orphans({destination.name for destination in settings.destinations})
        orphan_messages = spool.steps.orphans({server.name for server in settings.procedure_steps})
    for name, count in orphans.items():
        print(f"{count} wait for {name}, which is not configured any more: queue move, or queue drop.")
    for name, count in orphan_messages.items():
        print(f"{counted(count, 'message')} for {name}, which is not configured any more: queue drop --server.")
    if films:
        at = f", the first is {percent['h264']} % done" if "h264" in percent else ""
        print(f"{counted(films, 'clip')} to be encoded as H.264 before they are sent{at}.")
    if "jpeg" in percent:
        print(f"An H.264 clip is made JPEG for an archive that takes no H.264: {percent['jpeg']} % done.")
    if not waiting and not messages and not films:
        print("Nothing is waiting.")
        return
    rows = [(d.id, d.destination, d.state, d.attempts, d.code or "-", d.reason or "-") for d in waiting]
    if rows:
        print_table(("id", "destination", "state", "tries", "code", "reason"), rows)
    told = [(m.exam, m.server, m.kind, m.state, m.attempts, m.code or "-", m.reason or "-") for m in messages]
    if told:
        print_table(("exam", "procedure step server", "message", "state", "tries", "code", "reason"), told)


@app.command()
def show(uid: str, config: Config = DEFAULT_CONFIG) -> None:
    """Show everything about one object's deliveries."""
    from gateway.cli.opened import counted, spool_of

    with spool_of(config) as (_, spool):
        sealed = spool.objects.get(uid)
        found = spool.deliveries.list(uid=uid)
    print(f"object {sealed.sop_instance_uid}\nexam {sealed.exam}\nbytes {sealed.bytes}\nsha256 {sealed.sha256}")
    for delivery in found:
        print(f"\n{delivery.destination}: {delivery.state}, {counted(delivery.attempts, 'try')}")
        for name in ("code", "reason", "status", "proof"):
            if value := getattr(delivery, name):
                print(f"  {name}: {value}")


@app.command()
def retry(
    delivery: Annotated[int, typer.Argument(help="The id of one delivery.")] = 0,
    destination: Annotated[str, typer.Option(help="Everything that waits for this destination.")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Try what waits at once: one delivery, a destination's, or everything."""
    from gateway.cli.opened import spool_of

    with spool_of(config) as (_, spool):
        count = spool.deliveries.retry(delivery=delivery, destination=destination)
        count += spool.steps.retry() if not delivery and not destination else 0
    print(f"{count} will be tried now.")


@app.command()
def hold(delivery: int, config: Config = DEFAULT_CONFIG) -> None:
    """Hold one waiting delivery back."""
    _by_person("held back", "hold", delivery, config)


@app.command()
def release(
    delivery: Annotated[int, typer.Argument(help="The id of one delivery.")] = 0,
    every: Annotated[str, typer.Option("--all", help="Everything that is held with this code.")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Let a held delivery go, or all that are held with one code."""
    from gateway.cli.opened import spool_of

    if bool(delivery) == bool(every):
        raise typer.BadParameter("Name one delivery, or a code with --all.")
    if delivery:
        _by_person("queued again", "release", delivery, config)
        return
    with spool_of(config) as (_, spool):
        count = spool.deliveries.release_all(every) + spool.steps.release_all(every)
        spool.audit.note("deliveries-released", by="command-line", code=every, count=count)
    print(f"{count} queued again.")


def _by_person(done: str, what: str, delivery: int, config: Path) -> None:
    from gateway.cli.opened import spool_of

    with spool_of(config) as (_, spool):
        moved: Delivery = getattr(spool.deliveries, what)(delivery)
        spool.audit.note(f"delivery-{what}", by="command-line", delivery=delivery, uid=moved.sop_instance_uid)
    print(f"{moved.sop_instance_uid} to {moved.destination}: {done}.")
