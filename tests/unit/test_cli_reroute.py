"""What a person types when archives change: counts before and after, words for what cannot be, an audit line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.errors import BadValue
from gateway.spool.opening import open_spool
from tests.empty_index import with_index
from tests.unit.spool.values import seal, store, subject

CONFIG = """
[station]
data_dir = "{root}"
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 10400
"""


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    """A box with three pictures that wait for a destination that is not configured any more."""
    file = tmp_path / "scopegate.toml"
    file.write_text(CONFIG.format(root=root))
    spool = open_spool(with_index(root), clock=Clock())
    exam, _ = spool.exams.open(subject())
    for number in range(1, 4):
        seal(spool, store(spool, exam, number), ("old",))
    spool.close()
    return file


def queue(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["queue", *words, "--config", str(config)])


def audited(root: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (root / "audit.jsonl").read_text().splitlines()]
    unsaid = {"utc", "line", "before"}  # when, and its place in the chain
    return [{key: value for key, value in line.items() if key not in unsaid} for line in lines]


def test_a_queue_without_a_destination_is_named_and_moved(config: Path, root: Path) -> None:
    assert "3 wait for old, which is not configured any more" in queue(config, "list").output
    done = queue(config, "move", "--from", "old", "--to", "pacs")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "before: old: 3 queued, 0 sending, 0 sent, 0 committed, 0 held",
        "before: pacs: 0 queued, 0 sending, 0 sent, 0 committed, 0 held",
        "after: old: 0 queued, 0 sending, 0 sent, 0 committed, 0 held",
        "after: pacs: 3 queued, 0 sending, 0 sent, 0 committed, 0 held",
        "3 moved from old to pacs, 0 stood there already.",
    ]
    assert audited(root) == [
        {"what": "queue-moved", "by": "command-line", "source": "old", "target": "pacs", "moved": 3, "merged": 0}
    ]
    assert "not configured" not in queue(config, "list").output


@pytest.mark.parametrize(
    "words",
    [
        ("move", "--from", "old", "--to", "nowhere"),
        ("move", "--from", "pacs", "--to", "pacs"),
        ("add", "--destination", "nowhere", "--since", "2026-01-01"),
        ("resend", "--destination", "old"),
        ("same", "--destination", "old"),
        ("drop", "--destination", "pacs", "--yes", "3"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(config: Path, root: Path, words: tuple[str, ...]) -> None:
    done = queue(config, *words)
    assert isinstance(done.exception, BadValue)
    assert not (root / "audit.jsonl").exists()
    assert "3 wait for old" in queue(config, "list").output


def test_a_queue_is_given_up_only_by_whoever_names_its_number(config: Path, root: Path) -> None:
    for words in ((), ("--yes", "2")):
        asked = queue(config, "drop", "--destination", "old", *words)
        assert asked.exit_code == 1
        assert "To give up 3 deliveries for old: --yes 3" in asked.output
    objects = sorted(root.glob("exams/*/*.dcm"))
    done = queue(config, "drop", "--destination", "old", "--yes", "3")
    assert done.exit_code == 0
    assert "3 deliveries to old were given up; the pictures stay on this box." in done.output
    assert sorted(root.glob("exams/*/*.dcm")) == objects
    assert audited(root) == [{"what": "queue-dropped", "by": "command-line", "target": "old", "count": 3}]
    assert queue(config, "drop", "--destination", "old").exit_code == 0


def test_a_new_destination_gets_what_was_sealed_before_and_may_get_it_again(config: Path, root: Path) -> None:
    assert "3 queued for pacs." in queue(config, "add", "--destination", "pacs", "--since", "2026-01-01").output
    assert "0 queued for pacs." in queue(config, "add", "--destination", "pacs", "--since", "2026-01-01").output
    assert "0 queued again for pacs." in queue(config, "resend", "--destination", "pacs").output
    assert [line["what"] for line in audited(root)] == ["queue-filled", "queue-filled", "queue-sent-again"]
    assert queue(config, "add", "--destination", "pacs", "--since", "yesterday").exit_code == 2


def test_an_archive_that_only_moved_counts_as_the_one_before(config: Path, root: Path) -> None:
    queue(config, "add", "--destination", "pacs", "--since", "2026-01-01")
    spool = open_spool(root, clock=Clock())
    spool.destinations.put("pacs", peer="PACS 10.0.0.6 104", settings="a")
    with spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'committed', proof = 'commitment' WHERE destination = 'pacs'"
        )
    same = ("same", "--destination", "pacs")
    early = queue(config, *same)
    assert isinstance(early.exception, BadValue)
    assert "Restart them first" in early.exception.action
    spool.destinations.put("pacs", peer="dicom PACS 127.0.0.1 10400", settings="b")
    spool.close()
    done = queue(config, *same)
    assert done.output.splitlines() == [
        "before: pacs: 0 queued, 0 sending, 0 sent, 3 committed, 0 held",
        "after: pacs: 0 queued, 0 sending, 3 sent, 0 committed, 0 held",
        "3 deliveries count as sent to pacs where it is now; nothing here asks it whether it has them.",
    ]
    assert audited(root)[-1] == {
        "what": "queue-same-archive",
        "by": "command-line",
        "target": "pacs",
        "count": 3,
    }
    config.write_text(config.read_text() + "query = true\ntrust_query = true\n")
    assert queue(config, *same).output.splitlines()[-1] == (
        "0 deliveries count as sent to pacs where it is now; it will be asked for them again."
    )
