"""How long to wait before a destination is tried again. Arithmetic only."""

from datetime import timedelta

FIRST = timedelta(seconds=15)
CAP = timedelta(minutes=10)
CONFIGURATION = timedelta(minutes=15)  # somebody must change a setting first; still never given up
JITTER = 0.2  # ± share, so that the boxes of a site do not come back all at once


def delay_before(attempt: int) -> timedelta:
    """15 s, 30 s, 60 s ... up to 10 min, for ever: a PACS may be off all weekend. `attempt` counts from 1."""
    doublings = min(attempt - 1, 10)  # beyond the cap anyway
    return min(FIRST * float(2**doublings), CAP)


def behind(setbacks: int) -> timedelta:
    """How much longer than its destination an object waits at which transfers broke so often before.

    15 s for the first three, when the destination may be the cause; then doubling, so that what breaks every
    transfer hardly delays the others.
    """
    return delay_before(max(1, setbacks - 2))
