"""The composition root of the three processes: reads the configuration, builds devices by keyword, runs."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.supervise import PARENT_FD, Children
from gateway.clock import Clock
from gateway.config import reader
from gateway.config import settings as words
from gateway.log import to_stderr
from gateway.threads import Supervisor

if TYPE_CHECKING:
    from hardware.indicators import Output
    from hardware.sources import Source
    from hardware.sources.v4l2.wish import Wish
    from hardware.triggers import Trigger


def capture(config: Path) -> None:
    from gateway.capture import service
    from hardware import factory
    from hardware.gpio import Wiring

    settings, clock, supervisor = _prepare("capture", config)

    def wait(seconds: float) -> None:
        clock.wait(supervisor.stop, seconds)

    def source(source: words.Source) -> "Source":
        clocks = {"clock_ns": clock.boottime_ns, "monotonic_ns": clock.monotonic_ns}
        return factory.source(source.device, wish=_wish(source), **clocks, wait=wait)

    def trigger(trigger: words.Trigger) -> "Trigger":
        return factory.trigger(
            trigger.kind,
            device=trigger.device,
            still=trigger.still,
            clip=trigger.clip,
            identity=trigger.identity,
            wiring=Wiring(active=trigger.active, bias=trigger.bias),
            clock_ns=clock.boottime_ns,
            monotonic_ns=clock.monotonic_ns,
            wait=wait,
        )

    def sign(sign: words.Sign) -> "Output":
        return factory.sign(
            sign.kind,
            device=sign.device,
            lamp=sign.lamp,
            wiring=Wiring(active=sign.active),
            clock_ns=clock.boottime_ns,
            wait=wait,
        )

    devices = service.Devices(source=source, trigger=trigger, sign=sign)
    _end(stopped=service.run(settings, clock=clock, supervisor=supervisor, devices=devices))


def _wish(source: words.Source) -> "Wish":
    """Return what the configuration asks of a grabber."""
    from hardware.sources.v4l2.wish import Wish

    return Wish(
        input=source.input,
        standard=source.standard,
        size=source.size,
        rate=source.rate,
        formats=source.format,
    )


def forward(config: Path) -> None:
    from gateway.forward import service

    settings, clock, supervisor = _prepare("forward", config)
    _end(stopped=service.run(settings, clock=clock, supervisor=supervisor))


def panel(config: Path) -> None:
    from gateway.panel import service

    settings, clock, supervisor = _prepare("panel", config)
    _end(stopped=service.run(settings=settings, clock=clock, supervisor=supervisor))


def run_all(config: Path) -> None:
    """Run the three as children until told to stop. The configuration is checked first, once."""
    reader.read(config, os.environ)
    stop = threading.Event()
    _on_signal(stop.set)
    children = Children(config, say=lambda text: print(text, flush=True))
    children.start()
    children.run(stop)


def _prepare(name: str, config: Path) -> tuple[words.Settings, Clock, Supervisor]:
    to_stderr(name)
    settings = reader.read(config, os.environ)
    supervisor = Supervisor()
    _on_signal(supervisor.stop.set)
    if parent := os.environ.get(PARENT_FD):
        supervisor.serve("parent", lambda: _watch_parent(int(parent), supervisor))
    return settings, Clock(), supervisor


def _watch_parent(fd: int, supervisor: Supervisor) -> None:
    """Stop this process when the one that started it is gone, however it went."""
    while os.read(fd, 1):
        pass
    supervisor.stop.set()


def _on_signal(act: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


def _end(*, stopped: bool) -> None:
    if not stopped:
        raise SystemExit(1)
