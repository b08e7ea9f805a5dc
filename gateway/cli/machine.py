"""`scopegate machine`: what root does on an appliance. The units of systemd begin it; a person need not."""

import json
import os
import signal
from dataclasses import asdict
from functools import partial

from gateway.cli.notify import ServiceManager
from gateway.clock import Clock
from gateway.errors import BadValue
from gateway.log import to_stderr
from gateway.machine import asked, setting_clock, trying
from gateway.machine.applying import Applied, Applying, Places
from gateway.machine.looking import BY_HAND, EVERY_S, IMAGE, Looking, built
from gateway.machine.ports import wired
from gateway.machine.programs import RealPrograms
from gateway.machine.telling import tell
from gateway.machine.trying import Trying
from gateway.threads import Supervisor, on_signals


def run(what: str) -> None:
    """Do one of them. Raises BadValue for another word."""
    works = {"apply": _apply, "look": _look, "try": _try, "set-clock": _set_clock}
    if what not in works:
        raise BadValue(f"machine {what}: must be one of {', '.join(works)}.")
    to_stderr("machine")
    os.umask(0o022)  # what is told is for everybody; secrets have modes of their own
    works[what]()


def _applying(places: Places) -> Applying:
    return Applying(places=places, programs=RealPrograms(), ports=wired)


def _apply() -> None:
    places = Places()
    _say(places, _applying(places).file(), 0)


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
    kept = trial.run(raw, supervisor.stop)
    print(json.dumps({"kept": kept}))


def _set_clock() -> None:
    to = setting_clock.wanted(asked.taken(setting_clock.REQUEST), built(IMAGE))
    setting_clock.set_clock(to, machine=setting_clock.set_machine, battery=setting_clock.set_battery)
    (Places().told / BY_HAND).touch()
