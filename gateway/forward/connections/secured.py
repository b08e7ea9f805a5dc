"""The files of certificates, keys and secrets that this box has: until when they hold, who may read them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from gateway.clock import Clock
from gateway.config.settings import Lan, Settings, Tls
from gateway.forward.connections.finding import Finding, until
from gateway.messages import N_
from gateway.net import expiry

_OTHERS = 0o007  # neither the owner nor of the group
_UNREADABLE, _PUT_RIGHT = "cannot be read", "Put the file right."


def certificates(settings: Settings, lan: Lan | None, clock: Clock) -> Iterator[Finding]:
    """Look at the files of every `tls` and of `lan`, each once, and say until when they hold."""
    used = list(_used(settings))
    # A file of authorities is as good as its best; our certificate is as good as the worst of its chain.
    files: dict[Path, Callable[[list[datetime]], datetime]] = {tls.ca: max for tls in used if tls.ca}
    files |= {tls.certificate: min for tls in used if tls.certificate}
    files |= {lan.certificate: min} if lan else {}
    for path, choose in files.items():
        what = f"certificate {path}"
        try:
            yield until(what, choose(expiry.ends(path)), clock, N_("Have it renewed; no restart is needed then."))
        except (OSError, ValueError):
            yield Finding(what=what, ok=False, says=_UNREADABLE, action=_PUT_RIGHT)


def secrets(settings: Settings, lan: Lan | None) -> Iterator[Finding]:
    """Say which file that opens something can be read by everybody."""
    for path in dict.fromkeys([*(tls.key for tls in _used(settings) if tls.key), *([lan.key] if lan else [])]):
        yield from _open(f"key {path}", path)
    for each in settings.destinations:
        for path in filter(None, (each.token_file, each.password_file)):
            yield from _open(f"secret {path}", path)


def _open(what: str, path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except PermissionError:  # its folder is another user's: nor does everybody reach it
        return
    except OSError:
        yield Finding(what=what, ok=False, says=_UNREADABLE, action=_PUT_RIGHT)
        return
    if mode & _OTHERS:
        says, action = "everybody on this box may read it", f"Give the box the file anew, or chmod 640 {path}"
        yield Finding(what=what, ok=None, says=says, action=action)


def _used(settings: Settings) -> Iterator[Tls]:
    every = [
        settings.station.tls,
        *(server.tls for server in settings.worklists),
        *(server.tls for server in settings.procedure_steps),
        *(destination.tls for destination in settings.destinations),
        settings.audit.tls if settings.audit else None,
    ]
    yield from (tls for tls in every if tls is not None)
