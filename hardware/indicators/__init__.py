"""What lamps and loudspeakers say: that a press was seen, what became of it, that a clip ends. Decides nothing."""

from enum import StrEnum
from typing import Protocol


class Answer(StrEnum):
    STORED = "stored"  # only once it is durable
    CLIP_STARTED = "clip-started"
    CLIP_STOPPED = "clip-stopped"
    NOT_STORED = "not-stored"


PRESSED = "pressed"
ENDS_SOON = "ends-soon"  # no answer: nobody pressed anything
Cue = str  # PRESSED, ENDS_SOON, or one of Answer


class Indicator(Protocol):
    """Lamps and tones. Returns at once and never raises: an answer must not hold up the next press."""

    def pressed(self) -> None:
        """Show that a press was seen, within 100 ms; what became of it follows."""

    def show(self, answer: Answer) -> None:
        """Show this answer in place of the one before."""

    def ends_soon(self) -> None:
        """Let it be heard that a running clip ends by itself in a minute."""


class Output(Protocol):
    """One lamp or loudspeaker. Its own thread calls these; each may raise DeviceMissing or DeviceRefused."""

    def open(self) -> None:
        """Make ready. What was shown before is over."""

    def perform(self, cues: list[Cue]) -> float:
        """Go on with what is being shown, after taking in what happened since; return in how many seconds again.

        Something new may be brought earlier, and has to be taken in at once.
        """

    def close(self) -> None:
        """Be dark and silent, and let go of the device; harmless when it is not open."""
