"""`scopegate config export` and `import`: a box's settings as one file, out and in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from gateway.config.differences import Difference
    from gateway.config.editing import Trial
    from gateway.panel.configuring import Configuring


def add_to(app: typer.Typer) -> None:
    """Give these commands to `scopegate config`."""
    app.command("export")(export)
    app.command("import")(take_in)


def export(
    to: Annotated[Path, typer.Argument(help="The file to write; one that is there is not replaced.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write the settings into one file: the configuration and its device profiles, without any secret."""
    with _configuring(config) as configuring:
        raw = configuring.out()
    try:
        with to.open("xb") as file:
            file.write(raw)
    except OSError as error:
        print(f"{to} was not written: {error.strerror}.")
        raise typer.Exit(1) from None
    print(f"{to}: the settings of this box. Passwords, tokens and keys of certificates are not in it.")


def take_in(
    file: Annotated[Path, typer.Argument(help="A file that `scopegate config export` or the screen wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Change what this command names without it.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Take the settings of such a file; what would change is said first, and nothing happens during an exam."""
    with _configuring(config) as configuring:
        revision = configuring.editor.revision()
        trial = configuring.tried_file(_content(file))
        code = _said(trial)
        if not code and yes and trial.differences:
            configuring.write(trial, revision)
            print("Changed. The box takes it by itself; the file before lies beside it.")
        elif not code and trial.differences:
            print("Nothing was changed. To change this: --yes")
    raise typer.Exit(code)


def _said(trial: "Trial") -> int:
    """Print what would change and what is wrong with it."""
    for each in trial.differences:
        print(_line(each))
    for problem in trial.problems:
        print(f"{problem.key}: {problem.reason}")
    if trial.problems:
        print("Nothing was changed: the file does not fit this box.")
    elif not trial.differences:
        print("Nothing differs.")
    return 1 if trial.problems else 0


def _line(each: "Difference") -> str:
    words = ["-" if value is None else str(value) for value in (each.old, each.new)]
    return f"{'.'.join(each.steps)}: {words[0]} -> {words[1]}"


def _content(file: Path) -> bytes:
    from gateway.config.keeping import LARGEST

    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        print(f"{file} cannot be read: {error.strerror}.")
        raise typer.Exit(1) from None


@contextmanager
def _configuring(config: Path) -> "Iterator[Configuring]":
    from gateway.cli.opened import spool_of
    from gateway.cli.processes import editor_of
    from gateway.panel.configuring import Configuring
    from gateway.spool.processes.taking import Wish

    with spool_of(config) as (settings, spool):
        editor = editor_of(config)
        wish = Wish(settings.station.runtime_dir, spool.files)
        yield Configuring(
            editor=editor, wish=wish, spool=spool, lives={}, revision=editor.revision(), by="command-line"
        )
