"""What a grabber says of itself, asked beside whoever takes its pictures. Changes nothing in the device."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from linuxpy.video import raw

from hardware.errors import DeviceError, DeviceRefused
from hardware.sources import Loss
from hardware.sources.v4l2 import inputs
from hardware.sources.v4l2.calls import CAPTURE, Device
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.node import KernelNode, Node


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """`mode`: as it is set now; `input`: "" of a device that has none to choose; `loss`: as the device says."""

    name: str
    driver: str
    bus: str
    node: Path
    mode: str
    input: str = ""
    loss: Loss | None = None


def probe(place: Place, node: Callable[[Path], Node] = KernelNode) -> Seen:
    """Return what is plugged in there. Raises DeviceMissing or DeviceRefused."""
    reasons: list[DeviceError] = []
    for path in place.look():
        try:
            with closing(node(path)) as opened:
                return _asked(Device(opened, place.where), path)
        except DeviceError as error:
            reasons.append(error)
        except OSError as error:
            reasons.append(DeviceRefused(f"The video adapter at {place.where} does not answer: {error.strerror}."))
    raise reasons[0]


def _asked(device: Device, path: Path) -> Seen:
    identity = device.identity()
    pix = device.call(raw.IOC.G_FMT, raw.v4l2_format(type=CAPTURE)).fmt.pix
    fourcc = int(pix.pixelformat).to_bytes(4, "little").decode("ascii", "replace")
    chosen = inputs.current(device)
    return Seen(
        name=identity.card,
        driver=identity.driver,
        bus=identity.bus,
        node=path,
        mode=f"{fourcc} {pix.width}x{pix.height}",
        input=chosen.name if chosen else "",
        loss=inputs.status(device, chosen) if chosen else None,
    )
