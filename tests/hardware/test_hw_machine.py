"""The machine's own sensors, read from a folder that looks as the kernel's does."""

from pathlib import Path

import pytest

from hardware.machine import HOTTEST_C, Sensors


def zone(sys: Path, number: int, name: str, millidegrees: int | str, **trips: int) -> None:
    """Make a thermal zone; `trips`: kind -> millidegrees."""
    folder = sys / "class/thermal" / f"thermal_zone{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "type").write_text(f"{name}\n")
    (folder / "temp").write_text(f"{millidegrees}\n")
    for at, (kind, limit) in enumerate(trips.items()):
        (folder / f"trip_point_{at}_type").write_text(f"{kind}\n")
        (folder / f"trip_point_{at}_temp").write_text(f"{limit}\n")


def supply(sys: Path, alarm: str, name: str = "rpi_volt") -> None:
    folder = sys / "class/hwmon/hwmon1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "in0_lcrit_alarm").write_text(f"{alarm}\n")


@pytest.mark.parametrize(
    ("trips", "limit"),
    [
        ({}, HOTTEST_C),
        ({"critical": 90_000}, 80.0),  # a Raspberry Pi 4
        ({"critical": 110_000, "active": 50_000}, HOTTEST_C),  # a Raspberry Pi 5 with its fan
        ({"passive": 75_000, "critical": 105_000}, 75.0),
        ({"passive": -274_000, "critical": 0}, HOTTEST_C),  # points that nobody set
    ],
)
def test_a_machine_is_too_hot_where_it_slows_down_well_before_it_goes_off(
    tmp_path: Path, trips: dict[str, int], limit: float
) -> None:
    zone(tmp_path, 0, "cpu-thermal", 61_234, **trips)
    (found,) = Sensors(tmp_path).zones()
    assert (found.name, round(found.celsius, 1), found.limit) == ("cpu-thermal", 61.2, limit)


def test_a_sensor_that_fails_or_lies_is_left_out(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", 50_000)
    zone(tmp_path, 1, "broken", "")
    zone(tmp_path, 2, "open-circuit", 255_000)
    zone(tmp_path, 3, "off", -40_000)
    assert [each.name for each in Sensors(tmp_path).zones()] == ["cpu-thermal"]


def test_a_machine_without_sensors_has_no_temperature_and_no_voltage(tmp_path: Path) -> None:
    assert Sensors(tmp_path / "nowhere").zones() == []
    assert Sensors(tmp_path / "nowhere").undervoltage() is None
    supply(tmp_path, "1", name="another_chip")
    assert Sensors(tmp_path).undervoltage() is None


@pytest.mark.parametrize(("alarm", "weak"), [("1", True), ("0", False)])
def test_a_supply_that_is_too_weak_is_told_by_the_kernel(tmp_path: Path, alarm: str, weak: bool) -> None:  # noqa: FBT001 - a column of the table
    supply(tmp_path, alarm)
    assert Sensors(tmp_path).undervoltage() is weak
