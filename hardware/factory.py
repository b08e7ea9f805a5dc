"""From the configuration's words to devices. The only module that knows the kinds by name; it opens nothing."""

from collections.abc import Callable
from pathlib import Path

from hardware.absent import AbsentSource, AbsentTrigger
from hardware.errors import DeviceRefused
from hardware.sources import Source
from hardware.sources.file import FileSource
from hardware.sources.pattern import KINDS, PatternSource
from hardware.triggers import Trigger
from hardware.triggers.serial import SerialTrigger

_LATER_SOURCES = ("v4l2",)
_LATER_TRIGGERS = ("input", "gpio")


def source(device: str, *, clock_ns: Callable[[], int], wait: Callable[[float], None]) -> Source:
    """Return the source named by `device`: "file:PATH", "pattern:bars", "pattern:ultrasound" or "none".

    clock_ns: CLOCK_BOOTTIME in ns; wait: holds the calling thread for some seconds, or less when it must stop.
    Raises DeviceRefused for anything else.
    """
    kind, _, where = device.partition(":")
    if kind == "file" and where:
        return FileSource(path=Path(where), clock_ns=clock_ns, wait=wait)
    if kind == "pattern" and where in KINDS:
        return PatternSource(kind=where, clock_ns=clock_ns, wait=wait)
    if device == "none":
        return AbsentSource(wait=wait)
    if kind in _LATER_SOURCES:
        raise DeviceRefused(f"Sources of the kind {kind!r} are not in this version: use file:PATH or a pattern.")
    raise DeviceRefused(
        f"There is no source {device!r}: use file:PATH, {', '.join(f'pattern:{k}' for k in KINDS)} or none."
    )


def trigger(
    kind: str,
    *,
    device: str = "",
    still: str = "",
    clip: str = "",
    clock_ns: Callable[[], int],
    wait: Callable[[float], None],
) -> Trigger:
    """Return the trigger of that kind: "serial" or "none". Raises DeviceRefused for anything else."""
    if kind == "serial":
        if not device:
            raise DeviceRefused("A serial pedal needs a device, as /dev/ttyUSB0.")
        if not still and not clip:
            raise DeviceRefused(f"The pedal on {device} does nothing: say what takes a still, as byte:0x53.")
        return SerialTrigger(device=device, still=still, clip=clip, clock_ns=clock_ns)
    if kind == "none":
        return AbsentTrigger(wait=wait)
    if kind in _LATER_TRIGGERS:
        raise DeviceRefused(f"Triggers of the kind {kind!r} are not in this version: use serial.")
    raise DeviceRefused(f"There is no trigger of the kind {kind!r}: use serial or none.")
