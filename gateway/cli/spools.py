"""`scopegate spool`: verify every file against its record; make the index anew from the files."""

import os

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config

app = typer.Typer(help="The data folder.", no_args_is_help=True)


@app.command()
def check(config: Config = DEFAULT_CONFIG) -> None:
    """Read every file of the spool and compare it with its record; exit 1 if one does not match."""
    from rich.progress import Progress

    from gateway.cli.opened import counted, spool_of
    from gateway.spool import inspection

    with spool_of(config) as (_, spool), Progress(transient=True) as progress:
        exams = inspection.exams_of(spool)
        count = sum(inspection.count_of(spool, exam) for exam in exams)
        task = progress.add_task("Reading pictures", total=count)
        found = list(inspection.inspect(spool, exams, lambda steps: progress.advance(task, steps)))
    for finding in found:
        print(f"{finding.place}: {finding.what} [{finding.code}]")
    print(f"{counted(len(exams), 'exam')} read, {counted(len(found), 'problem')}.")
    raise typer.Exit(1 if found else 0)


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
