"""What can go wrong with a device.

DeviceError
├── DeviceMissing     not there, or unplugged
├── DeviceRefused     there, but it will not do what was asked
│   └── ProfileBroken what is known of its kind is written down wrongly
├── PictureDamaged    a picture that is not whole
└── EncodingFailed    a picture that cannot be compressed
"""

from collections.abc import Iterable
from pathlib import Path
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


class ProfileBroken(DeviceRefused):
    """A profile file has errors; `problems` names each with its key."""

    code = "profile-broken"

    def __init__(self, path: Path, problems: Iterable[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        super().__init__(f"The device profile {path} has errors: {'; '.join(self.problems)}.")


class PictureDamaged(DeviceError):
    """A picture that a device delivered is not whole; it is left out."""

    code = "picture-damaged"


class EncodingFailed(DeviceError):
    """A picture could not be compressed; nothing of it was stored."""

    code = "encoding-failed"
