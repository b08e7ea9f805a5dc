"""`scopegate exam`: exams and their pictures, for people who sit at the box's terminal."""

from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config
from gateway.model import Exam, StepMessage

app = typer.Typer(help="Exams and their pictures.", no_args_is_help=True)


@app.command("list")
def list_exams(
    limit: Annotated[int, typer.Option(help="At most so many.")] = 50, config: Config = DEFAULT_CONFIG
) -> None:
    """List exams, the newest first."""
    from gateway.cli.opened import print_table, spool_of

    with spool_of(config) as (_, spool):
        exams = spool.exams.list(limit=limit)
        counts = {exam.id: len(spool.captures.of_exam(exam.id)) for exam in exams}
    rows = [
        (
            exam.id,
            f"{exam.opened.local:%d-%b-%Y %H:%M}",
            exam.state,
            exam.patient.name,
            exam.patient.id,
            counts[exam.id],
            exam.please_check or "-",
        )
        for exam in exams
    ]
    print_table(("exam", "opened", "state", "patient", "ID", "pictures", "to check"), rows)


@app.command()
def keep(
    exam: str,
    no_longer: Annotated[bool, typer.Option("--no-longer", help="Treat it as every other exam again.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Keep an exam's pictures on this box, also when the archives have them."""
    from gateway.cli.opened import spool_of

    with spool_of(config) as (_, spool):
        spool.exams.keep(exam, keep=not no_longer)
        spool.audit.note("exam-kept", by="command-line", exam=exam, keep=int(not no_longer))
    print(f"{exam}: {'treated as every other exam' if no_longer else 'its pictures stay on this box'}.")


@app.command()
def show(
    exam: str,
    provenance: Annotated[bool, typer.Option(help="Also say where every field comes from.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show one exam, its pictures and where they are."""
    from gateway.cli.opened import print_table, spool_of
    from gateway.cli.provenance import of_exam

    with spool_of(config) as (_, spool):
        found = spool.exams.get(exam)
        captures = spool.captures.of_exam(exam)
        deliveries = spool.deliveries.list(exam=exam)
        messages = spool.steps.of_exam(exam)
    print(f"{found.patient.name}  {found.patient.id}  {found.patient.birth_date or 'birth date not given'}")
    print(f"{found.state}, opened {found.opened.local:%d-%b-%Y %H:%M:%S}, Study {found.study_instance_uid}")
    if found.please_check:
        print(f"A person must check the patient: {found.please_check}")
    if provenance:
        print_table(("field", "value", "from"), of_exam(found))
    states = {
        uid: ", ".join(f"{d.destination} {d.state}" for d in deliveries if d.sop_instance_uid == uid)
        for uid in {d.sop_instance_uid for d in deliveries}
    }
    rows = [
        (
            c.capture.instance_number,
            c.capture.kind,
            c.capture.state,
            c.capture.frames,
            c.capture.sop_instance_uid,
            states.get(c.capture.sop_instance_uid, c.problem_code or "on this box"),
        )
        for c in captures
    ]
    print_table(("no.", "kind", "state", "frames", "SOP Instance UID", "where"), rows)
    _print_steps(found, messages)


def _print_steps(exam: Exam, messages: Sequence[StepMessage]) -> None:
    from gateway.cli.opened import print_table

    told = {
        step.sop_instance_uid: ", ".join(
            f"{m.server} {m.kind} {m.state}{f' ({m.code})' if m.code else ''}"
            for m in messages
            if m.step == step.sop_instance_uid
        )
        for step in exam.steps
    }
    rows = [
        (step.id, step.state, step.reason or "-", step.sop_instance_uid, told[step.sop_instance_uid] or "nobody")
        for step in exam.steps
    ]
    if messages:
        print_table(("step", "state", "reason", "SOP Instance UID", "told"), rows)
