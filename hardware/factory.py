"""From the configuration's words to devices. The only module that knows the kinds by name; it opens nothing.

Each kind is loaded when it is asked for: libraries of what is not configured would hold up the first picture.
"""

from collections.abc import Callable
from pathlib import Path

from hardware.errors import DeviceRefused
from hardware.gpio import Wiring
from hardware.indicators import Output
from hardware.indicators.lamp import Lamp
from hardware.sources import Source
from hardware.sources.pattern import KINDS, PatternSource
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.wish import Wish
from hardware.triggers import Trigger
from hardware.triggers.words import number_of

_ANYTHING = Wish()


def source(
    device: str,
    *,
    wish: Wish = _ANYTHING,
    clock_ns: Callable[[], int],
    monotonic_ns: Callable[[], int],
    wait: Callable[[float], None],
) -> Source:
    """Return the source named by `device`: "v4l2:WHERE", "file:PATH", "pattern:bars" or "pattern:ultrasound".

    wish: what is asked of a grabber; clock_ns, monotonic_ns: CLOCK_BOOTTIME and CLOCK_MONOTONIC in ns; wait: holds
    the calling thread for some seconds, or less when it must stop. Raises DeviceRefused for anything else.
    """
    kind, _, where = device.partition(":")
    if kind == "file" and where:
        from hardware.sources.file import FileSource

        return FileSource(path=Path(where), clock_ns=clock_ns, wait=wait)
    if kind == "pattern" and where in KINDS:
        return PatternSource(kind=where, clock_ns=clock_ns, wait=wait)
    if kind == "v4l2" and where:
        from hardware.sources.v4l2.source import V4l2Source

        return V4l2Source(place=Place(where), wish=wish, clock_ns=clock_ns, monotonic_ns=monotonic_ns, wait=wait)
    raise DeviceRefused(
        f"There is no source {device!r}: use v4l2:PATH, file:PATH, {' or '.join(f'pattern:{k}' for k in KINDS)}."
    )


def trigger(
    kind: str,
    *,
    device: str,
    still: str = "",
    clip: str = "",
    identity: str = "",
    wiring: Wiring | None = None,
    clock_ns: Callable[[], int],
    monotonic_ns: Callable[[], int],
    wait: Callable[[float], None],
) -> Trigger:
    """Return the trigger of that kind: "serial", "input" (with `identity`) or "gpio" (with `wiring`).

    clock_ns, monotonic_ns: CLOCK_BOOTTIME and CLOCK_MONOTONIC in ns. Raises DeviceRefused for anything else.
    """
    if kind == "serial":
        from hardware.triggers.serial import SerialTrigger

        return SerialTrigger(device=device, still=still, clip=clip, clock_ns=clock_ns, wait=wait)
    if kind == "input":
        from hardware.triggers.input import InputTrigger

        return InputTrigger(device=device, still=still, clip=clip, identity=identity, clock_ns=clock_ns, wait=wait)
    if kind == "gpio":
        from hardware.triggers.gpio import GpioTrigger

        return GpioTrigger(
            device=device,
            still=still,
            clip=clip,
            wiring=wiring,
            clock_ns=clock_ns,
            monotonic_ns=monotonic_ns,
            wait=wait,
        )
    raise DeviceRefused(f"There is no trigger of the kind {kind!r}: use serial, input or gpio.")


def sign(
    kind: str,
    *,
    device: str,
    lamp: str = "",
    wiring: Wiring | None = None,
    volume: int = 50,
    clock_ns: Callable[[], int],
    wait: Callable[[float], None],
) -> Output:
    """Return what answers presses: a "tone" on an ALSA device, a lamp at "pin:27" ("gpio") or "rts" ("serial").

    Raises DeviceRefused for anything else.
    """
    wiring = wiring or Wiring(active="high")
    if kind == "tone":
        from hardware.indicators.aplay import Aplay
        from hardware.indicators.tone import Tone

        return Tone(player=Aplay(device or "default"), clock_ns=clock_ns, wait=wait, volume=volume)
    if kind == "gpio":
        from hardware.indicators.pins import GpioSwitch

        pin = number_of(lamp, "pin", 1 << 16)
        return Lamp(switch=GpioSwitch(chip=device, pin=pin, wiring=wiring), clock_ns=clock_ns)
    if kind == "serial" and lamp in {"rts", "dtr"}:
        from hardware.indicators.switches import SerialSwitch

        return Lamp(switch=SerialSwitch(device=device, line=lamp, active=wiring.active), clock_ns=clock_ns)
    raise DeviceRefused(f"There is no sign of the kind {kind!r} at {lamp!r}: use tone, gpio or serial.")
