"""What the archive outside really got, to be held against what a box says that it sent."""

import hashlib
from pathlib import Path

import pydicom
from pydicom.encaps import generate_frames

_PADDED = b"\xff\xd9\x00"  # the end of a codestream of an odd length (PS3.5 A.4)


class Received:
    """The folder into which DCMTK's storescp writes: one file an object, under its UID."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._right: set[tuple[str, ...]] = set()  # what was read once; the archive keeps it

    def has(self, uid: str) -> bool:
        return any(self._folder.glob(f"*.{uid}"))

    def wrong(self, uid: str, patient: str, digest: str) -> str:
        """Return what is wrong with a picture that was sent; nothing, if it is there and that patient's.

        `digest`: of its codestreams, one after the other; "" when nobody was told.
        """
        if (uid, patient, digest) in self._right:
            return "" if self.has(uid) else "not in the archive any more"
        files = list(self._folder.glob(f"*.{uid}"))
        if len(files) != 1:
            return f"{len(files)} times in the archive"
        try:
            data = pydicom.dcmread(files[0])
            found = digest_of(data)
        except Exception as error:  # noqa: BLE001 - whatever a file that is none leads to
            return f"no object in the archive: {error!r}"
        if data.PatientID != patient:
            return f"of {data.PatientID} in the archive, taken of {patient}"
        if digest and found != digest:
            return "another picture in the archive"
        self._right.add((uid, patient, digest))
        return ""


def digest_of(data: pydicom.Dataset) -> str:
    """Return the digest of an object's codestreams."""
    digest = hashlib.sha256()
    for frame in generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames", 1))):
        digest.update(frame[:-1] if frame.endswith(_PADDED) else frame)
    return digest.hexdigest()
