"""What each cue sounds like, as complete WAV files. Pure functions; plays nothing."""

import io
import wave

import numpy as np
from numpy.typing import NDArray

from hardware.indicators import ENDS_SOON, Answer, Cue

RATE = 48_000  # samples a second
USUAL = 50  # percent of full scale
_RAMP_S = 0.005  # at both ends of a note, against clicks
_LEAD_S = 0.02  # of silence: converters that wake up swallow the beginning
_HIGH, _MIDDLE, _LOW = 1568.0, 1047.0, 392.0  # Hz; a small loudspeaker gives nothing much below

# Hz and seconds, one note after the other; 0 Hz is a rest.
NOTES: dict[Cue, tuple[tuple[float, float], ...]] = {
    Answer.STORED: ((_HIGH, 0.15),),
    Answer.CLIP_STARTED: ((_MIDDLE, 0.1), (_HIGH, 0.1)),  # rises
    Answer.CLIP_STOPPED: ((_HIGH, 0.1), (_MIDDLE, 0.1)),  # falls
    ENDS_SOON: ((_MIDDLE, 0.08), (0.0, 0.08)) * 3,
    Answer.NOT_STORED: ((_LOW, 0.2), (0.0, 0.1), (_LOW, 0.2)),
}


def sound(cue: Cue, volume: int = USUAL) -> bytes:
    """Return the WAV file of an answer: 16 bits, one channel, 48 kHz. `volume`: percent of full scale."""
    notes = [_note(hertz, seconds, volume) for hertz, seconds in NOTES[cue]]
    return wav(np.concatenate([_note(0.0, _LEAD_S), *notes]))


def silence(seconds: float) -> bytes:
    """Return a WAV file that nobody hears, to find out whether there is a sound card."""
    return wav(_note(0.0, seconds))


def seconds_of(data: bytes) -> float:
    """Return how long a WAV file of ours plays."""
    with wave.open(io.BytesIO(data)) as file:
        return float(file.getnframes() / file.getframerate())


def wav(samples: NDArray[np.int16]) -> bytes:
    """Return samples (int16, one channel, `RATE`) as a WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()


def _note(hertz: float, seconds: float, volume: int = USUAL) -> NDArray[np.int16]:
    """Return one note, int16, fading in and out."""
    time = np.arange(round(seconds * RATE)) / RATE
    envelope = np.minimum(1, np.minimum(time, time[::-1]) / _RAMP_S)
    return np.round(np.sin(2 * np.pi * hertz * time) * envelope * volume / 100 * 32767).astype(np.int16)
