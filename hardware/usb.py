"""The USB device that an entry of sysfs belongs to, and where it is plugged in. Opens nothing."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class UsbDevice:
    """`folder`: its own in sysfs; `identity`: vendor and product, as "534d:2109"."""

    folder: Path
    identity: str

    @property
    def port(self) -> str:
        """Return where it is plugged in, as the kernel names it: "1-1.4" is the bus, then port by port."""
        return self.folder.name


def usb_of(entry: Path) -> UsbDevice | None:
    """Return the nearest USB device above an entry of /sys/class, None when it hangs on no USB bus.

    Raises OSError when it goes while it is looked at.
    """
    for folder in entry.resolve(strict=True).parents:
        if (folder / "idVendor").is_file():
            vendor, product = ((folder / name).read_text().strip() for name in ("idVendor", "idProduct"))
            return UsbDevice(folder=folder, identity=f"{vendor}:{product}")
    return None
