"""What lamps show and loudspeakers play: each answer in its own way, once, and a missing one holds up nobody."""

import os
import shutil
import wave
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest

from hardware.errors import DeviceError, DeviceMissing, DeviceRefused
from hardware.gpio import Wiring
from hardware.indicators import ENDS_SOON, PRESSED, Answer
from hardware.indicators.aplay import Aplay
from hardware.indicators.fakes import FakePlayer, FakeSwitch
from hardware.indicators.lamp import Lamp
from hardware.indicators.pins import GpioSwitch
from hardware.indicators.sounds import NOTES, RATE, seconds_of, silence, sound
from hardware.indicators.switches import SerialSwitch
from hardware.indicators.tone import Tone


@pytest.fixture
def switch(clock):
    return FakeSwitch(clock_ns=clock.boottime_ns, wait=clock.pause)


@pytest.fixture
def lamp(switch, clock):
    made = Lamp(switch=switch, clock_ns=clock.boottime_ns)
    made.open()
    return made


@pytest.fixture
def player(clock):
    return FakePlayer(clock_ns=clock.boottime_ns)


@pytest.fixture
def tone(player, clock):
    made = Tone(player=player, clock_ns=clock.boottime_ns, wait=clock.pause)
    made.open()
    player.played.clear()
    return made


def go_on(output, clock, seconds, *cues):
    """Let an output go on for that long, as its thread does."""
    until = clock.boottime_ns() + round(seconds * 1e9)
    told = list(cues)
    while (left := (until - clock.boottime_ns()) / 1e9) > 0:
        clock.pause(max(1e-6, min(left, output.perform(told))))
        told = []
    output.perform(told)


def flashes(switch):
    """Return how long the lamp was lit and dark in turn, in s."""
    times = [time for time, _ in switch.changes]
    return [round((after - before) / 1e9, 2) for before, after in pairwise(times)]


def test_a_tone_is_as_loud_as_it_is_set():
    def loudest(volume):
        with wave.open(BytesIO(sound(Answer.STORED, volume))) as file:
            return int(np.abs(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(int)).max())

    quiet, usual, full = loudest(5), loudest(50), loudest(100)
    assert usual == pytest.approx(10 * quiet, rel=0.01)
    assert 32_000 < full <= 32_767


def test_the_lamp_is_lit_from_the_press_to_its_answer(lamp, switch, clock):
    go_on(lamp, clock, 3, PRESSED)
    assert switch.lit
    go_on(lamp, clock, 3, Answer.STORED)
    assert flashes(switch) == [3.6]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer.STORED, [0.6]),
        (Answer.CLIP_STARTED, [0.15, 0.15, 0.6]),
        (Answer.CLIP_STOPPED, [0.6, 0.15, 0.15]),
        (Answer.NOT_STORED, [0.1] * 29),
    ],
)
def test_each_answer_has_a_pattern_of_its_own(lamp, switch, clock, answer, shown):
    go_on(lamp, clock, 5, answer)
    assert flashes(switch) == shown
    assert not switch.lit


def test_not_stored_is_not_covered_up_by_the_answer_to_another_press(lamp, switch, clock):
    go_on(lamp, clock, 1, Answer.NOT_STORED)
    go_on(lamp, clock, 3, Answer.STORED)
    assert len(flashes(switch)) == 29
    go_on(lamp, clock, 1, Answer.NOT_STORED)
    go_on(lamp, clock, 0.3, PRESSED)
    assert switch.lit  # somebody presses again: that is shown


def test_a_clip_that_ends_soon_is_heard_and_covers_up_no_answer(lamp, switch, tone, player, clock):
    tone.perform([ENDS_SOON])
    assert [wav for _, wav in player.played] == [sound(ENDS_SOON)]
    go_on(lamp, clock, 1, PRESSED)
    go_on(lamp, clock, 1, ENDS_SOON)
    assert switch.lit


def test_a_press_whose_answer_never_comes_does_not_leave_the_lamp_lit(lamp, switch, clock):
    go_on(lamp, clock, 10, PRESSED)
    assert not switch.lit


def test_a_lamp_that_somebody_else_switched_is_put_right(lamp, switch, clock):
    lamp.perform([])
    switch.set(True)  # another program opened the port
    go_on(lamp, clock, 0.6)
    assert not switch.lit
    lamp.close()


def test_a_lamp_on_a_pin_is_driven_as_it_is_wired():
    class Line:
        def __init__(self):
            self.set_to, self.closed = [], False

        def set(self, on):
            self.set_to.append(on)

        def close(self):
            self.closed = True

    asked, line = [], Line()
    switch = GpioSwitch(
        chip="/dev/gpiochip0", pin=27, wiring=Wiring(active="low"), drive=lambda *w: asked.append(w) or line
    )
    with pytest.raises(DeviceMissing, match="not open"):
        switch.set(True)
    switch.open()
    switch.set(True)
    switch.close()
    switch.close()
    assert asked == [("/dev/gpiochip0", 27, Wiring(active="low"))]
    assert (line.set_to, line.closed) == ([True], True)


def test_a_port_without_lines_or_that_is_not_there_lights_no_lamp():
    ours, theirs = os.openpty()
    with pytest.raises(DeviceRefused, match="cannot switch a lamp"):
        SerialSwitch(device=os.ttyname(theirs), line="rts").open()
    os.close(ours)
    os.close(theirs)
    missing = SerialSwitch(device="/dev/ttyUSB99", line="dtr", active="low")
    with pytest.raises(DeviceMissing, match="no serial port"):
        missing.open()
    missing.close()


# --- tones ---------------------------------------------------------------------------------------------------


def pitches(wav: bytes) -> list[int]:
    """Return the pitch of each note of a WAV file, in Hz, by counting how often it crosses zero."""
    with wave.open(BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    heard, found = np.abs(samples) > 0, []
    window = RATE // 100
    for at in range(0, len(samples) - window + 1, window):
        part = samples[at : at + window]
        pitch = (
            0 if not heard[at : at + window].any() else round(np.abs(np.diff(np.sign(part))).sum() / 4 * 100, -2)
        )
        if not found or found[-1] != pitch:
            found.append(int(pitch))
    return found


def test_stored_is_one_high_tone_and_not_stored_two_low_ones():
    high, low = pitches(sound(Answer.STORED)), pitches(sound(Answer.NOT_STORED))
    assert [p for p in high if p] == [1600]
    assert [p for p in low if p] == [400, 400]


def test_a_clips_beginning_rises_and_its_end_falls_and_no_two_sound_alike():
    started = [p for p in pitches(sound(Answer.CLIP_STARTED)) if p]
    stopped = [p for p in pitches(sound(Answer.CLIP_STOPPED)) if p]
    assert (min(started), max(started)) == (started[0], started[-1])
    assert (max(stopped), min(stopped[:2])) == (stopped[0], stopped[1])
    assert max(started) - min(started) > 400
    assert set(NOTES) == {*Answer, ENDS_SOON}
    assert len({sound(cue) for cue in NOTES}) == len(NOTES)
    assert max(seconds_of(sound(answer)) for answer in Answer) < 0.6


def test_each_answer_is_played_once_and_a_press_makes_no_sound(tone, player, clock):
    go_on(tone, clock, 1, PRESSED)
    assert player.played == []
    go_on(tone, clock, 1, Answer.STORED)
    assert [wav for _, wav in player.played] == [sound(Answer.STORED)]


def test_answers_that_come_together_are_heard_one_after_the_other(tone, player, clock):
    go_on(tone, clock, 3, *[Answer.STORED] * 5, Answer.NOT_STORED, *[Answer.STORED] * 5)
    assert [wav for _, wav in player.played] == [sound(Answer.STORED), sound(Answer.NOT_STORED)]
    first, second = (time for time, _ in player.played)
    assert second - first >= seconds_of(sound(Answer.STORED)) * 1e9
    go_on(tone, clock, 0.05, Answer.CLIP_STARTED)
    go_on(tone, clock, 1, Answer.STORED)  # while that one still plays
    assert len(player.played) == 4


def test_a_sound_card_that_hangs_or_is_not_there_is_missing(tone, player, clock):
    player.hangs = True
    tone.perform([Answer.STORED])
    with pytest.raises(DeviceMissing, match="hangs"):
        go_on(tone, clock, 5)
    player.hangs, player.plugged = False, False
    with pytest.raises(DeviceMissing):
        tone.open()
    tone.close()


def until_played(aplay) -> None:
    while aplay.playing():
        pass


@pytest.mark.skipif(not shutil.which("aplay"), reason="aplay is not installed")
def test_alsa_plays_what_was_made(tmp_path):
    heard = tmp_path / "heard.raw"
    aplay = Aplay(f"tee:null,{heard},raw")
    aplay.start(sound(Answer.NOT_STORED))
    until_played(aplay)
    with wave.open(BytesIO(sound(Answer.NOT_STORED))) as file:
        made = file.readframes(file.getnframes())
    assert heard.read_bytes().rstrip(b"\0") == made.rstrip(b"\0")  # aplay fills its last block with silence
    assert not aplay.playing()


@pytest.mark.skipif(not shutil.which("aplay"), reason="aplay is not installed")
def test_a_sound_card_that_does_not_exist_is_missing():
    aplay = Aplay("plughw:CARD=Nothing")
    aplay.start(silence(0.01))
    with pytest.raises(DeviceMissing, match="group audio"):
        until_played(aplay)


def test_a_machine_without_aplay_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DeviceError, match="alsa-utils"):
        Aplay("default").start(silence(0.01))


def test_a_tone_that_still_plays_is_ended_for_the_next(tmp_path, monkeypatch):
    program = tmp_path / "aplay"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    aplay = Aplay("default")
    for _ in range(2):
        aplay.start(silence(0.01))
        assert aplay.playing()
    aplay.stop()
    assert not aplay.playing()
    aplay.stop()
