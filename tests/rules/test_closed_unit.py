"""What shows the screen of a box whose data cannot be opened is started by whatever failed, and touches nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.machine.encryption import service as encryption
from gateway.machine.programs import ProgramFailed
from tests.rules.test_systemd import MOST_EXPOSED, SYSTEMD, Unit, exposure

UNITS = Path(__file__).resolve().parents[2] / "image-build/tree/box/etc/systemd/system"
CLOSED = UNITS / "scopegate-closed.service"
PRESET = UNITS.with_name("system-preset") / "00-scopegate.preset"


@pytest.mark.parametrize("name", ["scopegate-data.service", "data.mount", "scopegate-folders.service"])
def test_each_step_to_the_data_starts_it_when_it_fails(name: str) -> None:
    assert (UNITS / name).exists()
    assert Unit(UNITS / f"{name}.d" / "closed.conf")["Unit"]["OnFailure"] == CLOSED.name


def test_it_has_the_panels_place_and_never_beside_it() -> None:
    unit = Unit(CLOSED)
    assert "scopegate-panel.service" in unit["Unit"]["Conflicts"].split()
    assert "scopegate-panel.service" in unit["Unit"]["Before"].split()
    assert unit["Service"]["Restart"] == "always"


def test_in_the_midst_of_a_start_it_has_nothing_begun_again_that_failed() -> None:
    """With sysinit.target it would ask for the data once more: such a box never came up."""
    unit = Unit(CLOSED)["Unit"]
    assert unit["DefaultDependencies"] == "no"
    assert {"Wants", "Requires", "BindsTo", "RequiresMountsFor"} & set(unit) == set()


def test_it_may_touch_no_file_of_the_clinic_and_little_of_the_machine() -> None:
    service = Unit(CLOSED)["Service"]
    assert service["ReadWritePaths"] == "/run/scopegate"  # where root is asked
    assert "/data" in service["InaccessiblePaths"].split()
    assert service["IPAddressAllow"] == "localhost"
    assert exposure(CLOSED, MOST_EXPOSED).returncode == 0


def test_what_a_start_without_the_data_left_out_is_made_up_for_when_somebody_opens_them() -> None:
    """Nothing else starts it: it is no part of scopegate.target, and files that changed meanwhile are no change."""
    enabled = {line.split()[1] for line in PRESET.read_text().splitlines() if line.startswith("enable ")}
    units = [path for folder in (SYSTEMD, UNITS) for path in folder.glob("*.service") if path.name in enabled]
    read = {path.name: Unit(path)["Unit"] for path in units}
    waits = {name for name, unit in read.items() if "RequiresMountsFor" in unit}
    does_without = {name for name, unit in read.items() if "data.mount" in unit.get("After", "").split()}
    assert waits == {"scopegate-machine.service"}
    assert waits | {"systemd-journal-flush.service"} <= set(encryption.LEFT_OUT)
    assert does_without == set(encryption.DONE_WITHOUT)


def test_what_could_not_be_started_keeps_nothing_else_from_it() -> None:
    asked: list[list[str]] = []

    def refuses(words: Sequence[str]) -> None:
        asked.append(list(words))
        raise ProgramFailed("systemctl", 1, "")

    encryption.make_up(refuses)
    assert [words[2] for words in asked] == ["start", "restart"]
    assert "scopegate-machine.service" in asked[0]


def test_a_chip_that_locked_itself_is_asked_by_the_unit_that_does_as_it_is_asked() -> None:
    timer = Unit(UNITS / encryption.AGAIN)["Timer"]
    assert timer == {"OnActiveSec": "5min", "OnUnitInactiveSec": "5min", "Unit": "scopegate-data-asked.service"}
