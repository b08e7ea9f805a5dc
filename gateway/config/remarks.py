"""What is no mistake in a configuration, and still has a consequence that its author may not see."""

from collections.abc import Iterator

from gateway.config import grabber
from gateway.config.settings import Destination, Settings
from gateway.messages import N_


def remarks(settings: Settings) -> Iterator[str]:
    """Say which source may become another one, and for which pictures the disk is never freed."""
    for source in settings.sources:
        if grabber.may_move(source.device):
            node = source.device.removeprefix("v4l2:")
            yield N_(
                f"{source.name} takes its pictures from {node}, whatever is there: the number may move to another "
                "video adapter. Choose it anew on the screen, or name where it is plugged in: "
                "`ls -l /dev/v4l/by-path`."
            )
    required = [each for each in settings.destinations if each.required]
    if settings.destinations and not required:
        yield N_("No destination is required, so no picture ever leaves this box's disk to make room.")
    for destination in required:
        name = destination.name
        if not _vouches(destination):
            yield N_(
                f"{name} is required and never vouches for what it got, so what goes there never leaves this box's "
                f"disk to make room: {_remedy(destination)}."
            )
        elif destination.fallback != "hold" and "clip" in (destination.types or ("clip",)):
            yield N_(
                f"{name} is required and gets something else in place of clips that it does not take, so these "
                "clips never leave this box's disk to make room: set required = false if another archive has them."
            )


def _vouches(destination: Destination) -> bool:
    return bool(destination.commitment) or destination.trust_query


def _remedy(destination: Destination) -> str:
    if destination.kind == "media":
        return N_("set required = false if an archive has the pictures as well")
    way = "commitment, or query with trust_query" if destination.kind == "dicom" else "query with trust_query"
    return N_(f"set {way}, or required = false if another one has the pictures")
