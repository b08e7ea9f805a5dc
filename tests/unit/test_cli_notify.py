"""What a service manager hears of a process (sd_notify(3)), from a socket such as systemd's."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.notify import ServiceManager
from gateway.cli.processes import sign_of_life
from gateway.clock import FakeClock
from gateway.threads import Supervisor


@pytest.fixture
def port(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(5)
        yield made


def test_systemd_hears_that_the_process_is_ready_and_then_that_it_lives(port: socket.socket) -> None:
    own = str(os.getpid())
    manager = ServiceManager(
        {"NOTIFY_SOCKET": port.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": own}
    )
    assert manager.sign_every_s == 10
    manager.ready()
    manager.alive()
    assert [port.recv(100), port.recv(100)] == [b"READY=1", b"WATCHDOG=1"]


def test_a_socket_without_a_file_is_reached_by_its_name() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as port:
        port.bind("")  # Linux gives it a name
        port.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": "@" + port.getsockname()[1:].decode()}).ready()
        assert port.recv(100) == b"READY=1"


def test_no_sign_of_life_comes_while_a_step_of_the_process_hangs(
    port: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": port.getsockname()})
    clock, begun, go_on = FakeClock(), threading.Event(), threading.Event()
    supervisor = Supervisor(clock)

    def step() -> None:
        begun.set()
        go_on.wait()

    supervisor.every("works", 60, step, longest_s=30.0)
    assert begun.wait(10)
    sign_of_life(manager, supervisor)
    assert port.recv(100) == b"WATCHDOG=1"
    clock.move(31)
    sign_of_life(manager, supervisor)
    port.setblocking(False)
    with pytest.raises(BlockingIOError):
        port.recv(100)
    assert "hangs thread=works" in caplog.text
    go_on.set()
    supervisor.stop.set()
    assert supervisor.run()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "30000000"},
        {"NOTIFY_SOCKET": "/nowhere"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
    ],
)
def test_where_no_sign_of_life_is_expected_of_this_process_none_is_due(environ: dict[str, str]) -> None:
    manager = ServiceManager(environ)
    assert manager.sign_every_s == 0
    manager.ready()  # nobody hears it, which ends nothing
