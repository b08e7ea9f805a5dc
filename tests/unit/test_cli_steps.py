"""What the command line says of procedure steps, and lets go."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.model import Exam, MessageKind, MessageState
from gateway.spool.opening import open_spool
from tests.memory import folder_in_memory
from tests.unit.spool.values import subject

Run = Callable[..., str]


@pytest.fixture
def run() -> Run:
    def command(folder: Path, *words: str) -> str:
        done = CliRunner().invoke(app, [*words, "--config", str(folder / "scopegate.toml")], env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.output

    return command


def refused(folder: Path) -> Exam:
    """Leave a data folder with an exam whose announcement a server refused."""
    (folder / "scopegate.toml").write_text(f'[station]\ndata_dir = "{folder / "data"}"\nruntime_dir = "{folder}"\n')
    spool = open_spool(folder / "data", clock=Clock())
    exam = spool.exams.open(subject())[0]
    told = {"state": MessageState.HELD, "code": "refused", "reason": "It misses an attribute."}
    spool.steps.queue(exam, exam.steps[0].sop_instance_uid, MessageKind.CREATE, ["ris"], **told)  # type: ignore[arg-type]
    spool.close()
    return exam


def test_an_exam_shows_its_steps_and_who_was_told_of_them(run: Run) -> None:
    with folder_in_memory() as folder:
        exam = refused(folder)
        shown = run(folder, "exam", "show", exam.id)
    assert f"{exam.id}-1" in shown
    assert "in-progress" in shown
    assert "ris create held (refused)" in " ".join(shown.split())


def test_the_queue_names_messages_and_lets_them_go(run: Run) -> None:
    with folder_in_memory() as folder:
        refused(folder)
        assert "It misses an attribute." in run(folder, "queue", "list")
        assert "1 queued again" in run(folder, "queue", "release", "--all", "refused")
        assert "1 will be tried now" in run(folder, "queue", "retry")
        listed = run(folder, "queue", "list")
    assert "queued" in listed
    assert "held" not in listed
