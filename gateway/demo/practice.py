"""Practice: a box of its own beside the real one, with a test picture and TEST patients, thrown away at its end.

Everything lies in the real box's runtime folder, which is in memory there; it has no destination, no procedure step
server and no pedal, which its configuration is checked for. It ends when its screen asks, with its process, or with
the machine, and what an earlier one left goes before another begins.
"""

import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from gateway.cli.supervise import Children
from gateway.clock import Clock
from gateway.config import reader
from gateway.config.settings import Panel, Settings, Source
from gateway.demo import exam, folder, patients
from gateway.demo.api import Api
from gateway.demo.failed import DemoFailed
from gateway.demo.patience import Patience, Stopped
from gateway.demo.peer import LOOPBACK
from gateway.demo.run import asked_by_signal
from gateway.demo.worklist import DemoWorklist
from gateway.log import event
from gateway.panel.practice import ADDRESS, END, WANTED
from gateway.spool.files import Files
from gateway.threads import Supervisor

_log = logging.getLogger(__name__)
_RESERVE_MB = 64  # the least there is: memory is small
_LOOK_S = 0.25
_STATION_PORT = 11112
_PEOPLE = 6


def run_practice(config: Path, say: Callable[[str], None]) -> int:
    """Run practice of the box with this configuration until somebody ends it; return the exit code.

    For a process's main thread: it takes SIGINT and SIGTERM. Raises ConfigurationError, DemoFailed.
    """
    settings = reader.read(config)
    runtime = settings.station.runtime_dir
    root = runtime / "practice"
    shutil.rmtree(root, ignore_errors=True)
    asked = threading.Event()
    try:
        (root / "run").mkdir(parents=True)
        with suppress(PermissionError):  # another user's file in a sticky folder: the unit takes it away, before
            (runtime / WANTED).unlink(missing_ok=True)
        with asked_by_signal(asked):
            return _Practice(settings, root, say=say, asked=asked).run()
    finally:
        (runtime / ADDRESS).unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)


class _Practice:
    """One run. The worklist outlives the box, so that no question is cut off."""

    def __init__(
        self, settings: Settings, root: Path, *, say: Callable[[str], None], asked: threading.Event
    ) -> None:
        self._root = root
        self._address = settings.station.runtime_dir / ADDRESS
        self._say = say
        self._asked = asked
        self._clock = clock = Clock()
        self._peers = Supervisor()
        self._worklist = DemoWorklist(partial(orders, clock))
        self._port = folder.next_free_port(settings.panel.listen.port + 1)
        station = folder.next_free_port(_STATION_PORT, promised=self._port)
        tables = box(
            settings,
            root,
            panel=self._port,
            station=station,
            worklist=(self._worklist.ae_title, self._worklist.port),
        )
        folder.write_tables(root / "practice.toml", tables)

    def run(self) -> int:
        """Run until asked to stop and return the exit code."""
        peers = self._peers
        peers.start("practice-worklist", partial(self._worklist.serve, peers.stop))
        peers.start("practice-end", self._watch)
        children = Children(self._root / "practice.toml", self._say)
        children.start()
        peers.serve("practice-ready", self._tell_ready)
        event(_log, "practice_begun")
        try:
            children.run(self._asked)
        finally:
            peers.stop.set()
            event(_log, "practice_ended")
        return 0 if peers.run() else 1

    def _tell_ready(self) -> None:
        """Say where it is, once pictures can be taken there."""
        try:
            exam.ready(Api(self._port, self._clock), Patience(clock=self._clock, stop=self._asked, say=self._say))
        except Stopped:
            return
        except DemoFailed as error:
            self._say(error.what)
            self._asked.set()
            return
        Files().write(self._address, [f"http://{LOOPBACK}:{self._port}\n".encode()])

    def _watch(self) -> None:
        """End it when its screen asks, or with its worklist."""
        while not self._clock.wait(self._peers.stop, _LOOK_S):
            if (self._root / "run" / END).exists():
                self._asked.set()
        self._asked.set()


def box(
    settings: Settings, root: Path, *, panel: int, station: int, worklist: tuple[str, int]
) -> list[tuple[str, folder.Table]]:
    """Return the tables of practice's configuration: it looks as the real box does, and reaches nobody."""
    source = next(iter(settings.sources), Source())
    ae_title, port = worklist
    return [
        (
            "[station]",
            {
                "name": "PRACTICE",
                "ae_title": folder.AE_TITLE,
                "listen": f"{LOOPBACK}:{station}",
                "issuer": "PRACTICE",
                "data_dir": str(root / "spool"),
                "runtime_dir": str(root / "run"),
            },
        ),
        ("[panel]", _screen(settings.panel, panel)),
        ("[retention]", {"reserve_mb": _RESERVE_MB}),
        (
            "[[source]]",
            {
                "name": source.name,
                "device": "pattern:ultrasound",
                "modality": source.modality,
                "object": source.object,
                "body_part": source.body_part,
            },
        ),
        ("[[worklist]]", {"name": "practice", "ae_title": ae_title, "host": LOOPBACK, "port": port}),
    ]


def _screen(looks: Panel, port: int) -> folder.Table:
    """Return how practice looks: as the real box."""
    screen: dict[str, str | int | bool] = {
        "listen": f"{LOOPBACK}:{port}",
        "practice_of": str(looks.listen),
        "language": looks.language,
        "theme": looks.theme,
        "buttons": looks.buttons,
        "keyboard": looks.keyboard,
        "screen_mm": looks.screen_mm,
        "kiosk": looks.kiosk,
    }
    return screen


def orders(clock: Clock) -> tuple[patients.Order, ...]:
    """Return what is ordered for TEST patients, around now: nobody can take them for people of the clinic."""
    now = clock.now().local
    found = patients.orders(day=now.date(), around=now.time(), seed="practice", station_ae_title=folder.AE_TITLE)
    return tuple(
        replace(
            order,
            patient=replace(
                order.patient,
                name=f"TEST-{order.patient.name}",
                id=order.patient.id.replace("DEMO-", "TEST-"),
            ),
        )
        for order in found[:_PEOPLE]
    )
