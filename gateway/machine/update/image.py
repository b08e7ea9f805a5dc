"""What the running image says of itself: written when it was built, checked like everything of the root."""

from dataclasses import dataclass
from pathlib import Path

FILE = Path("/usr/lib/scopegate/image")
KEYRING = Path("/etc/rauc/keyring.pem")


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """`floor`: the oldest version that may follow this one, for security's sake or that of the data."""

    version: str
    build: str
    floor: str
    compatible: str


def running(file: Path = FILE) -> Image:
    """Return the running image's words. Raises OSError, KeyError."""
    lines = file.read_text("utf-8").splitlines()
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    return Image(version=said["VERSION"], build=said["BUILD"], floor=said["FLOOR"], compatible=said["COMPATIBLE"])
