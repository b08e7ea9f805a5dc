"""The one answer that a press gets. Says what became of it; never decides it."""

from enum import StrEnum
from typing import Protocol


class Answer(StrEnum):
    STORED = "stored"  # only once it is durable
    CLIP_STARTED = "clip-started"
    CLIP_STOPPED = "clip-stopped"
    NOT_STORED = "not-stored"


class Indicator(Protocol):
    """A lamp or a tone. Returns at once and never raises: an answer must not hold up the next press."""

    def show(self, answer: Answer) -> None:
        """Show this answer in place of the one before."""


class Silent:
    """Neither lamp nor sound: the screen alone answers."""

    def show(self, answer: Answer) -> None:
        """Show nothing."""


class Recorded:
    """Remembers every answer, for tests and for the demo."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def show(self, answer: Answer) -> None:
        self.answers.append(answer)
