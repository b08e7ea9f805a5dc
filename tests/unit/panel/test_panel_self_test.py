"""The hardware self-test: what is well, what fails and what is not there; who is waited for; never in an exam."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Settings
from gateway.panel.machine_says import MachineSays
from gateway.panel.self_test.check import KINDS, TROUBLES, Check, Result
from gateway.panel.self_test.running import CORNERS, PEDALS_S, TOUCH_S, SelfTest
from gateway.panel.shown.report import Report
from gateway.panel.support.parts import live_of
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, settings_for, with_index
from tests.unit.panel.settings_desk import with_settings

SOURCE = {
    "name": "ultrasound",
    "state": "live",
    "code": "",
    "what": "",
    "action": "",
    "since": "2026-11-21T09:00:00+00:00",
    "width": 1280,
    "height": 720,
    "rate": 30.0,
    "unchanged_s": 0,
    "noise": False,
}
PEDALS = [{"name": name, "connected": True, "what": "", "presses": 4} for name in ("input-1", "gpio-2")]
CAPTURE: dict[str, Any] = {
    "sources": [SOURCE],
    "pedals": PEDALS,
    "signs": [{"name": "tone-1", "connected": True, "what": ""}],
    "machine": {"heat": "ok", "power": "ok", "zones": [{"name": "cpu", "celsius": 51.2, "limit": 80.0}]},
}
BOARD: dict[str, Any] = {
    "battery_clock": int(FakeClock().utc().timestamp()) + 2,
    "tpm": "2",
    "watchdog": "iTCO_wdt",
    "watched": True,
    "memory_mb": 3793,
    "memory_free_mb": 2000,
    "slowed": False,
    "ports": [{"name": "enp1s0", "cable": True, "mbit": 1000}],
}
TOLD = {
    "disk-life": {"disk": "mmcblk0", "kind": "eMMC", "used": 10, "spare": "enough", "failing": False},
    "clock": {"by": "ntp", "server": "10.1.2.4"},
    "data": {"tpm": True},
}


class Rig:
    """A box that says what it is told to say."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.settings: Settings = settings_for(folder)
        self.spool: Spool = open_spool(with_index(self.settings.station.data_dir), clock=self.clock)
        self.says = folder / "says"
        self.says.mkdir()
        self.capture, self.board = {**CAPTURE}, {**BOARD}
        for name, said in TOLD.items():
            self.tells(name, said)

    def tells(self, name: str, said: dict[str, Any]) -> None:
        (self.says / f"{name}.json").write_text(json.dumps(said))

    def test(self) -> SelfTest:
        live = live_of(self.settings, self.spool, self.clock)
        live["capture"].write(self.capture)
        report = Report(spool=self.spool, settings=self.settings, clock=self.clock, live=live)
        return SelfTest(
            spool=self.spool,
            clock=self.clock,
            live=live,
            report=report,
            says=MachineSays(folder=self.says, board=lambda: self.board),
        )

    def begin(self, *, at_screen: bool = False) -> dict[tuple[str, str], Check]:
        return by_name(self.test().begin(by="panel", at_screen=at_screen).checks)

    def look(self) -> dict[tuple[str, str], Check]:
        seen = self.test().seen()
        assert seen
        return by_name(seen.checks)


def by_name(checks: tuple[Check, ...]) -> dict[tuple[str, str], Check]:
    return {(check.kind, check.name): check for check in checks}


@pytest.fixture
def rig() -> Iterator[Rig]:
    with folder_in_memory() as folder:
        rig = Rig(folder)
        yield rig
        rig.spool.close()


def test_on_a_box_that_is_well_nothing_fails_and_hands_are_waited_for(rig: Rig) -> None:
    checks = rig.begin(at_screen=True)
    assert {check.kind for check in checks.values()} == set(KINDS)
    waiting = {name for name, check in checks.items() if check.result is Result.WAITING}
    assert waiting == {("pedal", "input-1"), ("pedal", "gpio-2"), ("touch", "")}
    assert {check.result for name, check in checks.items() if name not in waiting} == {Result.PASSED}
    assert checks["source", "ultrasound"].measured == "1280 x 720, 30/s"
    assert "failed" in rig.spool.layout.audit.read_text()


@pytest.mark.parametrize(
    ("changed", "name", "code"),
    [
        ({"sources": [{**SOURCE, "unchanged_s": 9}]}, ("source", "ultrasound"), "source-still"),
        ({"sources": [{**SOURCE, "noise": True}]}, ("source", "ultrasound"), "source-snow"),
        (
            {"sources": [{**SOURCE, "state": "no-signal", "code": "VID-08", "what": "One colour.", "action": "!"}]},
            ("source", "ultrasound"),
            "VID-08",
        ),
        ({"sources": []}, ("source", "ultrasound"), "capture-gone"),
        ({"signs": []}, ("sign", "tone-1"), "capture-gone"),
        ({"pedals": [{**PEDALS[0], "connected": False}, PEDALS[1]]}, ("pedal", "input-1"), "IN-01"),
        ({"signs": [{"name": "tone-1", "connected": False, "what": "busy"}]}, ("sign", "tone-1"), "IN-02"),
        ({"machine": {"heat": "hot", "celsius": 90, "power": "ok"}}, ("temperature", ""), "too-hot"),
        ({"machine": {"heat": "ok", "power": "weak"}}, ("power", ""), "undervoltage"),
    ],
)
def test_what_capture_says_fails_with_its_code(
    rig: Rig, changed: dict[str, Any], name: tuple[str, str], code: str
) -> None:
    rig.capture |= changed
    check = rig.begin()[name]
    assert (check.result, check.code, bool(check.action)) == (Result.FAILED, code, True)


@pytest.mark.parametrize(
    ("changed", "kind", "code"),
    [
        ({"battery_clock": 4_000_000}, "battery-clock", "battery-clock-off"),
        ({"memory_mb": 900}, "memory", "memory-small"),
        ({"watched": False}, "watchdog", "watchdog-asleep"),
        ({"slowed": True}, "speed", "slowed-down"),
        ({"ports": [{"name": "enp1s0", "cable": False, "mbit": 0}]}, "network", "no-cable"),
    ],
)
def test_what_the_board_has_and_does_not_work_fails(
    rig: Rig, changed: dict[str, Any], kind: str, code: str
) -> None:
    rig.board |= changed
    check = rig.begin()[kind, ""]
    assert (check.result, check.code) == (Result.FAILED, code)


@pytest.mark.parametrize(
    ("subject", "said", "kind", "code"),
    [
        ("disk-life", {"kind": "eMMC", "used": 90, "spare": "enough"}, "disk-life", "disk-worn"),
        ("clock", {"by": "rtc"}, "time-server", "time-server-silent"),
        ("data", {"tpm": False}, "tpm", "tpm-unusable"),
    ],
)
def test_what_root_says_fails_with_its_code(
    rig: Rig, subject: str, said: dict[str, Any], kind: str, code: str
) -> None:
    rig.tells(subject, said)
    check = rig.begin()[kind, ""]
    assert (check.result, check.code) == (Result.FAILED, code)


def test_what_is_not_there_is_no_failure(rig: Rig) -> None:
    for each in rig.says.iterdir():
        each.unlink()
    rig.board = {}
    rig.settings = replace(rig.settings, sources=(), triggers=(), signs=())
    rig.capture = {"sources": [], "pedals": [], "signs": [], "machine": {}}
    checks = rig.begin()
    passed = {kind for (kind, _), check in checks.items() if check.result is not Result.ABSENT}
    assert passed == {"disk"}


def test_a_box_that_has_no_time_server_to_follow_is_not_failed_for_it(rig: Rig) -> None:
    rig.tells("clock", {"by": "rtc", "servers": False})
    assert rig.begin()["time-server", ""].result is Result.ABSENT


def test_a_pedal_that_is_pressed_in_time_is_heard_and_one_that_is_not_fails(rig: Rig) -> None:
    rig.begin()
    rig.clock.move(PEDALS_S - 1)
    rig.capture["pedals"] = [{**PEDALS[0], "presses": 5}, PEDALS[1]]
    now = rig.look()
    assert (now["pedal", "input-1"].result, now["pedal", "gpio-2"].result) == (Result.PASSED, Result.WAITING)
    rig.clock.move(2)
    assert rig.look()["pedal", "gpio-2"].code == "pedal-not-heard"
    rig.capture["pedals"] = [{**each, "presses": 9} for each in PEDALS]
    assert rig.look()["pedal", "gpio-2"].code == "pedal-not-heard"  # it was over


def test_each_corner_has_to_feel_a_finger(rig: Rig) -> None:
    rig.capture["pedals"] = []
    rig.settings = replace(rig.settings, triggers=())
    rig.begin(at_screen=True)
    for corner in CORNERS[:3]:
        seen = rig.test().felt(corner)
        assert seen
        assert not seen.ended
    seen = rig.test().felt(CORNERS[3])
    assert seen
    assert (seen.ended, by_name(seen.checks)["touch", ""].result) == (True, Result.PASSED)
    rig.begin(at_screen=True)
    rig.test().felt(CORNERS[0])
    rig.clock.move(TOUCH_S + 1)
    assert rig.look()["touch", ""].code == "touch-corner"


def test_a_restart_ends_it_and_a_record_of_another_version_is_none(rig: Rig) -> None:
    rig.begin(at_screen=True)
    rig.clock.reboot()
    seen = rig.test().seen()
    assert seen
    assert seen.ended
    for text in ("rubbish", "[]", '{"ended": true}', '{"ended": true, "checks": [{"other": 1}]}'):
        rig.spool.layout.self_test.write_text(text)
        assert rig.test().seen() is None


def test_every_trouble_says_what_to_do() -> None:
    assert all(what.endswith(".") and action for what, action in TROUBLES.values())


def test_the_screen_begins_it_asks_for_hands_and_says_how_it_went(bench: Bench) -> None:
    box = with_settings(bench)
    assert "self-test" in box.client.get("/service").text
    assert box.get("/service/self-test")["self_test"] is None
    assert "Show a moving picture first" in box.client.get("/service/self-test").raise_for_status().text
    begun = box.post("/service/self-test", {"do": "begin"})["self_test"]
    assert begun["ended"] is False
    page = box.client.get("/service/self-test").text
    assert "Touch the corners" in page
    assert "top-left" in box.client.get("/service/self-test/touch").text
    for corner in CORNERS:
        box.post("/service/self-test", {"do": "felt", "corner": corner})
    assert "top-left" not in box.client.get("/service/self-test/touch").text
    box.refused("/service/self-test", {"do": "felt", "corner": "middle"}, 422, "bad-value")
    box.refused("/service/self-test", {"do": "felt"}, 422, "bad-value")
    assert "disk" in str(box.get("/service/self-test"))


def test_nothing_is_tested_while_an_exam_is_open(bench: Bench) -> None:
    box = with_settings(bench)
    bench.open_exam()
    box.refused("/service/self-test", {"do": "begin"}, 409, "exam-open")
    assert not box.spool.layout.self_test.exists()
