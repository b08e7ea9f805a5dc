"""From the configuration to devices, by keyword. Nothing is opened here."""

from collections.abc import Callable
from functools import partial

from gateway.capture.parts import Devices, profile_of
from gateway.clock import Clock
from gateway.config.settings import Sign, Source, Trigger
from hardware import factory, sources, triggers
from hardware.gpio import Wiring
from hardware.hotplug import Hotplug
from hardware.indicators import Output


def devices_of(*, clock: Clock, wait: Callable[[float], None]) -> Devices:
    """Return how capture makes its devices; `wait` holds a thread for some seconds, or less when it must stop."""
    return Devices(
        source=partial(_source, clock, wait),
        trigger=partial(_trigger, clock, wait),
        sign=partial(_sign, clock, wait),
        hotplug=Hotplug(clock_ns=clock.boottime_ns, wait=wait),
    )


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
