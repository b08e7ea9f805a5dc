"""Answers as tones. One after the other: each is heard, and none twice while it waits."""

from collections.abc import Callable
from typing import Protocol

from hardware.errors import DeviceMissing
from hardware.indicators import Cue
from hardware.indicators.sounds import NOTES, USUAL, seconds_of, silence, sound

_PLAYING_S = 0.02  # between two looks at what is being played
_IDLE_S = 0.5
_SLACK_NS = 2_000_000_000  # so much longer than its length may a tone take; a sound card that hangs takes for ever
_TRIAL_S = 0.01


class Player(Protocol):
    """Plays one WAV file at a time, without waiting for it."""

    def start(self, wav: bytes) -> None:
        """Begin to play. Raises DeviceMissing."""

    def playing(self) -> bool:
        """Say whether it still plays. Raises DeviceMissing when it could not."""

    def stop(self) -> None:
        """Play nothing any more; harmless when nothing is played."""


class Tone:
    """Plays the answers; that a press was seen is for the lamp. What waits is at most one of each answer.

    `volume`: percent of what the sound card can.
    """

    def __init__(
        self, *, player: Player, clock_ns: Callable[[], int], wait: Callable[[float], None], volume: int = USUAL
    ) -> None:
        self._player = player
        self._clock_ns = clock_ns
        self._wait = wait
        self._sounds = {cue: sound(cue, volume) for cue in NOTES}
        self._waiting: list[Cue] = []
        self._until_ns = 0

    def open(self) -> None:
        """Play silence: only a sound card that has played is one. Takes up to 2 s."""
        self.close()
        self._start(silence(_TRIAL_S))
        while self._busy():
            self._wait(_PLAYING_S)

    def perform(self, cues: list[Cue]) -> float:
        self._waiting += [cue for cue in dict.fromkeys(cues) if cue in self._sounds and cue not in self._waiting]
        if self._busy():
            return _PLAYING_S
        if not self._waiting:
            return _IDLE_S
        self._start(self._sounds[self._waiting.pop(0)])
        return _PLAYING_S

    def close(self) -> None:
        self._waiting.clear()
        self._player.stop()

    def _start(self, wav: bytes) -> None:
        self._player.start(wav)
        self._until_ns = self._clock_ns() + round(seconds_of(wav) * 1e9) + _SLACK_NS

    def _busy(self) -> bool:
        if not self._player.playing():
            return False
        if self._clock_ns() > self._until_ns:
            raise DeviceMissing("The sound card does not play: it hangs. Take it out and plug it in again.")
        return True
