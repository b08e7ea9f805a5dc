"""The composition root of the three processes: reads the configuration, builds devices by keyword, runs."""

import faulthandler
import logging
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.notify import ServiceManager
from gateway.cli.profiled import unusable_profiles
from gateway.cli.supervise import PARENT_FD, Children
from gateway.clock import Clock
from gateway.config import keeping, reader
from gateway.config.editing import Editor
from gateway.config.settings import Settings
from gateway.errors import Problem
from gateway.log import keep_in, to_stderr, warn
from gateway.spool.files import Files
from gateway.spool.processes.taking import Taking, Wish
from gateway.threads import Supervisor, on_signals

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from gateway.panel.machine_says import MachineSays
_log = logging.getLogger(__name__)
_ENDING = (signal.SIGTERM, signal.SIGINT)


def capture(config: Path) -> None:
    from gateway.capture import service
    from gateway.cli.devices import devices_of

    settings, clock, supervisor, taking = _prepare("capture", config)

    def wait(seconds: float) -> None:
        clock.wait(supervisor.stop, seconds)

    devices = devices_of(clock=clock, wait=wait)
    _end(stopped=service.run(settings, clock=clock, supervisor=supervisor, devices=devices, taking=taking))


def forward(config: Path) -> None:
    from gateway.forward import service

    settings, clock, supervisor, taking = _prepare("forward", config)
    _end(stopped=service.run(settings, clock=clock, supervisor=supervisor, taking=taking))


def panel(config: Path) -> None:
    from gateway.panel import service

    settings, clock, supervisor, taking = _prepare("panel", config)
    editor = editor_of(config)
    well = service.run(
        settings, clock=clock, supervisor=supervisor, editor=editor, taking=taking, machine_says=this_machine()
    )
    _end(stopped=well)


RUN = {"capture": capture, "forward": forward, "panel": panel}


def this_machine() -> "MachineSays":
    """Return who says how this machine is, for the self-test."""
    from gateway.panel.machine_says import MachineSays
    from hardware.board import Board

    return MachineSays(board=lambda: asdict(Board().seen()))


def editor_of(config: Path) -> Editor:
    """Return what changes a configuration file, and refuses what `config check` does."""

    def profiles(settings: Settings) -> Iterator[Problem]:
        for number, words in unusable_profiles(settings):
            yield Problem(line=0, key="source.profile", place=("source", number, "profile"), reason=words)

    return Editor(config, disk=Files(), environment=os.environ, also=profiles)


def run_all(config: Path) -> None:
    """Run the three as children until told to stop. The configuration is checked first, once."""
    reader.read(config, os.environ)
    stop = threading.Event()
    on_signals(stop.set, *_ENDING)
    children = Children(config, say=lambda text: print(text, flush=True))
    children.start()
    children.run(stop)


def _prepare(name: str, config: Path) -> tuple[Settings, Clock, Supervisor, Taking]:
    to_stderr(name)
    faulthandler.enable()  # an end by the watchdog says where each thread was: files and lines, no values
    settings, taking = _configured(name, config)
    as_json = settings.log.format == "json"
    to_stderr(name, as_json=as_json)
    keep_in(settings.station.runtime_dir, name, as_json=as_json)
    supervisor = Supervisor()
    on_signals(supervisor.stop.set, *_ENDING)
    if parent := os.environ.get(PARENT_FD):
        supervisor.serve("parent", lambda: _watch_parent(int(parent), supervisor))
    manager = ServiceManager(os.environ)
    manager.ready()  # what follows may take long and says so itself: a damaged index, a disk that refuses
    if manager.sign_every_s:
        supervisor.every("watchdog", manager.sign_every_s, partial(sign_of_life, manager, supervisor))
    return settings, Clock(), supervisor, taking


def sign_of_life(manager: ServiceManager, supervisor: Supervisor) -> None:
    """Tell the service manager that all get on. When one hangs it is not told, and begins the process anew."""
    if name := supervisor.hanging():
        warn(_log, "hangs", thread=name)
    else:
        manager.alive()


def _configured(name: str, config: Path) -> tuple[Settings, Taking]:
    """Read the configuration once, so that what was read is the revision that is said."""
    text = keeping.text_at(config)
    settings = reader.read_text(text.raw, config, os.environ) if text.raw else reader.read(config, os.environ)
    wish = Wish(settings.station.runtime_dir, Files())
    return settings, Taking(config=config, built=text, wish=wish, is_panel=name == "panel")


def _watch_parent(fd: int, supervisor: Supervisor) -> None:
    """Stop this process when the one that started it is gone, however it went."""
    while os.read(fd, 1):
        pass
    supervisor.stop.set()


def _end(*, stopped: bool) -> None:
    if not stopped:
        raise SystemExit(1)
