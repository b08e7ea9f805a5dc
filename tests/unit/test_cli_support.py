"""`scopegate support`: one zip, of one owner, without patients, also where the index cannot be read."""

import json
import zipfile
from pathlib import Path

import pytest

from gateway.cli import support
from gateway.clock import Clock
from gateway.errors import BadValue
from gateway.model import Identity, Patient
from gateway.spool.opening import open_spool
from gateway.spool.subjects import Subject
from tests.box import configuration

CANARY = Patient(name="Kanarienvogel^Xaver", id="QX-4711", birth_date="19440203")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the configuration of a box with one exam and a log that names its patient."""
    run, data = tmp_path / "run", tmp_path / "data"
    path = tmp_path / "scopegate.toml"
    station = {"data_dir": str(data), "runtime_dir": str(run)}
    pacs = {"name": "pacs", "kind": "media", "folder": str(tmp_path / "stick")}
    path.write_text(configuration([("[station]", station), ("[[destination]]", pacs)]), encoding="utf-8")
    spool = open_spool(data, clock=Clock(), destinations=())
    spool.exams.open(Subject(patient=CANARY, identity=Identity.TYPED))
    spool.close()
    run.mkdir()
    (run / "forward.log").write_text("refused comment='no KANARIENVOGEL, QX-4711'\n", encoding="utf-8")
    return path


def unpacked(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_command_makes_what_the_panel_makes_and_adds_what_only_it_may_ask(config: Path, tmp_path: Path) -> None:
    made = tmp_path / "bundle.zip"
    assert support.write(config, made) == 0
    assert made.stat().st_mode & 0o777 == 0o600
    parts = unpacked(made)
    manifest = json.loads(parts.pop("manifest.json"))
    assert manifest["in_it"].keys() == parts.keys()
    assert parts.keys() > {"doctor.json", "health.json", "configuration.json", "metrics.txt", "forward.log"}
    assert {each["what"] for each in json.loads(parts["doctor.json"])} > {"process forward", "clock"}
    assert json.loads(parts["counts.json"])["exams"] == {"open": 1}
    assert {"units.txt", "journal.log"} <= manifest["in_it"].keys() | manifest["not_in_it"].keys()
    assert "refused comment=" in parts["forward.log"]
    for secret in ("kanarienvogel", "xaver", "qx-4711", "19440203"):
        assert secret not in "".join(parts.values()).casefold()
    assert "support-bundle" in (tmp_path / "data" / "audit.jsonl").read_text(encoding="utf-8")


def test_a_box_whose_data_is_gone_still_says_what_names_nobody(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert support.write(config, tmp_path / "bundle.zip") == 1
    parts = unpacked(tmp_path / "bundle.zip")
    assert {"versions.json", "configuration.json"} <= parts.keys()
    assert "forward.log" in json.loads(parts["manifest.json"])["not_in_it"]
    assert "KANARIENVOGEL" not in "".join(parts.values())
    assert "texts are left out" in capsys.readouterr().out


def test_a_file_that_is_there_is_not_written_over(config: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"somebody's")
    with pytest.raises(BadValue, match="exists"):
        support.write(config, tmp_path / "bundle.zip")
    assert (tmp_path / "bundle.zip").read_bytes() == b"somebody's"
