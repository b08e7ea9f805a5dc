"""What resets and rescues an appliance is started by its request alone, in its time; a dead panel is noticed."""

import os
import subprocess
from pathlib import Path

import pytest

from gateway.machine.repair import desk as repair
from gateway.machine.repair import factory_reset
from tests.rules.test_systemd import MOST_EXPOSED, PROGRAM, Unit, exposure

BOX = Path(__file__).resolve().parents[2] / "image-build/tree/box"
UNITS = BOX / "etc/systemd/system"
FAILED = BOX / "usr/lib/scopegate/panel-failed"
MOST = 20


def test_a_request_of_the_screen_starts_the_repair_and_is_taken_away_however_that_ends() -> None:
    path, service = Unit(UNITS / "scopegate-repair.path"), Unit(UNITS / "scopegate-repair.service")["Service"]
    request = f"/run/scopegate/{repair.SUBJECT}"
    assert path["Path"]["PathExists"] == request
    assert path["Install"]["WantedBy"] == "multi-user.target"  # also on a box whose data are closed
    assert service["ExecStart"] == f"{PROGRAM} machine repair"
    assert service["ExecStopPost"] == f"/bin/rm -f {request}"
    assert service["PrivateMounts"] == service["PrivateNetwork"] == "yes"
    assert service["ProtectSystem"] == "strict"


def test_settings_are_made_new_before_anything_is_bound_to_its_place() -> None:
    unit = Unit(UNITS / "scopegate-new-settings.service")["Unit"]
    assert unit["ConditionPathExists"] == str(factory_reset.DATA / factory_reset.MARK)
    assert unit["Before"] == "scopegate-folders.service"
    assert unit["After"] == unit["Requires"] == "data.mount"
    service = Unit(UNITS / "scopegate-new-settings.service")["Service"]
    assert "PrivateTmp" not in service  # it comes after systemd-tmpfiles-setup.service, and that after this
    folders = Unit(UNITS / "scopegate-folders.service")["Unit"]
    assert folders["Wants"] == "scopegate-new-settings.service"
    assert "scopegate-new-settings.service" in folders["After"].split()


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """Return what systemd runs after each end of the panel, with a machine in a folder."""
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/ran\n')
    (tmp_path / "systemctl").chmod(0o755)
    script = tmp_path / "panel-failed"
    script.write_text(FAILED.read_text().replace("/run/scopegate-panel-failed", str(tmp_path / "count")))
    return script


def ends(script: Path, result: str) -> list[str]:
    """Let the panel end; return what was asked of systemd so far."""
    folder = script.parent
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "SERVICE_RESULT": result}
    subprocess.run(["sh", script], env=env, check=True, capture_output=True)
    return (folder / "ran").read_text().splitlines() if (folder / "ran").exists() else []


def test_a_panel_that_fails_again_and_again_gives_its_place_to_a_page_that_says_so(failed: Path) -> None:
    drop_in = Unit(UNITS / "scopegate-panel.service.d/gone.conf")["Service"]
    assert drop_in["ExecStopPost"] == "+/usr/lib/scopegate/panel-failed"
    asked = [ends(failed, "exit-code" if number % 2 else "watchdog") for number in range(MOST)]
    assert asked == [[]] * (MOST - 1) + [["--no-block start scopegate-panel-gone.service"]]
    assert Unit(UNITS / "scopegate-panel-gone.service")["Service"]["ExecStart"] == f"{PROGRAM} machine panel-gone"


def test_a_panel_that_takes_changed_settings_has_not_failed(failed: Path) -> None:
    for _ in range(MOST - 1):
        ends(failed, "exit-code")
    assert ends(failed, "success") == []
    assert ends(failed, "exit-code") == []


def test_failures_of_long_ago_do_not_count(failed: Path) -> None:
    for _ in range(MOST - 1):
        ends(failed, "exit-code")
    os.utime(failed.parent / "count", (0, 0))
    assert ends(failed, "exit-code") == []


@pytest.mark.parametrize("name", ["new-settings", "panel-gone"])
def test_what_does_one_thing_may_touch_little_of_the_machine(name: str) -> None:
    assert exposure(UNITS / f"scopegate-{name}.service", MOST_EXPOSED).returncode == 0
