"""Where an update over the network arrives: panel, root and image mean the same folder and the same name."""

import subprocess
from pathlib import Path

import pytest

from gateway.cli import update
from gateway.machine.update import memory, uploaded
from gateway.panel import own_upload
from gateway.panel.machine_says import MachineSays
from tests.rules.test_systemd import BOX, Unit


def test_an_update_over_the_network_arrives_where_the_panel_may_write_and_root_looks():
    place = str(uploaded.FOLDER)
    assert (str(MachineSays().uploads), own_upload.NAME) == (place, uploaded.NAME)
    assert Unit(BOX / "scopegate-panel.service.d/upload.conf")["Service"]["ReadWritePaths"] == f"-{place}"
    folders = (BOX.parents[2] / "usr/lib/scopegate/data.conf").read_text().splitlines()
    rows = {words[1]: words[2:5] for line in folders if len(words := line.split()) > 4 and words[0] == "d"}
    assert rows[place] == ["2770", "root", "scopegate"]
    assert rows[str(memory.FOLDER)] == ["0700", "root", "root"]


@pytest.mark.parametrize(("ended", "left"), [("success", ["bundle", "update"]), ("exit-code", []), ("timeout", [])])
def test_what_came_while_root_obeyed_is_root_s_next_and_what_it_could_not_obey_goes(
    tmp_path: Path, ended: str, left: list[str]
) -> None:
    program = Unit(BOX / "scopegate-update.service")["Service"]["ExecStopPost"]
    script = (BOX.parents[2] / program.removeprefix("/")).read_text()
    for name in ("update", "uploaded.raucb", "bundle"):
        if name != "uploaded.raucb" or ended != "success":  # which root takes away itself
            (tmp_path / name).touch()
    for folder in ("/run/scopegate/", f"{memory.FOLDER}/", f"{uploaded.FOLDER}/"):
        assert folder in script
        script = script.replace(folder, f"{tmp_path}/")
    says = f"/opt/scopegate/bin/scopegate update {update.broken_off.__name__.replace('_', '-')}"
    assert says in script
    script = script.replace(says, f"ls {tmp_path}")
    environment = {"SERVICE_RESULT": ended, "PATH": "/bin"}
    said = subprocess.run(["/bin/sh", "-c", script], env=environment, check=True, capture_output=True).stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    # What was broken off is said when the wish is gone, and before the file is.
    assert said.split() == ([] if ended == "success" else [b"bundle", b"uploaded.raucb"])
