"""A version's trial: what makes it good, what sends the box back, and that no exam is cut off for it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.machine.programs import ProgramFailed
from gateway.machine.telling import tell
from gateway.machine.update import memory
from gateway.machine.update.box import Box, Places
from gateway.machine.update.image import Image
from gateway.machine.update.memory import Memory, Phase
from gateway.machine.update.rauc import Rauc
from gateway.machine.update.refusals import UpdateRefused
from gateway.machine.update.trial import END, UNITS, Trial

IMAGE = Image(version="0.4.0", build="x", floor="0.3.0", compatible="scopegate-amd64")


class Marks(Rauc):
    """RAUC, of which only what it was told is kept."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.refuses = False
        self.asked: Callable[[], None] = lambda: None

    def mark_good(self) -> None:
        self.asked()
        if self.refuses:
            raise UpdateRefused
        self.told.append("good")

    def mark_bad(self) -> None:
        self.told.append("bad")
        if self.refuses:
            raise UpdateRefused


class Hours(FakeClock):
    """A clock beside which something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: Callable[[], None] = lambda: None

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        self.passed()


class Machine:
    """systemd as the trial sees it: states by the second of its life."""

    def __init__(self, folder: Path) -> None:
        self.clock = Hours()
        self.rauc = Marks()
        self.ran: list[tuple[str, ...]] = []
        self.states: Callable[[float], str] = lambda _: "active"
        self.restarts: Callable[[float], str] = lambda _: "0"
        self.healthy = True
        self.why, self.live = folder / "why", folder / "capture.json"
        (folder / "said").mkdir()
        self.places = Places(
            keyring=folder / "keyring", trial=folder / "trial", memory=folder / "update", said=folder / "said"
        )
        self.places.trial.touch()
        memory.remember(Memory(phase=Phase.TRYING, version="0.4.0", slot="b", floor="0.2.0"), self.places.memory)
        self._began = self.clock.boottime_ns()

    @property
    def seconds(self) -> float:
        return (self.clock.boottime_ns() - self._began) / 1e9

    def run(self, *words: str, wait_s: float = 60) -> str:
        assert wait_s > 0
        self.ran.append(words)
        if words[:2] == ("systemctl", "show"):
            said = self.states if "ActiveState" in words else self.restarts
            return "\n".join([said(self.seconds)] * len(UNITS))
        if words[:2] == ("systemctl", "start") and not self.healthy:
            raise ProgramFailed("systemctl", 1, "failed")
        return ""

    def decide(self) -> Memory:
        box = Box(image=IMAGE, slot="b", boot_id=self.clock.boot_id, places=self.places)
        Trial(box=box, rauc=self.rauc, clock=self.clock, run=self.run, why=self.why, live=self.live).decide()
        return memory.recalled(self.places.memory)

    @property
    def restarted(self) -> bool:
        return ("systemctl", "--no-block", "reboot") in self.ran


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_version_that_proves_itself_stays_and_the_floor_rises(machine: Machine) -> None:
    kept = machine.decide()
    assert (kept.phase, kept.slot, kept.floor) == (Phase.GOOD, "b", "0.3.0")
    assert machine.rauc.told == ["good"]
    assert not machine.places.trial.exists()
    assert not machine.restarted


def test_that_it_proved_itself_is_remembered_before_the_firmware_is_told(machine: Machine) -> None:
    before: list[Memory] = []
    machine.rauc.asked = lambda: before.append(memory.recalled(machine.places.memory))
    after = machine.decide()
    assert [(kept.phase, kept.proven) for kept in (*before, after)] == [(Phase.TRYING, "0.4.0"), (Phase.GOOD, "")]
    machine.places.trial.touch()
    memory.remember(before[0], machine.places.memory)
    machine.rauc.refuses = True
    assert (machine.decide().phase, machine.decide().proven) == (Phase.WENT_BACK, "")


@pytest.mark.parametrize("healthy", [True, False])
def test_a_decision_stands_also_where_nothing_can_be_said_or_remembered(machine: Machine, *, healthy: bool) -> None:
    machine.healthy = healthy
    shutil.rmtree(machine.places.said)
    shutil.rmtree(machine.places.memory)
    machine.places.memory.touch()
    machine.decide()
    assert machine.rauc.told == ["good" if healthy else "bad"]
    assert (machine.places.trial.exists(), machine.restarted) == (False, not healthy)


def test_its_programs_get_time_to_come_up(machine: Machine) -> None:
    machine.states = lambda seconds: "activating" if seconds < 200 else "active"
    assert machine.decide().phase is Phase.GOOD


def data(machine: Machine, *, opened: bool, guard: str = "pin", code: str = "") -> None:
    tell(machine.places.said, "data", {"opened": opened, "guard": guard, "code": code})


def an_hour_later(machine: Machine, come_up: Callable[[float], str]) -> None:
    """Have the PIN typed an hour after the start, wrongly first. `come_up`: states by seconds since."""
    typed = 3600

    def passes() -> None:
        wrong = machine.seconds > 1000
        data(machine, opened=machine.seconds >= typed, code="key-refused" if wrong else "start-pin")

    data(machine, opened=False, code="start-pin")
    machine.clock.passed = passes
    machine.states = lambda seconds: "inactive" if seconds < typed else come_up(seconds - typed)


def test_it_waits_for_the_start_pin_as_long_as_nobody_types_it(machine: Machine) -> None:
    an_hour_later(machine, lambda since: "activating" if since < 200 else "active")
    assert machine.decide().phase is Phase.GOOD
    ends = [words for words in machine.ran if END in words]
    assert ends == [("systemctl", "stop", END), ("systemctl", "start", END)]  # its minutes begin again as well


def test_what_does_not_come_up_with_open_data_goes_back_on_a_box_with_a_start_pin_too(machine: Machine) -> None:
    an_hour_later(machine, lambda _: "failed")
    went_back(machine, "units")


def test_it_waits_for_a_chip_that_gives_its_key_to_no_version_for_a_while(machine: Machine) -> None:
    def passes() -> None:
        opened, typed = machine.seconds >= 3600, 1000 < machine.seconds < 1500  # wrongly
        code = "key-refused" if typed else "chip-locked"
        said = {"opened": opened, "guard": "tpm", "code": code, "chip_locked": not opened}
        tell(machine.places.said, "data", said)

    passes()
    machine.clock.passed = passes
    machine.states = lambda seconds: "inactive" if seconds < 3600 else "active"
    assert machine.decide().phase is Phase.GOOD


def test_a_version_to_which_the_chip_gives_no_key_goes_back(machine: Machine) -> None:
    data(machine, opened=False, guard="tpm", code="key-refused")
    machine.states = lambda _: "inactive"
    went_back(machine, "units")
    assert machine.seconds < 600


def went_back(machine: Machine, reason: str) -> None:
    kept = machine.decide()
    assert (kept.phase, kept.reason, kept.version) == (Phase.WENT_BACK, reason, "0.4.0")
    assert kept.floor == "0.2.0"
    assert machine.restarted
    assert "good" not in machine.rauc.told


def test_programs_that_do_not_come_up_send_it_back(machine: Machine) -> None:
    machine.states = lambda _: "failed"
    went_back(machine, "units")


def test_a_program_that_starts_again_and_again_sends_it_back(machine: Machine) -> None:
    machine.restarts = lambda seconds: "0" if seconds < 30 else "1"
    went_back(machine, "units")


def test_a_judge_that_breaks_sends_it_back_too(machine: Machine) -> None:
    def breaks(_: float) -> str:
        raise OSError

    machine.states = breaks
    with pytest.raises(OSError, match=r"^$"):
        machine.decide()
    kept = memory.recalled(machine.places.memory)
    assert (kept.phase, kept.reason) == (Phase.WENT_BACK, "health")
    assert (machine.rauc.told, machine.restarted) == (["bad"], True)


SAID = [("picture", "picture"), ("", "health"), ("rm -rf /", "health"), ("x" * 9000, "x" * 40)]


@pytest.mark.parametrize(("said", "reason"), SAID)
def test_what_the_look_found_is_the_reason(machine: Machine, said: str, reason: str) -> None:
    machine.healthy = False
    machine.why.write_text(said)
    went_back(machine, reason)


def test_what_the_look_left_is_neither_followed_nor_waited_for(machine: Machine, tmp_path: Path) -> None:
    machine.healthy = False
    (tmp_path / "secret").write_text("secret")
    machine.why.symlink_to(tmp_path / "secret")
    went_back(machine, "health")
    machine.why.unlink()
    os.mkfifo(machine.why)
    went_back(machine, "health")


def test_a_firmware_that_does_not_take_it_sends_it_back(machine: Machine) -> None:
    machine.rauc.refuses = True
    went_back(machine, "firmware")


def test_it_goes_back_when_the_exam_is_over(machine: Machine) -> None:
    machine.healthy = False

    told_in_the_exam: list[bool] = []

    def capture_says() -> None:
        told_in_the_exam.append(machine.rauc.told == ["bad"])
        exam = "exam-1" if machine.seconds < 500 else ""
        state = {"boot_id": machine.clock.boot_id, "boottime_ns": machine.clock.boottime_ns(), "exam": exam}
        machine.live.write_text(json.dumps(state))

    machine.clock.passed = capture_says
    capture_says()
    went_back(machine, "health")
    assert machine.seconds >= 500
    assert told_in_the_exam[10]  # whatever happens in it, the firmware does not start this version again
