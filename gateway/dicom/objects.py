"""Which object a capture becomes: by what its source was configured as at the press, and by what it is."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.config.settings import Source, Station
from gateway.dicom import secondary_capture, ultrasound, visible_light
from gateway.dicom.draft import Draft
from gateway.errors import ObjectError
from gateway.model import Capture, MediaKind

PLAIN = "secondary-capture"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """SOP classes of one kind of source, and what its objects have beside the common modules."""

    still: str
    clip: str
    modules: Callable[[Draft, Capture, Station], None]


FAMILIES = {
    PLAIN: Family(
        still="1.2.840.10008.5.1.4.1.1.7",
        clip="1.2.840.10008.5.1.4.1.1.7.4",
        modules=secondary_capture.modules,
    ),
    "ultrasound": Family(
        still="1.2.840.10008.5.1.4.1.1.6.1",
        clip="1.2.840.10008.5.1.4.1.1.3.1",
        modules=ultrasound.modules,
    ),
    "endoscopic": Family(
        still="1.2.840.10008.5.1.4.1.1.77.1.1",
        clip="1.2.840.10008.5.1.4.1.1.77.1.1.1",
        modules=visible_light.modules,
    ),
    "photographic": Family(
        still="1.2.840.10008.5.1.4.1.1.77.1.4",
        clip="1.2.840.10008.5.1.4.1.1.77.1.4.1",
        modules=visible_light.modules,
    ),
}
CLIPS = frozenset(family.clip for family in FAMILIES.values())


def sop_class(capture: Capture) -> str:
    """Return the SOP class of a capture's object. Raises ObjectError when this release knows no such family."""
    family = _family(capture)
    return family.still if capture.kind is MediaKind.STILL else family.clip


def modules(draft: Draft, capture: Capture, station: Station) -> None:
    """Write what is of the object's family alone."""
    _family(capture).modules(draft, capture, station)


def is_plain(capture: Capture) -> bool:
    """Say whether it becomes a Secondary Capture object."""
    return capture.equipment.object == PLAIN


def series_family(capture: Capture, kind: str = "") -> str:
    """Return the word under which a capture's series is kept; kind: another one than the capture's own.

    Secondary Captures have the word that release 0.1 wrote.
    """
    kind = kind or capture.kind.value
    return kind if is_plain(capture) else f"{capture.equipment.object}-{kind}"


def _family(capture: Capture) -> Family:
    found = FAMILIES.get(capture.equipment.object)
    if found is None:
        raise ObjectError("This capture was made for a kind of object that this release does not know.")
    return found


def still_codecs(source: Source) -> tuple[str, ...]:
    """Return what a source's stills are compressed with: with "auto" a grabber's own JPEG may be among them."""
    if source.still != "auto":
        return (source.still,)
    return ("jpeg-lossless", "jpeg") if source.device.startswith("v4l2:") else ("jpeg-lossless",)


def clip_codecs(source: Source) -> tuple[str, ...]:
    """Return what a source's clips are: one that cannot be H.264 stays JPEG whatever was wanted."""
    return ("jpeg",) if source.clip == "jpeg" else ("jpeg", "h264")
