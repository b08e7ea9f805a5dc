"""`scopegate machine`: what root does on an appliance. The units of systemd begin it; a person need not."""

import logging
import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import BadValue, MachineRequest
from gateway.log import event, to_stderr, warn

if TYPE_CHECKING:  # a start of the box begins several of these: each imports what it needs
    from gateway.machine.settings.applying import Applying, Places

_PICTURES = Path("/var/lib/scopegate")
_log = logging.getLogger(__name__)


def run(what: str) -> None:
    """Do one of them. Raises BadValue for another word."""
    works = {
        "apply": _apply,
        "look": _look,
        "try": _try,
        "set-clock": _set_clock,
        "disk-life": _disk_life,
        "open-data": _open_data,
        "data": _data,
        "usb": _usb,
        "usb-list": _usb_list,
        "repair": _repair,
        "new-settings": _new_settings,
        "panel-gone": _panel_gone,
    }
    if what not in works:
        raise BadValue(f"machine {what}: must be one of {', '.join(works)}.")
    to_stderr("machine")
    os.umask(0o022)  # what is told is for everybody; secrets have modes of their own
    works[what]()


def _applying(places: "Places") -> "Applying":
    from gateway.machine.network.ports import wired
    from gateway.machine.programs import RealPrograms
    from gateway.machine.settings.applying import Applying

    return Applying(places=places, programs=RealPrograms(), ports=wired)


def _apply() -> None:
    from gateway.machine.settings import turns
    from gateway.machine.settings.applying import Places

    turns.apply_file(_applying(Places()))


def _look() -> None:
    from gateway.cli.notify import ServiceManager
    from gateway.clock import Clock
    from gateway.machine.programs import RealPrograms
    from gateway.machine.settings.applying import Places
    from gateway.machine.status import EVERY_S, Status
    from gateway.threads import Supervisor, on_signals

    status = Status(places=Places(), programs=RealPrograms(), clock=Clock())
    supervisor, manager = Supervisor(), ServiceManager(os.environ)
    on_signals(supervisor.stop.set, signal.SIGTERM, signal.SIGINT)
    status.clock()  # before any picture bears a time
    manager.ready()

    def step() -> None:
        status.look()
        manager.alive()

    supervisor.every("look", EVERY_S, step)
    if not supervisor.run():
        raise SystemExit(1)


def _try() -> None:
    from gateway.clock import Clock
    from gateway.machine import requests
    from gateway.machine.settings import trial, turns
    from gateway.machine.settings.applying import Places
    from gateway.threads import Supervisor, on_signals

    places, supervisor = Places(), Supervisor()
    on_signals(supervisor.stop.set, signal.SIGTERM, signal.SIGINT)
    raw = requests.taken(trial.REQUEST)
    tried = trial.NetworkTrial(_applying(places), clock=Clock(), say=partial(turns.say, places.told))
    kept = turns.during_trial(places.told, lambda: tried.run(raw, supervisor.stop))
    event(_log, "network_tried", kept=kept)


def _set_clock() -> None:
    from gateway.machine import requests
    from gateway.machine.clock import by_hand
    from gateway.machine.settings.applying import Places
    from gateway.machine.status import BY_HAND, IMAGE, built

    to = by_hand.wanted(requests.taken(by_hand.REQUEST), built(IMAGE))
    by_hand.set_clock(to, machine=by_hand.set_machine, battery=by_hand.set_battery)
    (Places().told / BY_HAND).touch()


def _disk_life() -> None:
    from gateway.cli import disk_life
    from gateway.machine.settings.applying import Places

    disk_life.say(_PICTURES, Places().told)


def _open_data() -> None:
    from gateway.machine.encryption import service

    if not service.run_start():
        raise SystemExit(1)


def _data() -> None:
    from gateway.machine.encryption import service

    service.run_asked()


def _repair() -> None:
    from gateway.machine.repair import desk

    desk.run_asked()


def _panel_gone() -> None:
    from gateway.machine.repair import desk

    desk.run_panel_gone()


def _new_settings() -> None:
    from gateway.machine.repair import factory_reset

    factory_reset.make_new()


def _usb() -> None:
    from gateway.cli.notify import ServiceManager
    from gateway.clock import Clock
    from gateway.machine.programs import RealPrograms
    from gateway.machine.settings.applying import Places
    from gateway.machine.usb.allowed import Allowing
    from gateway.machine.usb.guard import Guard
    from gateway.machine.usb.tree import Tree
    from gateway.threads import Supervisor, on_signals
    from hardware.hotplug import Hotplug, udev

    places, clock = Places(), Clock()
    allowing = Allowing(settings=places.settings)
    guard = Guard(tree=Tree(), programs=RealPrograms(), told=places.told, allowed=allowing.now)
    supervisor, manager = Supervisor(), ServiceManager(os.environ)
    on_signals(supervisor.stop.set, signal.SIGTERM, signal.SIGINT)
    heard = Hotplug(
        clock_ns=clock.monotonic_ns,
        wait=clock.pause,
        look=frozenset,  # the guard looks itself
        monitor=partial(udev, ("usb", "input")),
    )
    guard.look()
    manager.ready()

    def step() -> None:
        heard.step()
        guard.look()
        manager.alive()

    supervisor.every("usb", 0.0, step)
    if not supervisor.run():
        raise SystemExit(1)


def _usb_list() -> None:
    from gateway.config.told import told
    from gateway.machine import requests
    from gateway.machine.settings.applying import Places
    from gateway.machine.usb import enrolled
    from gateway.machine.usb.enrolled import Enrolled
    from gateway.machine.usb.guard import SUBJECT

    said = told(SUBJECT, Places().told) or {"devices": []}
    waiting = [Enrolled(key=each["key"], name=each["name"]) for each in said["devices"] if each["state"] == "waits"]
    try:
        wanted = requests.words_of(requests.taken(SUBJECT))
        enrolled.change(wanted, waiting)
    except MachineRequest as error:  # such as a second touch for what is in already
        warn(_log, "usb_request_refused", why=error)
        return
    event(_log, "usb_list_changed", do=wanted["do"], device=wanted["device"])
