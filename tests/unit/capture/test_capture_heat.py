"""A hot box takes no new clips until it has cooled, and one with a weak supply says so; neither flickers."""

from pathlib import Path

import pytest

from gateway.capture.heat import COOL_AFTER_S, HOT_AFTER_S, STEADY_AFTER_S, Heat
from gateway.errors import TooHot
from hardware.machine import Sensors
from tests.hardware.test_hw_machine import supply, zone

PI_4 = {"critical": 90_000}  # too hot from 80 degrees on


@pytest.fixture
def heat(tmp_path: Path, clock) -> Heat:
    return Heat(sensors=Sensors(tmp_path), clock=clock)


def lasts(heat: Heat, clock, sys: Path, celsius: int, seconds: float) -> list[str]:
    """Let it be as warm for so long; return what was said each second."""
    zone(sys, 0, "cpu-thermal", celsius * 1000, **PI_4)
    said = []
    for _ in range(int(seconds) + 1):
        heat.step()
        said.append(heat.state()["heat"])
        clock.move(1)
    return said


def test_a_peak_is_no_heat(heat: Heat, clock, tmp_path: Path) -> None:
    for _ in range(5):
        assert set(lasts(heat, clock, tmp_path, 84, HOT_AFTER_S - 2)) == {"ok"}
        assert set(lasts(heat, clock, tmp_path, 79, 0)) == {"ok"}
    heat.check()


def test_a_hot_box_takes_no_clip_until_it_has_cooled_well_and_for_a_while(
    heat: Heat, clock, tmp_path: Path
) -> None:
    assert lasts(heat, clock, tmp_path, 82, HOT_AFTER_S)[-1] == "hot"
    assert heat.state()["celsius"] == 82
    with pytest.raises(TooHot):
        heat.check()
    assert set(lasts(heat, clock, tmp_path, 78, 3 * COOL_AFTER_S)) == {"hot"}  # under the limit, and not cool
    assert set(lasts(heat, clock, tmp_path, 74, COOL_AFTER_S - 2)) == {"hot"}
    assert set(lasts(heat, clock, tmp_path, 81, 0)) == {"hot"}  # the time begins anew
    assert set(lasts(heat, clock, tmp_path, 74, COOL_AFTER_S - 2)) == {"hot"}
    assert lasts(heat, clock, tmp_path, 74, 3)[-1] == "ok"
    heat.check()


def test_a_sensor_that_falls_silent_changes_nothing(heat: Heat, clock, tmp_path: Path) -> None:
    assert lasts(heat, clock, tmp_path, 82, HOT_AFTER_S)[-1] == "hot"
    (tmp_path / "class/thermal/thermal_zone0/temp").unlink()
    clock.move(10 * COOL_AFTER_S)
    heat.step()
    assert heat.state()["heat"] == "hot"


def test_a_machine_without_sensors_is_not_known_and_hinders_nobody(heat: Heat) -> None:
    heat.step()
    heat.check()
    assert heat.state() == {"heat": "unknown", "celsius": None, "power": "unknown", "zones": []}


def test_every_temperature_is_said_for_who_services_the_box(heat: Heat, tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", 61_200, **PI_4)
    zone(tmp_path, 1, "broken", 999_000)
    heat.step()
    assert heat.state()["zones"] == [{"name": "cpu-thermal", "celsius": 61.2, "limit": 80.0}]


def test_a_dip_of_the_voltage_is_said_at_once_and_for_a_minute(heat: Heat, clock, tmp_path: Path) -> None:
    supply(tmp_path, "0")
    heat.step()
    assert heat.state()["power"] == "ok"
    supply(tmp_path, "1")
    heat.step()
    assert heat.state()["power"] == "weak"
    supply(tmp_path, "0")
    said = []
    for _ in range(int(STEADY_AFTER_S) + 1):
        heat.step()
        said.append(heat.state()["power"])
        clock.move(1)
    assert said == ["weak"] * int(STEADY_AFTER_S) + ["ok"]


def test_a_hot_box_refuses_a_clip_in_words_and_takes_stills(boxes, clock) -> None:
    box = boxes()
    box.exam()
    box.show()
    assert lasts(box.heat, clock, box.machine, 82, HOT_AFTER_S)[-1] == "hot"
    box.show()
    with pytest.raises(TooHot, match="No clip was started"):
        box.clip()
    assert box.answers()[-1] == "not-stored"
    box.press().result(10)


def test_a_clip_that_runs_when_the_box_gets_hot_goes_on(boxes, clock) -> None:
    box = boxes()
    box.exam()
    box.show()
    uid = box.clip()
    lasts(box.heat, clock, box.machine, 82, HOT_AFTER_S)
    box.show(count=3)
    assert box.stop(uid) == [uid]
