"""Connecting a device: every profile is shown, and what is written is a profile that works."""

from functools import cache

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.cli.connect import Person, Setup
from gateway.cli.contact_sheet import contact_sheet
from gateway.clock import FakeClock
from hardware import profiles
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.fakes import ScriptedSource
from hardware.looks import Plain, look_at
from hardware.sources import Loss, Picture, PixelFormat
from hardware.sources.pattern import draw


@cache
def scan(size: tuple[int, int]) -> np.ndarray:
    return draw("ultrasound", 1, size)


def picture(size: tuple[int, int], pixels: np.ndarray | None = None) -> Picture:
    shown = scan(size) if pixels is None else pixels
    facts = {"counter": 0, "time_ns": 0, "width": size[0], "height": size[1]}
    return Picture(**facts, format=PixelFormat.RGB24, planes=(shown,))


def card(size: tuple[int, int] = (1280, 720)) -> Picture:
    pixels = np.full((size[1], size[0], 3), (30, 0, 60), np.uint8)
    cv2.putText(pixels, "NO INPUT", (200, 400), cv2.FONT_HERSHEY_SIMPLEX, 4, (250, 250, 250), 12)
    return picture(size, pixels)


class Visit:
    """A service engineer at a grabber that gives 1280 x 720 and refuses PAL."""

    def __init__(self, tmp_path, answers: list[str], *, unplugged: list | None = None):
        self.sheet, self.out = tmp_path / "sheet.jpg", tmp_path / "tower.toml"
        self.said: list[str] = []
        self.asked: list[str] = []
        self._answers, self._unplugged = answers, unplugged
        self._pulled = False
        self.clock = FakeClock()

    def ask(self, text: str) -> str:
        self.asked.append(text)
        answer = self._answers.pop(0)
        self._pulled = "Pull" in text and answer == "y"
        return answer

    def opened(self, wish) -> ScriptedSource:
        if self._pulled and self._unplugged is not None:
            return ScriptedSource(self._unplugged)
        if wish.standard == "PAL":
            return ScriptedSource([DeviceRefused("It knows no PAL.")])
        if wish.standard == "SECAM":
            return ScriptedSource([None] * 20)
        return ScriptedSource([picture((1280, 720))] * 20)

    def run(self) -> bool:
        person = Person(ask=self.ask, say=self.said.append)
        setup = Setup(
            person=person,
            opened=self.opened,
            flash=lambda _: None,
            clock_ns=self.clock.boottime_ns,
            jitter=lambda _: 1.0,
        )
        return setup.run(sheet=self.sheet, out=self.out)


def test_every_profile_that_fits_is_shown_and_the_others_are_explained(tmp_path):
    visit = Visit(tmp_path, ["hdmi-720p-scope", "", ""])
    assert visit.run()
    said = "\n".join(visit.said)
    assert "It knows no PAL." in said
    assert "no picture came" in said
    assert "it gives 1280 x 720" in said
    assert "(hdmi-720p-scope, vga-1024-in-720p)" in visit.asked[0]
    sheet = cv2.imread(str(visit.sheet))
    assert sheet.shape[1] == 1200
    assert sheet.std() > 10
    assert profiles.load(str(visit.out)) == profiles.load("hdmi-720p-scope")


def test_the_picture_without_signal_is_learned_and_known_again(tmp_path):
    visit = Visit(tmp_path, ["vga-1024-in-720p", "y", ""], unplugged=[card()] * 20)
    assert visit.run()
    profile = profiles.load(str(visit.out))
    assert profile.view == profiles.load("vga-1024-in-720p").view
    assert look_at(card(), profile.card).plain is Plain.CARD
    assert look_at(picture((1280, 720)), profile.card).plain is Plain.NO


@pytest.mark.parametrize("unplugged", [[Loss.NO_SIGNAL] * 20, [DeviceMissing("It went.")]])
def test_a_grabber_that_says_itself_that_it_has_no_signal_needs_no_card(tmp_path, unplugged):
    visit = Visit(tmp_path, ["hdmi-720p-scope", "y", ""], unplugged=unplugged)
    assert visit.run()
    assert profiles.load(str(visit.out)).card == b""
    assert any("nothing need be learned" in line for line in visit.said)


BLACK = picture((1280, 720), np.zeros((720, 1280, 3), np.uint8))


@pytest.mark.parametrize(("shown", "said"), [(picture((1280, 720)), "it stands still"), (BLACK, "knows that")])
def test_what_is_no_card_is_not_learned_as_one(tmp_path, shown, said):
    visit = Visit(tmp_path, ["hdmi-720p-scope", "y", ""], unplugged=[shown] * 20)
    assert visit.run()
    assert profiles.load(str(visit.out)).card == b""
    assert any(said in line for line in visit.said)


def test_a_delay_that_cannot_be_measured_is_said_and_the_profile_is_written_without_it(tmp_path):
    visit = Visit(tmp_path, ["hdmi-720p-scope", "", "y"])
    assert visit.run()
    assert any(line.startswith("Not measured:") for line in visit.said)
    assert profiles.load(str(visit.out)).input_delay_ms == 0


def test_without_a_choice_or_a_picture_nothing_is_written(tmp_path):
    visit = Visit(tmp_path, ["what?"])
    assert not visit.run()
    assert not visit.out.exists()
    none = Visit(tmp_path, [])
    none.opened = lambda _: ScriptedSource([DeviceMissing("There is none.")])
    assert not none.run()
    assert none.said.count("  There is none.") == 1


@pytest.mark.parametrize("device", ["/dev/video0", "ultrasound", "v4l2:0", "file:/nowhere.mkv"])
def test_a_device_that_the_configuration_would_refuse_is_refused_before_anything_is_tried(device):
    done = CliRunner().invoke(app, ["source", "setup", device])
    assert done.exit_code == 2
    assert "trying" not in done.output


def test_a_place_that_cannot_be_written_is_said_first_and_a_profile_that_is_there_is_kept(tmp_path):
    nowhere, there = tmp_path / "none" / "x", tmp_path / "tower.toml"
    there.write_text("turn = 90")
    for more in (["--out", nowhere], ["--out", there], ["--out", tmp_path / "new.toml", "--sheet", nowhere]):
        done = CliRunner().invoke(app, ["source", "setup", "pattern:bars", *map(str, more)])
        assert done.exit_code == 2
        assert "trying" not in done.output
    assert there.read_text() == "turn = 90"


def test_a_contact_sheet_has_room_for_portraits_and_landscapes():
    sizes = [(1080, 1920), (1920, 1080), (720, 576)]
    shown = {**{name: picture(size) for name, size in zip("abc", sizes, strict=True)}, "d": card()}
    sheet = cv2.imdecode(np.frombuffer(contact_sheet(shown), np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape == (2 * 328, 1200, 3)
