"""What the command line says of procedure steps, and lets go."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.errors import BadValue
from gateway.model import Exam, MessageKind, MessageState
from gateway.spool.opening import open_spool
from tests.empty_index import with_index
from tests.memory import folder_in_memory
from tests.unit.spool.values import subject

Run = Callable[..., str]
SERVER = '[[procedure_step]]\nname = "ris"\nae_title = "RIS"\nhost = "127.0.0.1"\nport = 10400\n'


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
    spool = open_spool(with_index(folder / "data"), clock=Clock())
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


def test_what_waits_for_a_server_that_is_gone_is_named_and_given_up_by_whoever_names_its_number(run: Run) -> None:
    with folder_in_memory() as folder:
        refused(folder)
        assert "1 message for ris, which is not configured any more: queue drop" in run(folder, "queue", "list")
        drop = ("queue", "drop", "--server", "ris")
        asked = CliRunner().invoke(app, [*drop, "--config", str(folder / "scopegate.toml")])
        assert (asked.exit_code, asked.output) == (
            1,
            "Nothing was dropped. To give up 1 message for ris: --yes 1\n",
        )
        assert "Given up: 1 message to ris." in run(folder, *drop, "--yes", "1")
        assert run(folder, "queue", "list") == "Nothing is waiting.\n"
        assert '"what":"step-messages-dropped"' in (folder / "data" / "audit.jsonl").read_text().replace(" ", "")


def test_what_waits_for_a_server_that_is_configured_is_not_given_up() -> None:
    with folder_in_memory() as folder:
        refused(folder)
        config = folder / "scopegate.toml"
        config.write_text(config.read_text() + SERVER)
        for words, what in (
            (("--server", "ris", "--yes", "1"), BadValue),
            ((), SystemExit),
            (("--server", "ris", "--destination", "ris"), SystemExit),
        ):
            done = CliRunner().invoke(app, ["queue", "drop", *words, "--config", str(config)])
            assert isinstance(done.exception, what)
        assert not (folder / "data" / "audit.jsonl").exists()
