"""The box's own screen: who is not heard of three times is started anew, and nobody else."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Address, Panel
from gateway.panel.kiosk import RESTART, Kiosk
from gateway.spool.files import Files
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running, settings_for


class Screen:
    """A kiosk whose seconds pass when a test says so."""

    def __init__(self, folder: Path, **panel: object) -> None:
        self.clock = FakeClock()
        settings = replace(settings_for(folder), panel=Panel(**{"kiosk": True, **panel}))  # type: ignore[arg-type]
        self.runtime = settings.station.runtime_dir
        self.kiosk = Kiosk(settings=settings, files=Files(), clock=self.clock)

    def restarts(self, seconds: int, *, beats_every: int = 0) -> int:
        """Let time pass; return how often the browser was to be started anew."""
        count = 0
        for second in range(1, seconds + 1):
            self.clock.move(1)
            if beats_every and second % beats_every == 0:
                self.kiosk.beat()
            if self.kiosk.step():
                assert (self.runtime / RESTART).exists()
                (self.runtime / RESTART).unlink()
                count += 1
        return count


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    return Screen(tmp_path)


def test_a_page_that_is_heard_of_is_left_alone(screen: Screen) -> None:
    assert screen.restarts(600, beats_every=5) == 0


def test_two_beats_that_are_missing_are_forgiven_and_three_are_not(screen: Screen) -> None:
    screen.kiosk.beat()
    assert screen.restarts(15) == 0
    assert screen.restarts(1) == 1


def test_a_browser_that_never_comes_up_is_started_again_with_ever_more_time(screen: Screen) -> None:
    """A box so slow that a minute is too short comes up all the same, and one without a screen fills no journal."""
    for minutes in (1, 2, 4, 8, 16, 16, 16):
        assert screen.restarts(60 * minutes - 1) == 0
        assert screen.restarts(1) == 1
    screen.kiosk.beat()
    assert screen.restarts(16) == 1
    assert screen.restarts(60) == 1


def test_a_browser_that_was_started_anew_gets_the_time_that_a_start_needs(screen: Screen) -> None:
    screen.kiosk.beat()
    assert screen.restarts(16) == 1
    assert screen.restarts(59) == 0
    screen.kiosk.beat()
    assert screen.restarts(15) == 0


def test_a_box_without_a_screen_of_its_own_restarts_nothing(tmp_path: Path) -> None:
    assert Screen(tmp_path, kiosk=False).restarts(600) == 0


def test_practice_hears_of_the_page_for_the_box_and_restarts_nothing_itself(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "real") if (tmp_path / "real").mkdir() is None else None
    assert screen
    run = screen.runtime / "practice" / "run"
    run.mkdir(parents=True)
    for _ in range(30):
        (run / "panel.json").write_text(f'{{"kiosk_beat_ns": {screen.clock.boottime_ns()}}}')
        assert screen.restarts(5) == 0
    (run / "panel.json").write_text("torn")
    assert screen.restarts(16) == 1
    (tmp_path / "practice").mkdir()
    inside = Screen(tmp_path / "practice", practice_of=Address(host="127.0.0.1", port=8080))
    assert inside.restarts(600) == 0


def test_only_the_box_own_pages_are_those_of_a_kiosk(bench: Bench) -> None:
    assert "kiosk.js" not in bench.client.get("/").text
    with folder_in_memory() as folder, running(folder, panel=Panel(kiosk=True)) as other:
        assert "data-kiosk" in other.client.get("/").text
        assert other.client.post("/api/v1/kiosk/beat", json={}).status_code == 204
        assert "goes dark in a minute" in other.client.get("/standby").text
