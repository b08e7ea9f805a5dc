"""Looks through a source as its thread does, for tests."""

from hardware.sources import Picture
from hardware.sources.v4l2.source import V4l2Source


def opened(source: V4l2Source) -> V4l2Source:
    source.open()
    return source


def given(source: V4l2Source, count: int) -> list[Picture]:
    """Return that many pictures, in no more than five times as many reads."""
    found: list[Picture] = []
    for _ in range(count * 5):
        picture = source.read(0.5)
        if isinstance(picture, Picture):
            found.append(picture)
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} pictures rather than {count}")
