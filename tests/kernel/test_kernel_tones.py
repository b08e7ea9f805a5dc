"""Tones on a sound card of the kernel's: what is heard at the other end of it, and a card that is taken away."""

import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.capture.signs import Sign, Signs
from gateway.clock import Clock
from hardware.errors import DeviceMissing
from hardware.indicators import Answer
from hardware.indicators.aplay import Aplay
from hardware.indicators.sounds import RATE
from hardware.indicators.tone import Tone
from tests.kernel.gadgets import until

CLOCK = Clock()
TRIES = 3  # the emulated processor stops for longer than a card's buffer lasts, now and then
LOWEST_HZ = 100  # of what a person hears as a tone
ONE_END, OTHER_END = "plughw:CARD=Loopback,DEV=0", "plughw:CARD=Loopback,DEV=1"


@pytest.fixture
def card() -> Iterator[str]:
    """A sound card whose loudspeaker is a microphone at its other end."""
    subprocess.run(["modprobe", "snd-aloop"], check=True)
    until("the sound card", Path("/proc/asound/Loopback").exists)
    yield ONE_END
    take_away()


def take_away() -> None:
    subprocess.run(["modprobe", "-r", "snd-aloop"], check=False)


def sign_on(device: str) -> Sign:
    tone = Tone(player=Aplay(device), clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause)
    return Sign(name="tone-1", output=tone, clock=CLOCK)


def play(sign: Sign, answer: Answer, seconds: float) -> None:
    Signs([sign]).show(answer)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(sign.step(), 0.05))


def heard(file: Path) -> list[float]:
    """Return the pitches that were recorded, in Hz, each as long as it lasts; an emulated card stutters."""
    with wave.open(str(file)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2").astype(float)
    size = RATE // 20
    pitches: list[float] = []
    for at in range(0, len(samples) - size, size):
        part = samples[at : at + size]
        pitch = float(np.abs(np.fft.rfft(part * np.hanning(size))).argmax() * RATE / size)
        if pitch < LOWEST_HZ:
            continue  # the step that a stutter leaves
        if np.abs(part).max() > 3000 and (not pitches or abs(pitch - pitches[-1]) > 100):
            pitches.append(pitch)
    return pitches


@pytest.mark.parametrize(
    ("answer", "notes"),
    [(Answer.STORED, [1568]), (Answer.CLIP_STARTED, [1047, 1568]), (Answer.NOT_STORED, [392])],
)
def test_an_answer_is_heard_at_the_other_end(card: str, tmp_path: Path, answer: Answer, notes: list[int]) -> None:
    sign = sign_on(card)
    sign.step()
    assert sign.connected
    tries = [listened(sign, answer, tmp_path / f"heard-{number}.wav") for number in range(TRIES)]
    assert any(pitches == pytest.approx(notes, abs=25) for pitches in tries), tries


def listened(sign: Sign, answer: Answer, file: Path) -> list[float]:
    """Return what is heard of an answer at the other end of the card."""
    words = ["arecord", "-q", f"--device={OTHER_END}", "-f", "S16_LE", "-r", str(RATE), "-c", "1", str(file)]
    recorder = subprocess.Popen(words)
    until("the recorder", lambda: file.exists() and file.stat().st_size > 44)
    play(sign, answer, 4.0)
    recorder.terminate()
    recorder.wait(20)
    return heard(file)


@pytest.mark.usefixtures("card")
def test_a_card_that_is_taken_away_is_missing_and_heard_again_when_it_is_back() -> None:
    sign = sign_on(ONE_END)
    sign.step()
    assert sign.connected
    take_away()
    play(sign, Answer.STORED, 3.0)
    assert not sign.connected
    assert "does not play" in sign.what
    with pytest.raises(DeviceMissing):
        Tone(player=Aplay(ONE_END), clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause).open()
    subprocess.run(["modprobe", "snd-aloop"], check=True)
    again = Tone(player=Aplay(ONE_END), clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause)
    again.open()
    again.close()
