"""`scopegate export`: exams onto a stick or into a folder, with a bar that says how far it is."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gateway.cli.opened import counted, spool_of
from gateway.config.settings import Settings
from gateway.errors import BadValue
from gateway.forward.media import export as media
from gateway.forward.media.progress import Progress as SoFar
from gateway.forward.media.progress import Report


def export(config: Path, *, exams: Sequence[str], to: Path, jpeg: bool) -> int:
    """Write exams to a folder; return 0 when it may be taken away, 1 when pictures are missing on it."""
    with spool_of(config) as (settings, spool), _bar() as bar:
        task = bar.add_task("Writing and checking", total=None)
        done = media.export(
            spool, exams, _checked(to, settings), by="command-line", jpeg=jpeg, report=_reporting(bar, task)
        )
    print(
        f"Copied and checked: {counted(done.objects, 'object')} of {counted(done.exams, 'exam')}, "
        f"{done.bytes / 1e6:.1f} MB."
    )
    if done.left_out:
        print(
            f"NOT copied: {done.left_out} captures of these exams: no DICOM object could be made of them, or the "
            "archive has them and this box let them go. `scopegate exam show` lists them."
        )
    print(f"{to} can be removed now.")
    return 1 if done.left_out else 0


def _checked(to: Path, settings: Settings) -> Path:
    """Return the folder. Raises MediaAbsent when its medium is not mounted, BadValue inside the data folder."""
    if to.resolve().is_relative_to(settings.station.data_dir.resolve()):
        raise BadValue("This folder belongs to the box's own data.", action="Name a stick, or another folder.")
    for destination in settings.destinations:
        if destination.kind == "media" and to.absolute().is_relative_to(destination.folder):
            media.mounted(destination, settings.station.data_dir)
    return to.absolute()


def _reporting(bar: Progress, task: TaskID) -> Report:
    def report(so_far: SoFar) -> None:
        count = f"{so_far.objects_done} of {so_far.objects} checked"
        bar.update(task, completed=so_far.bytes_done, total=so_far.bytes, description=count)

    return report


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
