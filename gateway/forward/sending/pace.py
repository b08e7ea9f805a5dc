"""How fast one archive takes objects: of those that it stored last, so that what is left can be foreseen."""

_KEPT = 0.98  # of what was seen before, at each further object: about the last fifty count


class Pace:
    """Bytes and the seconds that they took, everything included; nothing is known before the first one."""

    def __init__(self) -> None:
        self._seen = (0.0, 0.0)

    def took(self, size: int, seconds: float) -> None:
        before, time = self._seen
        self._seen = (before * _KEPT + size, time * _KEPT + seconds)

    @property
    def bytes_per_s(self) -> int | None:
        size, seconds = self._seen
        return round(size / seconds) if seconds > 0 else None
