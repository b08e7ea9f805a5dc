"""What shows the screen of a box whose data cannot be opened is started by whatever failed, and touches nothing."""

from pathlib import Path

import pytest

from tests.rules.test_systemd import MOST_EXPOSED, Unit, exposure

UNITS = Path(__file__).resolve().parents[2] / "image-build/tree/box/etc/systemd/system"
CLOSED = UNITS / "scopegate-closed.service"


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
