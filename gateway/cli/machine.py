"""`scopegate machine`: what root does on an appliance. The units of systemd begin it; a person need not."""

import fcntl
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gateway.cli.notify import ServiceManager
from gateway.clock import Clock
from gateway.errors import BadValue
from gateway.log import event, to_stderr
from gateway.machine import asked, data, setting_clock, trying
from gateway.machine.applying import Applied, Applying, Places
from gateway.machine.looking import BY_HAND, EVERY_S, IMAGE, Looking, built
from gateway.machine.ports import wired
from gateway.machine.programs import RealPrograms
from gateway.machine.telling import tell
from gateway.machine.trying import Trying
from gateway.threads import Supervisor, on_signals

_log = logging.getLogger(__name__)
_TRIAL, _APPLIES = ".trial", ".applies"  # locks


def run(what: str) -> None:
    """Do one of them. Raises BadValue for another word."""
    works = {
        "apply": _apply,
        "look": _look,
        "try": _try,
        "set-clock": _set_clock,
        "open-data": _open_data,
        "data": data.run_asked,
    }
    if what not in works:
        raise BadValue(f"machine {what}: must be one of {', '.join(works)}.")
    to_stderr("machine")
    os.umask(0o022)  # what is told is for everybody; secrets have modes of their own
    works[what]()


def _applying(places: Places) -> Applying:
    return Applying(places=places, programs=RealPrograms(), ports=wired)


def _apply() -> None:
    """Apply the file, after whoever else does, and never in the midst of a trial: that one does it at its end."""
    places = Places()
    with _alone(places.told / _APPLIES), _alone(places.told / _TRIAL, patient=False) as no_trial:
        if no_trial:  # else this ends at once: what starts behind this unit does not wait for a trial
            _say(places, _applying(places).file(), 0)


@contextmanager
def _alone(path: Path, *, patient: bool = True) -> Iterator[bool]:
    """Hold a lock of root's; without patience say False when somebody else has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)


def _say(places: Places, applied: Applied, until_ns: int) -> None:
    """Say what the machine is now; `until_ns`: when that ends (CLOCK_BOOTTIME), 0 = it stays."""
    tell(places.told, "applied", {**asdict(applied), "until_ns": until_ns})


def _look() -> None:
    looking = Looking(places=Places(), programs=RealPrograms(), clock=Clock())
    supervisor, manager = Supervisor(), ServiceManager(os.environ)
    on_signals(supervisor.stop.set, signal.SIGTERM, signal.SIGINT)
    looking.clock()  # before any picture bears a time
    manager.ready()

    def step() -> None:
        looking.look()
        manager.alive()

    supervisor.every("look", EVERY_S, step)
    if not supervisor.run():
        raise SystemExit(1)


def _try() -> None:
    places, supervisor = Places(), Supervisor()
    on_signals(supervisor.stop.set, signal.SIGTERM, signal.SIGINT)
    raw = asked.taken(trying.REQUEST)
    trial = Trying(_applying(places), clock=Clock(), say=partial(_say, places))
    with _alone(places.told / _TRIAL):
        kept = trial.run(raw, supervisor.stop)
    event(_log, "network_tried", kept=kept)


def _set_clock() -> None:
    to = setting_clock.wanted(asked.taken(setting_clock.REQUEST), built(IMAGE))
    setting_clock.set_clock(to, machine=setting_clock.set_machine, battery=setting_clock.set_battery)
    (Places().told / BY_HAND).touch()


def _open_data() -> None:
    if not data.run_start():
        raise SystemExit(1)
