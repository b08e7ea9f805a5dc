"""How many pictures there are, in the words of every screen."""

from gateway.messages import N_


def how_many(*, stills: int, clips: int) -> str:
    """Return "12 images · 1 clip"."""
    said = [_images(stills)] if stills or not clips else []
    return " · ".join([*said, *([_clips(clips)] if clips else [])])


def _images(count: int) -> str:
    return N_("1 image") if count == 1 else N_(f"{count} images")


def _clips(count: int) -> str:
    return N_("1 clip") if count == 1 else N_(f"{count} clips")
