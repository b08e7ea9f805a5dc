"""Until when this box's certificates hold, by what each is for: the numbers of metrics, the lines of service."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.net import expiry
from gateway.panel.shown.answers import Json

ENDS_SOON, UNREADABLE = "ends-soon", "unreadable"
_RENEW = "Have it renewed; no restart is needed then."


def ends(settings: Settings) -> Iterator[tuple[str, datetime | None]]:
    """Yield what each certificate is for and its end, of a chain the first; None for one that cannot be read."""
    yield from ((use, _end(path)) for use, path in dict(_files(settings)).items())


def lines(settings: Settings, clock: Clock) -> list[Json]:
    """Return a line for each certificate: good, a problem soon, or one now, as `doctor` judges it."""
    return [_line(use, end, clock) for use, end in ends(settings)]


def _line(use: str, end: datetime | None, clock: Clock) -> Json:
    if end is None:
        state, what, action = UNREADABLE, "The certificate cannot be read.", "Put the file right, or make it anew."
        return {"name": use, "state": state, "code": "", "what": what, "action": action}
    day, days = f"{end:%Y-%m-%d}", (end - clock.utc()).days
    line = {"name": use, "state": "ok", "code": day, "what": "", "action": ""}
    if days < 0:
        return {**line, "state": "ended", "what": "The certificate has ended.", "action": _RENEW}
    if days < expiry.SOON_DAYS:
        state = ENDS_SOON if days >= expiry.NOW_DAYS else "ends-now"
        return {**line, "state": state, "what": "The certificate ends soon.", "action": _RENEW}
    return line


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    if settings.panel.lan:
        yield "panel", settings.panel.lan.certificate
    named = [(f"worklist {each.name}", each.tls) for each in settings.worklists]
    named += [(f"procedure_step {each.name}", each.tls) for each in settings.procedure_steps]
    named += [(f"destination {each.name}", each.tls) for each in settings.destinations]
    named += [("audit", settings.audit.tls)] if settings.audit else []
    for use, tls in (("station", settings.station.tls), *named):
        if tls and tls.certificate:
            yield use, tls.certificate


def _end(path: Path) -> datetime | None:
    try:
        return min(expiry.ends(path), default=None)
    except (OSError, ValueError):
        return None
