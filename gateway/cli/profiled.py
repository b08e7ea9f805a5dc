"""Which sources cannot be used because of their device profile: the configuration knows its name or file alone."""

from collections.abc import Iterator

from gateway.config.settings import Settings


def unusable(settings: Settings) -> Iterator[str]:
    """Name each source that will say "the picture cannot be used", with every mistake; the others work."""
    for number, words in unusable_profiles(settings):
        yield f"source {settings.sources[number].name}: {words}"


def unusable_profiles(settings: Settings) -> Iterator[tuple[int, str]]:
    """Return each mistake with the number of its source."""
    from gateway.capture.parts import profile_of
    from hardware.errors import DeviceRefused, ProfileBroken

    for number, source in enumerate(settings.sources):
        try:
            profile_of(source)
        except ProfileBroken as error:
            yield from ((number, f"{error.path}: {problem}") for problem in error.problems)
        except DeviceRefused as error:
            yield number, str(error)
