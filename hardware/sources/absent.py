"""A source that cannot be made: it says why whenever it is opened, and everything else goes on without it."""

from hardware.errors import DeviceError, DeviceMissing
from hardware.sources import Picture


class AbsentSource:
    """Stands for a device whose settings are wrong."""

    def __init__(self, error: DeviceError) -> None:
        self._error = error

    def open(self) -> None:
        """Raise what is wrong."""
        raise self._error

    def read(self, timeout: float) -> Picture | None:
        del timeout
        raise DeviceMissing("There is no device.")

    def close(self) -> None:
        """Do nothing."""
