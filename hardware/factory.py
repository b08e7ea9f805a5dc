"""From the configuration's words to devices. The only module that knows the kinds by name; it opens nothing."""

from collections.abc import Callable
from pathlib import Path

from hardware.errors import DeviceRefused
from hardware.sources import Source
from hardware.sources.file import FileSource
from hardware.sources.pattern import KINDS, PatternSource
from hardware.triggers import Trigger
from hardware.triggers.serial import SerialTrigger


def source(device: str, *, clock_ns: Callable[[], int], wait: Callable[[float], None]) -> Source:
    """Return the source named by `device`: "file:PATH", "pattern:bars" or "pattern:ultrasound".

    clock_ns: CLOCK_BOOTTIME in ns; wait: holds the calling thread for some seconds, or less when it must stop.
    Raises DeviceRefused for anything else.
    """
    kind, _, where = device.partition(":")
    if kind == "file" and where:
        return FileSource(path=Path(where), clock_ns=clock_ns, wait=wait)
    if kind == "pattern" and where in KINDS:
        return PatternSource(kind=where, clock_ns=clock_ns, wait=wait)
    raise DeviceRefused(
        f"There is no source {device!r}: use file:PATH, {' or '.join(f'pattern:{k}' for k in KINDS)}."
    )


def trigger(kind: str, *, device: str, still: str = "", clip: str = "", clock_ns: Callable[[], int]) -> Trigger:
    """Return the trigger of that kind: "serial". Raises DeviceRefused for anything else."""
    if kind != "serial":
        raise DeviceRefused(f"There is no trigger of the kind {kind!r}: use serial.")
    if not still and not clip:
        raise DeviceRefused(f"The pedal on {device} does nothing: say what takes a still, as byte:0x53.")
    return SerialTrigger(device=device, still=still, clip=clip, clock_ns=clock_ns)
