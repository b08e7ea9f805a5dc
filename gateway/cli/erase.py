"""`scopegate exam erase`: an exam, or everything of a patient, leaves this box for good; said before it is done."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config
from gateway.errors import BadValue, NotFound

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from gateway.model import Exam
    from gateway.spool.erasure.erasable import Loss
    from gateway.spool.erasure.erasing import Outcome
    from gateway.spool.queue.copies import Copy
    from gateway.spool.spool import Spool


def add_to(app: typer.Typer) -> None:
    """Give this command to `scopegate exam`."""
    app.command()(erase)


def erase(
    exam: Annotated[str, typer.Argument(help="The number of one exam.")] = "",
    patient_id: Annotated[
        str, typer.Option(help="Everything of the patient with exactly this ID; - asks for it.")
    ] = "",
    issuer: Annotated[str | None, typer.Option(help="Of the ID, where several have the same.")] = None,
    yes: Annotated[int | None, typer.Option(help="The number of pictures, as this command names it.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Erase an exam, or every exam of a patient, from this box. What was sent stays where it is."""
    if bool(exam) == bool(patient_id) or (issuer is not None and exam):
        raise typer.BadParameter("Name one exam, or a patient with --patient-id.")
    if patient_id == "-":  # so that it stands in no list of commands
        patient_id = typer.prompt("Patient ID")
    raise typer.Exit(_erase(config, exam, patient_id, issuer, yes))


def _erase(config: Path, exam: str, patient_id: str, issuer: str | None, yes: int | None) -> int:
    from gateway.cli.opened import counted, spool_of
    from gateway.spool.erasure import erasable, erasing

    with spool_of(config) as (settings, spool):
        servers = [each.name for each in settings.procedure_steps]
        required = [each.name for each in settings.destinations if each.required]
        if patient_id:
            losses = _of_patient(spool, patient_id, issuer, required, servers)
        else:
            losses = erasable.losses(spool, [exam], required=required, servers=servers)
            _print(losses[0], required)
        pictures = sum(each.pictures for each in losses)
        if not losses or yes != pictures:
            what = f"{counted(len(losses), 'exam')} with {counted(pictures, 'picture')}"
            print("Nothing was erased.", end="")
            print(f" To erase {what} from this box for good: --yes {pictures}" if losses else "")
            return 1
        done = erasing.erase_each(spool, losses, by="command-line", servers=servers)
    _print_done(losses, done, worklists=bool(settings.worklists))
    return 0 if done.clean and not done.staying else 1


def _of_patient(
    spool: "Spool", patient_id: str, issuer: str | None, required: Sequence[str], servers: Sequence[str]
) -> "Sequence[Loss]":
    """Return, and print, what would go of a patient, and print what stays. Raises as `_exams_of`."""
    from gateway.spool.erasure import erasable_patient

    found = erasable_patient.everything(
        spool, _exams_of(spool, patient_id, issuer), required=required, servers=servers
    )
    for each in found.going:
        _print(each, required)
    for stays in found.staying:
        print(f"{stays.exam.id} stays: {stays.why.what} {stays.why.action}")
    for other in erasable_patient.named_in(spool, patient_id):
        print(f"{other} was this patient's first and is another's now: its records name both, and it stays.")
    return found.going


def _exams_of(spool: "Spool", patient_id: str, issuer: str | None) -> "list[Exam]":
    """Return the patient's exams. Raises NotFound, BadValue when the ID may be two persons'."""
    from gateway.spool.erasure import erasable_patient

    found = list(erasable_patient.of_patient(spool, patient_id, issuer))
    if not found:
        raise NotFound(
            "There is no exam of a patient with exactly this ID.",
            action="Look at `scopegate exam list`; one whose patient nobody chose is erased by its number.",
        )
    issuers = sorted({each.patient.issuer for each in found})
    if len(issuers) > 1:
        raise BadValue(
            "This ID was given by several issuers: it may be two persons'.",
            action=f"Add one of these: {', '.join(f'--issuer {name!r}' for name in issuers)}.",
        )
    return found


def _print_done(losses: "Sequence[Loss]", done: "Outcome", *, worklists: bool) -> None:
    from gateway.cli.opened import counted

    for each in done.staying:
        print(f"{each.exam.id} was not erased: {each.why.what} {each.why.action}")
    staying = {each.exam.id for each in done.staying}
    gone = [each for each in losses if each.exam.id not in staying]
    what = f"{counted(len(gone), 'exam')} with {counted(sum(each.pictures for each in gone), 'picture')}"
    print(f"Erased from this box: {what}. Copies elsewhere, also in backups, are as they were.")
    if worklists and gone:
        print("A worklist server that has the patient on its list brings that entry again.")
    if not done.clean:
        print("Traces are left on the disk: they go by themselves once the box had no exam open for ten minutes.")


def _print(loss: "Loss", required: Sequence[str]) -> None:
    from gateway.cli.opened import counted

    exam = loss.exam
    print(f"{exam.id}  {exam.opened.local:%d-%b-%Y %H:%M}  {exam.state}  {exam.patient.name}  {exam.patient.id}")
    archives = " or ".join(required)
    lost = f", {loss.unsent} never sent to {archives}, {loss.unproven} not vouched for by {archives}"
    print(f"    {counted(loss.pictures, 'picture')}{lost if required else '; no destination is required'}")
    if exam.keep:
        print("    somebody asked to keep its pictures on this box")
    if loss.untold:
        print(f"    {counted(loss.untold, 'message')} about its procedure steps never went to their server")
    for copy in loss.copies:
        print(f"    elsewhere: {_words(copy)}")
    if not loss.copies:
        print("    elsewhere: nothing that this box knows of")


def _words(copy: "Copy") -> str:
    from gateway.cli.opened import counted

    vouched = f", vouches for {copy.proven}" if copy.proven else ""
    perhaps = f", perhaps {copy.perhaps} more" if copy.perhaps else ""
    where = f"{copy.where} as it was before it was replaced" if copy.replaced else copy.where
    where = f"fetched as files by {copy.where}" if copy.fetched else where
    return f"{where}: {counted(copy.objects, 'object')}{vouched}{perhaps}"
