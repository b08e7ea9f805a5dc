"""How long one destination is left alone after it failed, and since when. Knows no delivery."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from gateway.clock import Clock, Moment
from gateway.errors import DeliveryError, NeedsConfiguration
from gateway.forward import backoff
from gateway.log import event, warn

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Why a destination gets nothing at present, since when, and when it is tried again (CLOCK_BOOTTIME, ns)."""

    error: DeliveryError
    since: Moment
    until_ns: int
    attempt: int


class Patience:
    """`pause` is None while the destination does its work; it stays, past its time, until that is seen again."""

    def __init__(self, destination: str, *, clock: Clock) -> None:
        self._destination = destination
        self._clock = clock
        self.pause: Pause | None = None

    @property
    def left_s(self) -> float:
        """Seconds until the next try, 0 = now."""
        return max(0.0, (self.pause.until_ns - self._clock.boottime_ns()) / 1e9) if self.pause else 0.0

    def waits(self, asked: Callable[[], bool]) -> bool:
        """Say whether to wait still. asked: takes a person's wish for a try now, which ends the pause."""
        if self.left_s and asked():
            self.try_now()
        return self.left_s > 0

    def hold_back(self, error: DeliveryError) -> timedelta:
        """Pause, longer each time, and return for how long."""
        now = self._clock.now()
        attempt = self.pause.attempt + 1 if self.pause else 1
        plain = backoff.CONFIGURATION if isinstance(error, NeedsConfiguration) else backoff.delay_before(attempt)
        asked = min(timedelta(seconds=error.retry_after_s), backoff.CONFIGURATION)
        wait = max(plain * self._clock.jitter(backoff.JITTER), asked)
        self.pause = Pause(
            error=error,
            since=self.pause.since if self.pause else now,
            until_ns=now.boottime_ns + int(wait.total_seconds() * 1e9),
            attempt=attempt,
        )
        warn(
            _log,
            "destination_paused",
            destination=self._destination,
            code=error.code,
            attempt=attempt,
            seconds=round(wait.total_seconds()),
        )
        return wait

    def try_now(self) -> None:
        """Let one try through; if it fails, the next pause goes on counting."""
        if self.pause:
            self.pause = replace(self.pause, until_ns=self._clock.boottime_ns())

    def works(self) -> None:
        """Note that the destination does its work, whatever it thinks of one object."""
        if self.pause:
            event(_log, "destination_works_again", destination=self._destination)
        self.pause = None

    def forget(self) -> None:
        """End a pause that is about nothing any more."""
        self.pause = None
