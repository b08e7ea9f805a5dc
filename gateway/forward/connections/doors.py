"""Who may come in to this box, and can: browsers, monitoring, reports of archives. Opens no connection."""

from collections.abc import Iterator
from typing import Any

from gateway.clock import Clock
from gateway.config.settings import Lan, Settings
from gateway.forward.connections.finding import Finding
from gateway.spool.files import Files
from gateway.spool.processes.live import LiveState


def second_door(settings: Settings, lan: Lan | None, clock: Clock) -> Iterator[Finding]:
    """Say whether browsers of the network can come in, where that is configured."""
    if lan is None:
        return
    said = live_of(settings, "panel", clock)
    if said is None:
        yield Finding(what="second door", ok=None, says="not known while panel does not run")
    elif listens_at := said.get("lan"):
        yield Finding(what="second door", ok=True, says=f"open at {listens_at}")
    else:
        do = "Make an administrator on the box; then look at “Browsers of the clinic's network”."
        says = "shut: browsers of the network cannot come in"
        yield Finding(what="second door", ok=False, says=says, action=do, in_file="[panel] lan")


def monitoring(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say whether the clinic's monitoring can read this box, where that is configured."""
    if settings.metrics.listen is None:
        return
    said = live_of(settings, "panel", clock)
    if said is None:
        yield Finding(what="metrics", ok=None, says="not known while panel does not run")
    elif listens_at := said.get("metrics"):
        yield Finding(what="metrics", ok=True, says=f"listens at {listens_at}")
    else:
        do = "Look at “Address for monitoring”: is it this box's own, and its port free?"
        says = "shut: the clinic's monitoring cannot read this box"
        yield Finding(what="metrics", ok=False, says=says, action=do, in_file="[metrics] listen")


def listener(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say whether archives can report to this box."""
    forward = live_of(settings, "forward", clock)
    if forward is None:
        yield Finding(what="listener", ok=None, says="not known while forward does not run")
    elif said := forward.get("listener"):
        yield Finding(what="listener", ok=False, says=said["what"], action=said["action"], code=said["code"])
    else:
        yield Finding(what="listener", ok=True, says=f"listens at {settings.station.listen}")


def live_of(settings: Settings, process: str, clock: Clock) -> dict[str, Any] | None:
    """Return what a process of this box says of itself; None when it does not run."""
    folder = settings.station.runtime_dir
    return LiveState(folder=folder, process=process, files=Files(), clock=clock).read()
