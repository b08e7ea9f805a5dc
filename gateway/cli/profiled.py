"""Which sources cannot be used because of their device profile: the configuration knows its name or file alone."""

from collections.abc import Iterator

from gateway.config.settings import Settings


def unusable(settings: Settings) -> Iterator[str]:
    """Name each source that will say "the picture cannot be used", with every mistake; the others work."""
    from gateway.capture.parts import profile_of
    from hardware.errors import DeviceRefused, ProfileBroken

    for source in settings.sources:
        try:
            profile_of(source)
        except ProfileBroken as error:
            yield from (f"source {source.name}: {error.path}: {problem}" for problem in error.problems)
        except DeviceRefused as error:
            yield f"source {source.name}: {error}"
