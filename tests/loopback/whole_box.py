"""What the tests of a whole box share: its peers as configuration, and eyes on what arrived."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import get_frame

from tests.loopback.peers import Orthanc, StoreScp, WlmScpfs


def today() -> str:
    """Return today as worklist servers write it."""
    return f"{datetime.now(UTC).astimezone():%Y%m%d}"


def as_worklist(server: WlmScpfs) -> dict[str, object]:
    return {"name": "ris", "ae_title": server.ae_title, "host": "127.0.0.1", "port": server.port}


def as_destination(name: str, peer: StoreScp | Orthanc) -> dict[str, object]:
    return {"name": name, "ae_title": peer.ae_title, "host": "127.0.0.1", "port": peer.port, "commitment": False}


@dataclass(frozen=True, kw_only=True)
class Archives:
    """One that keeps everything in a database, one that writes every syntax, one of Implicit VR only."""

    orthanc: Orthanc
    everything: StoreScp
    implicit: StoreScp

    def as_destinations(self) -> list[dict[str, object]]:
        return [as_destination(name, getattr(self, name)) for name in ("orthanc", "everything", "implicit")]


def pixels_of(file: Path) -> np.ndarray:
    """Decode a received still without any code of the product."""
    data = pydicom.dcmread(file)
    if not data.file_meta.TransferSyntaxUID.is_compressed:
        return data.pixel_array
    return imagecodecs.jpeg8_decode(get_frame(data.PixelData, 0, number_of_frames=1))
