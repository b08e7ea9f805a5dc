"""From the configuration to devices, by keyword. Nothing is opened here."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway.capture.parts import Devices, profile_of
from gateway.capture.workbench import Tools
from gateway.clock import Clock
from gateway.config.settings import Sign, Source, Trigger
from hardware import factory, sources, triggers
from hardware.gpio import Wiring
from hardware.hotplug import Hotplug
from hardware.indicators import Output
from hardware.sources.v4l2.finding import nodes

if TYPE_CHECKING:
    from hardware.triggers.learning import Listening


def devices_of(*, clock: Clock, wait: Callable[[float], None]) -> Devices:
    """Return how capture makes its devices; `wait` holds a thread for some seconds, or less when it must stop."""
    return Devices(
        source=partial(_source, clock, wait),
        trigger=partial(_trigger, clock, wait),
        sign=partial(_sign, clock, wait),
        hotplug=Hotplug(clock_ns=clock.boottime_ns, wait=wait),
        tools=Tools(grabbers=nodes, listening=partial(everything, clock, wait)),
    )


def everything(clock: Clock, wait: Callable[[float], None]) -> "Listening":
    """Open every key device and serial port of this machine."""
    from hardware.input.attached import Attached  # libraries of what nobody learns would hold up the first picture
    from hardware.input.node import Kernel
    from hardware.serial_port import SerialPort
    from hardware.triggers.learning import Candidate, KeyEar, Listening, SerialEar, ports

    listening = Listening(clock_ns=clock.boottime_ns, wait=wait)
    for device in Attached().all():
        candidate = Candidate(kind="input", device=device.word, identity=device.identity, name=device.name)
        listening.add(candidate, partial(KeyEar, device, calls=Kernel()))
    for port in ports():
        listening.add(port, partial(SerialEar, port.device, connect=SerialPort))
    return listening


def _source(clock: Clock, wait: Callable[[float], None], source: Source) -> sources.Source:
    return factory.source(
        source.device,
        wish=profile_of(source).wish,
        clock_ns=clock.boottime_ns,
        monotonic_ns=clock.monotonic_ns,
        wait=wait,
    )


def _trigger(clock: Clock, wait: Callable[[float], None], trigger: Trigger) -> triggers.Trigger:
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


def _sign(clock: Clock, wait: Callable[[float], None], sign: Sign) -> Output:
    return factory.sign(
        sign.kind,
        device=sign.device,
        lamp=sign.lamp,
        wiring=Wiring(active=sign.active),
        volume=sign.volume,
        clock_ns=clock.boottime_ns,
        wait=wait,
    )
