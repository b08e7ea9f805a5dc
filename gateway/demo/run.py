"""The demo: a worklist server, an archive and the three processes of the box, until Ctrl-C or one exam's end."""

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from gateway.cli.supervise import Children
from gateway.clock import Clock
from gateway.demo import exam, folder, patients, report
from gateway.demo.api import Api
from gateway.demo.archive import Arrival, DemoArchive
from gateway.demo.failed import DemoFailed
from gateway.demo.folder import Folder, Ports
from gateway.demo.patience import Patience, Stopped
from gateway.demo.peer import LOOPBACK
from gateway.demo.worklist import DemoWorklist
from gateway.errors import ScopegateError
from gateway.log import to_stderr
from gateway.threads import Supervisor

_STATION_PORT = 11112
_LOOK_S = 0.25
_STDERR = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Say = Callable[[str], None]


def run_demo(*, data_dir: Path | None, headless_exam: bool, port: int = 8080, say: Say) -> int:
    """Run the demo until a signal, or until its exam is over; return the exit code.

    port: of the panel, or the next free one. For a process's main thread: it takes SIGINT and SIGTERM.
    Raises DemoFailed or SpoolLocked when nothing could be started.
    """
    asked = threading.Event()
    with asked_by_signal(asked), folder.opened(data_dir) as place, _logging_to(place.log):
        to_stderr("demo")
        code = _Demo(place, port=port, say=say, asked=asked).run(headless_exam=headless_exam)
    if place.temporary and not code:
        folder.removed(place)
    elif code:
        say(f"Everything is kept for a look in {place.root}, what the processes said in {place.log.name} there.")
    return code


class _Demo:
    """One run. The parts are built here; `run` starts them and ends them, the peers last."""

    def __init__(self, place: Folder, *, port: int, say: Say, asked: threading.Event) -> None:
        self._place = place
        self._say = say
        self._asked = asked
        self._code = 0
        self._clock = clock = Clock()
        self._peers = Supervisor()  # the peers outlive the box, so that nothing is cut in the middle of a sending
        self._arrivals: queue.Queue[Arrival] = queue.Queue()
        started, seed = clock.now().local, folder.seed_of(place, clock)

        def orders() -> tuple[patients.Order, ...]:
            today = clock.now().local.date()
            return patients.orders(day=today, around=started.time(), seed=seed, station_ae_title=folder.AE_TITLE)

        self._worklist = DemoWorklist(orders)
        self._archive = DemoArchive(place.archive, arrived=self._arrivals.put)
        panel = folder.next_free_port(port)
        self._ports = Ports(
            panel=panel,
            station=folder.next_free_port(_STATION_PORT, promised=panel),
            worklist=self._worklist.port,
            archive=self._archive.port,
        )
        self._api = Api(panel, clock)
        self._patience = Patience(clock=clock, stop=asked, say=say)

    def run(self, *, headless_exam: bool) -> int:
        """Run until asked to stop and return the exit code."""
        folder.write_config(
            self._place, self._ports, worklist_ae=self._worklist.ae_title, archive_ae=self._archive.ae_title
        )
        peers, stop = self._peers, self._peers.stop
        peers.start("demo-worklist", partial(self._worklist.serve, stop))
        peers.start("demo-archive", partial(self._archive.serve, stop))
        peers.start("demo-vouching", partial(self._archive.vouching.serve, stop))
        peers.start("demo-arrivals", self._tell_arrivals)
        peers.start("demo-watch", self._end_with_peers)
        self._say_addresses()
        children = Children(self._place.config, self._say)
        children.start()
        peers.serve("demo-exam", self._exam if headless_exam else self._tell_ready)
        try:
            children.run(self._asked)
        finally:
            stop.set()
        return self._code if peers.run() else 1

    def _say_addresses(self) -> None:
        kept = "; removed at the end, --data-dir keeps one" if self._place.temporary else ""
        self._say(
            f"Scopegate demo: every patient is invented.\n"
            f"  panel     http://{LOOPBACK}:{self._ports.panel}\n"
            f"  worklist  {self._worklist.ae_title} at {LOOPBACK}:{self._ports.worklist}\n"
            f"  archive   {self._archive.ae_title} at {LOOPBACK}:{self._ports.archive}\n"
            f"  received  {self._place.archive}\n"
            f"  log       {self._place.log}\n"
            f"  data      {self._place.root}{kept}"
        )

    # --- threads ------------------------------------------------------------------------------------------

    def _exam(self) -> None:
        """Run the exam, then end the demo."""
        subject = exam.HeadlessExam(
            api=self._api, patience=self._patience, say=self._say, stored_at=self._archive.path
        )
        try:
            subject.run()
        except ScopegateError as error:
            self._code = 1
            self._say(" ".join(filter(None, ("The exam failed:", error.what, error.action))))
        finally:
            self._asked.set()

    def _tell_ready(self) -> None:
        try:
            exam.ready(self._api, self._patience)
        except Stopped:
            return
        except DemoFailed as error:
            self._say(error.what)
            return
        self._say(f"Ready: open http://{LOOPBACK}:{self._ports.panel} in a browser. Ctrl-C ends the demo.")

    def _tell_arrivals(self) -> None:
        while not self._peers.stop.is_set():
            try:
                arrival = self._arrivals.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            study = arrival.study_instance_uid
            self._say(report.line(arrival, count=self._archive.count(study), total=self._total(study)))

    def _end_with_peers(self) -> None:
        """End the box when a peer's thread died: the demo would not show what it is for."""
        self._peers.stop.wait()
        self._asked.set()

    def _total(self, study: str) -> int:
        """Return how many objects the box has for a study; 0 when it does not say now."""
        try:
            exams = self._api.get("/exams?limit=500")["exams"]
        except DemoFailed:
            return 0
        return sum(
            each["stills"] + each["clips"] + bool(each["key_images"])  # which one list names
            for each in exams
            if each["study_instance_uid"] == study
        )


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Turn standard error, the children's too, into a file: the terminal is for what a person shall read."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    sys.stderr.flush()
    before = os.dup(_STDERR)
    os.dup2(fd, _STDERR)
    os.close(fd)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, _STDERR)
        os.close(before)


@contextmanager
def asked_by_signal(asked: threading.Event) -> Iterator[None]:
    """Set `asked` on SIGINT and SIGTERM. For a process's main thread."""
    # In a thread: the main one may hold the event's lock at the moment of the signal.
    threads = {number: lambda *_: threading.Thread(target=asked.set).start() for number in _SIGNALS}
    before = {number: signal.signal(number, handler) for number, handler in threads.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
