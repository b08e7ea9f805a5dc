"""A network that was set over the network: kept when somebody says so, taken back when nobody does."""

import json
import os
import threading
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import MachineRequest
from gateway.machine.requests import taken
from gateway.machine.settings import turns
from gateway.machine.settings.applying import Applied, Applying, Places
from gateway.machine.settings.trial import TRIED_S, NetworkTrial
from tests.unit.machine.conftest import Programs

STATIC = b'[network]\nmethod = "static"\naddress = "10.1.2.3/24"\n'


class Waiting(FakeClock):
    """At the given second of a wait, something is done."""

    def __init__(self) -> None:
        super().__init__()
        self.at_s = 0
        self.do = lambda: None
        self.waited_s = 0

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waited_s += int(seconds)
        if self.waited_s == self.at_s:
            self.do()
        return super().wait(stop, seconds)


@pytest.fixture
def clock() -> Waiting:
    return Waiting()


@pytest.fixture
def said() -> list[tuple[Applied, int]]:
    return []


@pytest.fixture
def trial(applying: Applying, clock: Waiting, said: list[tuple[Applied, int]]) -> NetworkTrial:
    return NetworkTrial(applying, clock=clock, say=lambda applied, until: said.append((applied, until)))


def network(places: Places) -> str:
    path = places.run / "systemd/network/10-scopegate.network"
    return path.read_text() if path.exists() else ""


def test_a_network_that_nobody_kept_is_taken_back(
    trial: NetworkTrial, clock: Waiting, places: Places, said: list[tuple[Applied, int]]
) -> None:
    seen: list[str] = []
    clock.at_s, clock.do = TRIED_S // 2, lambda: seen.append(network(places))
    began = clock.boottime_ns()
    assert not trial.run(STATIC, threading.Event())
    assert "Address=10.1.2.3/24" in seen[0]
    assert network(places) == ""
    assert [applied.method for applied, _ in said] == ["static", "dhcp"]
    assert [until for _, until in said] == [began + TRIED_S * 10**9, 0]
    assert not places.machine.exists()


def test_a_network_that_was_kept_stays(trial: NetworkTrial, clock: Waiting, places: Places) -> None:
    clock.at_s, clock.do = 20, lambda: places.machine.write_bytes(STATIC)
    assert trial.run(STATIC, threading.Event())
    assert "Address=10.1.2.3/24" in network(places)
    assert clock.waited_s < TRIED_S


def test_what_the_screen_of_the_box_sets_meanwhile_ends_the_trial(
    trial: NetworkTrial, clock: Waiting, places: Places
) -> None:
    clock.at_s, clock.do = 20, lambda: places.machine.write_text("[network]\nvlan = 7\n")
    assert not trial.run(STATIC, threading.Event())
    assert "VLAN=vlan7" in network(places)


def test_a_box_that_is_switched_off_meanwhile_starts_with_what_it_had(trial: NetworkTrial, places: Places) -> None:
    stop = threading.Event()
    stop.set()
    assert not trial.run(STATIC, stop)
    assert network(places) == ""


def test_what_could_never_be_kept_is_not_tried(trial: NetworkTrial, said: list[tuple[Applied, int]]) -> None:
    for raw in (b"[network]\nmethod = 1\n", b"\xff", b"[[[", b"x" * 2_000_000):
        with pytest.raises(MachineRequest):
            trial.run(raw, threading.Event())
    assert said == []


# --- whose turn it is -----------------------------------------------------------------------------------------


def test_nothing_waits_for_a_trial_and_nothing_ends_it_by_accident(
    trial: NetworkTrial, clock: Waiting, applying: Applying, places: Places
) -> None:
    turns_had: list[bool] = []
    clock.at_s, clock.do = 20, lambda: turns_had.append(turns.apply_file(applying))  # DHCP said something new
    turns.during_trial(places.told, lambda: trial.run(STATIC, threading.Event()))
    assert turns_had == [False]
    assert clock.waited_s >= TRIED_S
    assert turns.apply_file(applying)
    told = json.loads((places.told / "applied.json").read_text())
    assert (told["method"], told["until_ns"]) == ("dhcp", 0)


def test_what_is_applied_is_told_to_everybody(applying: Applying, places: Places) -> None:
    places.machine.write_bytes(STATIC)
    assert turns.apply_file(applying)
    path = places.told / "applied.json"
    assert json.loads(path.read_text())["method"] == "static"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_that_is_replaced_while_it_is_applied_is_applied_too(
    applying: Applying, places: Places, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd forgets a change of the path while the unit that it starts is running."""
    run = programs.run

    def replaced_once(*words: str, given: str = "") -> str:
        if not places.machine.exists():
            places.machine.write_bytes(STATIC)
        return run(*words, given=given)

    monkeypatch.setattr(programs, "run", replaced_once)
    assert turns.apply_file(applying)
    assert json.loads((places.told / "applied.json").read_text())["method"] == "static"


def test_a_file_that_changes_for_ever_holds_nobody_up(
    applying: Applying, places: Places, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(range(1000))

    def replaced(*_: str, given: str = "") -> str:
        assert given is not None
        places.settings.with_suffix(".new").write_text(f"# {next(names)}\n")
        places.settings.with_suffix(".new").rename(places.settings)
        return ""

    monkeypatch.setattr(programs, "run", replaced)
    assert turns.apply_file(applying)
    assert next(names) < 100


@pytest.mark.parametrize("changed", ["machine", "settings", "heard"])
def test_a_file_that_changes_when_nobody_is_told_of_it_gets_another_turn(
    applying: Applying, places: Places, changed: str
) -> None:
    assert not turns.ask_again(places)  # a start comes first, in which it is applied
    assert turns.apply_file(applying)
    assert not turns.ask_again(places)
    assert not (places.told / turns.AGAIN).exists()
    path = getattr(places, changed)
    path.with_suffix(".new").write_bytes(b"")
    path.with_suffix(".new").rename(path)
    assert turns.ask_again(places)
    assert (places.told / turns.AGAIN).exists()
    assert turns.apply_file(applying)
    assert not (places.told / turns.AGAIN).exists()
    assert not turns.ask_again(places)
    path.unlink()
    assert turns.ask_again(places)


def test_a_turn_that_fails_is_not_asked_for_without_end(
    applying: Applying, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(turns, "say", fails)
    with pytest.raises(RuntimeError):
        turns.apply_file(applying)
    assert not turns.ask_again(places)


# --- how it is asked ------------------------------------------------------------------------------------------


def test_a_request_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "machine-try").write_bytes(STATIC)
    assert taken("machine-try", tmp_path) == STATIC
    with pytest.raises(MachineRequest):
        taken("machine-try", tmp_path)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "large"])
def test_a_request_that_is_no_plain_small_file_is_refused_and_gone(tmp_path: Path, kind: str) -> None:
    path, secret = tmp_path / "machine-try", tmp_path / "secret"
    secret.write_text("shadow")
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"x" * 70_000)
    with pytest.raises(MachineRequest):
        taken("machine-try", tmp_path)
    assert not path.exists()
    assert not path.is_symlink()
    assert secret.read_text() == "shadow"
