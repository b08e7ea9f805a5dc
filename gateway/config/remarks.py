"""What is no mistake in a configuration, and still has a consequence that its author may not see."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config import grabber
from gateway.config.settings import Destination, Settings
from gateway.messages import N_


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """One of them. `says` names settings as the screens do; `in_file` is for who has the file instead."""

    says: str
    in_file: str

    def __str__(self) -> str:
        return f"{self.says} In the file: {self.in_file}."


def remarks(settings: Settings) -> Iterator[Remark]:
    """Say which source may become another one, and for which pictures the disk is never freed."""
    for source in settings.sources:
        if grabber.may_move(source.device):
            node = source.device.removeprefix("v4l2:")
            says = N_(
                f"{source.name} takes its pictures from {node}, whatever is there: the number may move to another "
                "video adapter. Choose anew “Where it is plugged in”."
            )
            yield Remark(says=says, in_file="device, by where it is plugged in: `ls -l /dev/v4l/by-path`")
    required = [each for each in settings.destinations if each.required]
    if settings.destinations and not required:
        says = N_(
            "There is no archive that must have pictures before they leave this box's disk, so none ever leaves to "
            "make room: say Yes to “Pictures stay here until it has them” for one."
        )
        yield Remark(says=says, in_file="required = true")
    yield from (remark for each in required for remark in _kept(each))


def _kept(destination: Destination) -> Iterator[Remark]:
    """Say why pictures that this destination must have never leave the disk."""
    name = destination.name
    if not (destination.commitment or destination.trust_query):
        remedy, in_file = _remedy(destination)
        says = N_(
            f"{name} must have pictures before they leave this box's disk, and never vouches for what it got, so "
            f"what goes there never leaves to make room: {remedy}."
        )
        yield Remark(says=says, in_file=in_file)
    elif destination.fallback != "hold" and "clip" in (destination.types or ("clip",)):
        says = N_(
            f"{name} must have pictures before they leave this box's disk, and gets something else in place of "
            "clips that it does not take, so these clips never leave to make room: say No to "
            "“Pictures stay here until it has them” if another archive has them."
        )
        yield Remark(says=says, in_file="required = false")


def _remedy(destination: Destination) -> tuple[str, str]:
    """Return what to do, as the screens call it and as the file does."""
    if destination.kind == "media":
        return N_(
            "say No to “Pictures stay here until it has them” if an archive has the pictures as well"
        ), "required = false"
    if destination.kind == "stow":
        return (
            N_(
                "say Yes to “It is asked what it has” and “Its answer counts as proof”, or No to “Pictures stay "
                "here until it has them” if another archive has the pictures"
            ),
            "query with trust_query, or required = false",
        )
    return (
        N_(
            "say Yes to “It is asked to confirm what it stored”, or to “It is asked what it has” and “Its answer "
            "counts as proof”, or No to “Pictures stay here until it has them” if another archive has the pictures"
        ),
        "commitment, or query with trust_query, or required = false",
    )
