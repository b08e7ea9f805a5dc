"""What an administrator reads about the audit file, and its exit code."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.spool.opening import open_spool
from tests.empty_index import with_index


@pytest.fixture
def audit(root: Path, tmp_path: Path) -> Path:
    (tmp_path / "scopegate.toml").write_text(f'[station]\ndata_dir = "{with_index(root)}"\n')
    spool = open_spool(root, clock=Clock())
    for exam in ("e1", "e2", "e3"):
        spool.audit.note("exam-opened", by="panel", exam=exam)
    spool.close()
    return root / "audit.jsonl"


def verify(tmp_path: Path) -> Result:
    return CliRunner().invoke(app, ["audit", "verify", "--config", str(tmp_path / "scopegate.toml")])


def test_a_whole_file_is_said_to_be_whole_and_the_look_is_written_down(audit: Path, tmp_path: Path) -> None:
    done = verify(tmp_path)
    assert done.exit_code == 0
    assert "3 lines read." in done.output
    assert "No line was changed, removed or inserted." in done.output
    entry = json.loads(audit.read_text().splitlines()[-1])
    assert (entry["what"], entry["lines"], entry["fault"]) == ("audit-verified", 3, 0)


def test_a_line_that_was_changed_is_named_and_is_a_problem(audit: Path, tmp_path: Path) -> None:
    audit.write_text(audit.read_text().replace('"e2"', '"e9"'))
    done = verify(tmp_path)
    assert done.exit_code == 1
    assert "line 2: was changed" in done.output
    assert json.loads(audit.read_text().splitlines()[-1])["fault"] == 2


def test_old_lines_and_a_half_line_are_told_and_are_no_problem(audit: Path, tmp_path: Path) -> None:
    audit.write_text('{"utc": "2026-01-01T00:00:00+00:00", "what": "exam-opened", "by": "panel"}\n{"utc')
    audit.with_suffix(".head").unlink()
    done = verify(tmp_path)
    assert done.exit_code == 0
    assert "1 line at the beginning has no mark" in done.output
    assert "half line at the end" in done.output
