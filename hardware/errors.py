"""What can go wrong with a device.

DeviceError
├── DeviceMissing     not there, or unplugged
├── DeviceRefused     there, but it will not do what was asked
└── EncodingFailed    a picture that cannot be compressed
"""

from typing import ClassVar


class DeviceError(Exception):
    """A device failed. `code` is stable; the text says what to check."""

    code: ClassVar[str] = "device"


class DeviceMissing(DeviceError):
    """The device is not there, or was unplugged."""

    code = "device-missing"


class DeviceRefused(DeviceError):
    """The device is there but will not do what was asked."""

    code = "device-refused"


class EncodingFailed(DeviceError):
    """A picture could not be compressed; nothing of it was stored."""

    code = "encoding-failed"
