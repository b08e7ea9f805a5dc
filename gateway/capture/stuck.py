"""A driver that does not return holds its thread for good. What ends with the process: that, and nothing else."""

import logging
from collections.abc import Mapping

from gateway.capture.grabber import Grabber
from gateway.log import warn

_log = logging.getLogger(__name__)


def end_when_stuck(grabbers: Mapping[str, Grabber]) -> None:
    """Raise RuntimeError when a driver is stuck.

    The supervised thread that calls this takes the process down: running clips are closed as parts, as at every
    stop, and the process is started again by whoever started it.
    """
    stuck = [name for name, grabber in grabbers.items() if grabber.stuck]
    if stuck:
        warn(_log, "source_stuck", sources=",".join(stuck))
        raise RuntimeError("a driver does not return")
