"""`scopegate update`: what is installed, install another version. The appliance's own units call the others."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config

app = typer.Typer(help="Updates of the appliance.", no_args_is_help=True)
_WHY = Path("/run/scopegate-health/why")


@app.command()
def status() -> None:
    """Print which version runs, and what became of the last update."""
    from gateway.config.told import told

    said = told("update")
    if said is None:
        print("This machine is no appliance: it is updated as docs/it.md says.")
        raise typer.Exit(1)
    print(f"version {said['version']} ({said['build']}), slot {said['slot']}")
    print(
        f"takes {'signed updates from version ' + said['floor'] + ' on' if said['takes_updates'] else 'no updates'}"
    )
    if said["trying"]:
        print("has not proven itself yet")
    other = said["other"]
    print(f"other slot: {other['version'] or 'version unknown'}, {other['use']}")
    last = said["last"]
    if last["phase"] != "none":
        why = f" ({last['reason']})" if last["reason"] else ""
        print(f"last update: {last['version']}, slot {last['slot']}: {last['phase']}{why}, {last['at']}")


@app.command()
def install(file: Annotated[Path, typer.Argument(help="A bundle (*.raucb).")]) -> None:
    """Install a version into the other slot; it runs from the next start on."""
    from gateway.clock import Clock
    from gateway.machine.locks import alone
    from gateway.machine.update import box, desk
    from gateway.machine.update.rauc import Rauc

    clock = Clock()
    with alone(desk.LOCK):
        desk.UpdateDesk(box=box.this(clock), rauc=Rauc(), clock=clock).install(file.absolute())
    print("Installed. It runs from the next start on.")


@app.command(hidden=True)
def ready() -> None:
    """Put right what the firmware starts and what RAUC reads; at each start."""
    from gateway.clock import Clock
    from gateway.log import to_stderr
    from gateway.machine.update.ready import get_ready

    to_stderr("update")
    get_ready(Clock())


@app.command(hidden=True)
def obey() -> None:
    """Do what the screen asked for."""
    from gateway.clock import Clock
    from gateway.log import to_stderr
    from gateway.machine.update.desk import obey_the_screen

    to_stderr("update")
    obey_the_screen(Clock())


@app.command(hidden=True)
def broken_off() -> None:
    """Say that what the screen asked for was broken off."""
    from gateway.clock import Clock
    from gateway.machine.update import box, desk
    from gateway.machine.update.rauc import Rauc

    clock = Clock()
    desk.UpdateDesk(box=box.this(clock), rauc=Rauc(), clock=clock).broken_off()


@app.command(hidden=True)
def judge() -> None:
    """Decide whether a version that was started for the first time stays."""
    from gateway.clock import Clock
    from gateway.log import to_stderr
    from gateway.machine.update import box
    from gateway.machine.update.rauc import Rauc
    from gateway.machine.update.trial import Trial

    to_stderr("update")
    clock = Clock()
    Trial(box=box.this(clock), rauc=Rauc(), clock=clock).decide()


@app.command(hidden=True)
def look(config: Config = DEFAULT_CONFIG) -> None:
    """Look whether this version does its work; exit 1 if not."""
    from gateway.clock import Clock
    from gateway.config import reader
    from gateway.machine.update import health

    try:
        settings = reader.read(config, os.environ)
        health.look(settings, settings.panel.listen, Clock())
    except health.Unwell as error:
        _WHY.write_text(str(error))
        raise typer.Exit(1) from error
