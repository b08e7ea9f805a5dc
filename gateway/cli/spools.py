"""`scopegate spool`: verify every file against its record; make the index anew from the files."""

import os

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config

app = typer.Typer(help="The data folder.", no_args_is_help=True)


@app.command()
def check(config: Config = DEFAULT_CONFIG) -> None:
    """Read every file of the spool and compare it with its record; exit 1 if one does not match."""
    from rich.progress import track

    from gateway.cli.opened import counted, spool_of
    from gateway.spool import erasing
    from gateway.spool.inspection import inspect_exam

    with spool_of(config) as (_, spool):
        spool.database.check()
        exams = sorted(path.parent.name for path in spool.layout.of_exams("exam.json"))
        found = [f for exam in track(exams, "Reading exams", transient=True) for f in inspect_exam(spool, exam)]
        left = erasing.unfinished(spool)
    for finding in found:
        print(f"{finding.exam}/{finding.file}: {finding.what}")
    for exam in left:
        print(f"{exam}: was erased, and traces of it are left on the disk; every start of the box tries again")
    print(f"{counted(len(exams), 'exam')} read, {counted(len(found) + len(left), 'problem')}.")
    raise typer.Exit(1 if found or left else 0)


@app.command()
def rebuild(config: Config = DEFAULT_CONFIG) -> None:
    """Make the index anew from the files. Every process of this data folder must be stopped."""
    from gateway.clock import Clock
    from gateway.config import reader
    from gateway.spool.opening import rebuild_index

    settings = reader.read(config, os.environ)
    print("Reading the files ...", flush=True)
    count = rebuild_index(settings.station.data_dir, clock=Clock(), destinations=settings.destinations)
    print(
        f"{count} exams indexed. What was sealed before is held: `scopegate queue release --all after-rebuild` "
        "sends it again."
    )
