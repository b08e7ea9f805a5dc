"""Which destinations get what, by the rules of the configuration: by source, type and length. The only place."""

from collections.abc import Sequence

from gateway.config.settings import Destination
from gateway.errors import SpoolDamaged
from gateway.model import KEY_OBJECTS, Capture, MediaKind, SealedObject
from gateway.spool import records
from gateway.spool.paths import Layout

Addressee = Destination | str  # a name alone is a destination without rules


def recipients(destinations: Sequence[Addressee], capture: Capture | None) -> tuple[str, ...]:
    """Return the names of those that get the object of this capture; of one whose record is lost, all of them."""
    return tuple(name_of(each) for each in destinations if capture is None or wants(each, capture))


def wants(destination: Addressee, capture: Capture) -> bool:
    """Say whether a destination gets the object of this capture."""
    if isinstance(destination, str):
        return True
    if destination.sources and capture.source not in destination.sources:
        return False
    if destination.types and capture.kind.value not in destination.types:
        return False
    return not destination.longest_clip_s or length_s(capture) <= destination.longest_clip_s


def length_s(capture: Capture) -> float:
    """Return how long a clip is, in seconds; 0 for a still."""
    times = capture.frame_times
    return (times[-1] - times[0]) / 1e9 if capture.kind is MediaKind.CLIP and times else 0.0


def name_of(destination: Addressee) -> str:
    return destination if isinstance(destination, str) else destination.name


def of_sealed(layout: Layout, sealed: SealedObject, destinations: Sequence[Addressee]) -> tuple[str, ...]:
    """Return the recipients of what stands in a seal, from the record beside it.

    Key stills have none by themselves: they are queued when a destination did not take their clip. A list of key
    images goes to those for whom it was made, as far as they are still there.
    """
    if sealed.sop_class_uid == KEY_OBJECTS:
        known = {name_of(each) for each in destinations}
        return tuple(name for name in sealed.destinations if name in known)
    if sealed.derived_from:
        return ()
    try:
        capture = records.load(Capture, layout.sidecar(sealed.exam, sealed.capture).read_bytes())
    except (SpoolDamaged, OSError):
        return recipients(destinations, None)
    return recipients(destinations, capture)
