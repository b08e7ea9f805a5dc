"""Stills of one exam and source differ in a few elements: only these are written and read for each of them.

The others are written for the first still, and read and checked as it was sealed. Of every further one it is enough
that its header is the same, byte for byte, but for what is its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Self

from gateway.clock import Moment
from gateway.dicom import elements
from gateway.dicom.elements import Elements
from gateway.model import Capture, Exam, Series, Step

_OWN = (
    *("SOPInstanceUID", "InstanceNumber", "LossyImageCompressionRatio"),
    *("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
)
OWN = frozenset(map(elements.tag, _OWN))
_Common = tuple[Capture, Series, Step | None]
_NEVER = Moment(utc=datetime.fromtimestamp(0, UTC), offset=timedelta(), boot_id="", boottime_ns=0, trusted=False)


@dataclass(frozen=True, slots=True)
class Template:
    """A header that was read and checked, in the pieces between the elements that are a still's own."""

    elements: Elements
    own: tuple[int, ...]  # tags, in their order
    pieces: tuple[bytes, ...]  # one more than there are tags

    @classmethod
    def of(cls, found: Elements, raw: bytes) -> Self:
        """Take a header apart. `raw`: its bytes, of which `found` was read."""
        own = [(tag, begin, end) for tag, begin, end in elements.spans(raw) if tag in OWN]
        cuts = [0, *(cut for _, begin, end in own for cut in (begin, end)), len(raw)]
        pieces = tuple(raw[begin:end] for begin, end in list(pairwise(cuts))[::2])
        return cls(found, tuple(tag for tag, _, _ in own), pieces)

    def read(self, raw: bytes, start: int) -> tuple[Elements, int] | None:
        """Read a header that begins at byte `start`, and where it ends; None when it is not like this one."""
        own, position = {}, start
        for tag, piece in zip(self.own, self.pieces, strict=False):
            if not raw.startswith(piece, position):
                return None
            found, position = elements.read_one(raw, position + len(piece))
            if found is None or found.tag != tag:
                return None
            own[tag] = found
        if not raw.startswith(self.pieces[-1], position):
            return None
        return Elements(self.elements.by_tag | own), position + len(self.pieces[-1])


class Alike:
    """What is known of the headers of an exam's stills, by what these have in common; good for one revision."""

    def __init__(self, exam: Exam) -> None:
        self._exam = exam
        self._written: dict[_Common, Mapping[int, bytes]] = {}
        self._read: dict[_Common, Template] = {}

    def written(self, capture: Capture, series: Series) -> Mapping[int, bytes] | None:
        """Return the encoded elements, by tag, of a header that differs from this still's in OWN alone."""
        return self._written.get(self._common(capture, series))

    def wrote(self, capture: Capture, series: Series, encoded: Mapping[int, bytes]) -> None:
        """Remember a header as it was written. `encoded`: its elements by tag, in Explicit VR Little Endian."""
        self._written[self._common(capture, series)] = {
            tag: element for tag, element in encoded.items() if tag not in OWN
        }

    def template(self, capture: Capture, series: Series) -> Template | None:
        """Return a checked header that differs from this still's in OWN alone."""
        return self._read.get(self._common(capture, series))

    def checked(self, capture: Capture, series: Series, found: Elements, raw: bytes) -> None:
        """Remember a header that was read back and found good in full. `raw`: its bytes, `found` in them."""
        self._read[self._common(capture, series)] = Template.of(found, raw)

    def _common(self, capture: Capture, series: Series) -> _Common:
        """Blank what a header has from its still alone. A field that is not named here parts stills, as it must."""
        common = replace(
            capture,
            sop_instance_uid="",
            instance_number=0,
            media="",
            frame_times=(),
            sequence=0,
            bytes=0,
            sha256="",
            taken=_NEVER,
            pressed=_NEVER,
            lossy_ratio=float(capture.lossy_ratio > 0),
            lossy_before=float(capture.lossy_before > 0),
            lost_frames=0,
            request=None,
        )
        return common, series, self._exam.step_of(capture.instance_number)
