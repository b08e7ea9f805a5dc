"""The commands by name. Their work is in the other modules of this folder."""

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

import gateway
from gateway.cli import (
    audit,
    connect,
    erase,
    exams,
    learn,
    queue,
    reroute,
    settings_file,
    spools,
    update,
)
from gateway.cli.options import DEFAULT_CONFIG, Config

app = typer.Typer(
    name="scopegate",
    help="From a video output to the PACS: captures stills and clips and delivers them as DICOM.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="The configuration file.", no_args_is_help=True)
settings_file.add_to(config_app)
app.add_typer(config_app, name="config")
reroute.add_to(queue.app)
app.add_typer(queue.app, name="queue")
erase.add_to(exams.app)
app.add_typer(exams.app, name="exam")
app.add_typer(spools.app, name="spool")
app.add_typer(learn.app, name="trigger")
app.add_typer(connect.app, name="source")
app.add_typer(audit.app, name="audit")
app.add_typer(update.app, name="update")


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print version and commit.", is_eager=True)] = False,
) -> None:
    if version:
        print(f"scopegate {gateway.__version__} ({_commit()})")
        raise typer.Exit


@app.command()
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Run the three processes as children; a dead one is started again."""
    from gateway.cli import processes

    processes.run_all(config)


@app.command()
def capture(config: Config = DEFAULT_CONFIG) -> None:
    """Run the process with the devices."""
    from gateway.cli import processes

    processes.capture(config)


@app.command()
def forward(config: Config = DEFAULT_CONFIG) -> None:
    """Run the process with the network."""
    from gateway.cli import processes

    processes.forward(config)


@app.command()
def panel(config: Config = DEFAULT_CONFIG) -> None:
    """Run the touchscreen's web server."""
    from gateway.cli import processes

    processes.panel(config)


@app.command()
def demo(
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep everything here instead of a temporary folder.")
    ] = None,
    headless_exam: Annotated[
        bool, typer.Option(help="Run one exam without a browser and print what arrived.")
    ] = False,
    port: Annotated[int, typer.Option(help="Of the panel; the next free one when it is taken.")] = 8080,
) -> None:
    """Show all on one machine: a moving test picture, a worklist, an archive and the panel."""
    from gateway.demo.run import run_demo

    raise typer.Exit(run_demo(data_dir=data_dir, headless_exam=headless_exam, port=port, say=_say))


@app.command()
def practice(config: Config = DEFAULT_CONFIG) -> None:
    """Run practice beside this box until its screen ends it: a test picture, TEST patients, nothing is kept."""
    from gateway.demo.practice import run_practice
    from gateway.log import to_stderr

    to_stderr("practice")
    raise typer.Exit(run_practice(config, _say))


@app.command()
def doctor(
    config: Config = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look at devices, disk, clock, worklist and every destination; exit 1 if anything needs somebody."""
    from gateway.cli import doctor as looking

    raise typer.Exit(looking.look(config, as_json=as_json))


@app.command("self-test")
def self_test(config: Config = DEFAULT_CONFIG) -> None:
    """Test the hardware of this box, and wait for a press of each pedal; exit 1 if something failed."""
    from gateway.cli import self_test as testing

    raise typer.Exit(testing.run(config))


@app.command()
def support(
    file: Annotated[Path, typer.Argument(help="A new file: NAME.zip.")], config: Config = DEFAULT_CONFIG
) -> None:
    """Put into a zip what helps from afar: findings, states, counts, settings, lines of logs; no patient."""
    from gateway.cli import support as telling

    raise typer.Exit(telling.write(config, file))


@app.command()
def day(
    date: Annotated[str, typer.Argument(help="As 2026-11-21; today when left out.")] = "",
    ask: Annotated[bool, typer.Option(help="Ask every archive what it has.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Say what became of a day's pictures; exit 1 unless all of them are in the archives for good."""
    from gateway.cli import day as looking

    raise typer.Exit(looking.look(config, date, ask=ask, as_json=as_json))


@app.command()
def export(
    exam: Annotated[list[str], typer.Option("--exam", help="The number of an exam; may be given several times.")],
    to: Annotated[Path, typer.Option("--to", help="The mounted stick, or a folder.")],
    jpeg: Annotated[bool, typer.Option("--jpeg", help="JPEG copies beside it, for looking at.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write exams as DICOM media (DICOMDIR), read everything back, and say when it can be removed."""
    from gateway.cli import export as exporting

    raise typer.Exit(exporting.export(config, exams=exam, to=to, jpeg=jpeg))


@app.command()
def conformance(config: Config = DEFAULT_CONFIG) -> None:
    """Print the DICOM conformance statement of this configuration, as Markdown."""
    from gateway.cli import conformance as looking

    raise typer.Exit(looking.look(config))


@app.command("machine")
def of_machine(what: Annotated[str, typer.Argument(help="apply, look, try, set-clock or disk-life.")]) -> None:
    """Do what the units of an appliance do as root: its network, its firewall, its clock (docs/it.md)."""
    from gateway.cli import machine

    machine.run(what)


@config_app.command("check")
def config_check(file: Path) -> None:
    """Name every mistake of a configuration file with its line, and of its profiles; exit 2 if there is one."""
    from gateway.cli.profiled import unusable
    from gateway.config import reader, remarks

    settings = reader.read(file)
    broken = list(unusable(settings))
    for each in broken:
        print(f"{file}: {each}")
    print(f"{file}: no mistakes found." if not broken else "The box starts, but gives no picture of these sources.")
    for remark in remarks.remarks(settings):
        print(f"note: {remark}")
    if broken:
        raise typer.Exit(2)


def _say(text: str) -> None:
    print(text, flush=True)


def _commit() -> str:
    """Return the commit of this checkout, or "packaged" when it is none."""
    folder = Path(gateway.__file__).parent.parent
    if not (folder / ".git").exists():
        return os.environ.get("SCOPEGATE_COMMIT", "packaged")
    answer = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"
