"""What an input device can do, as the kernel found: whatever has more than the buttons of a pointer can type."""

from collections.abc import Iterable

_LONG = 64  # bits of a word in sysfs, on both kinds of machine
_POINTERS = (*range(0x110, 0x118), *range(0x140, 0x150))  # BTN_MOUSE ..., BTN_DIGI ... (input-event-codes.h)
_POINTS = sum(1 << code for code in _POINTERS)


def can_type(keys: str, switches: str) -> bool:
    """Say whether it can do more than point. keys, switches: its `capabilities` as they stand in sysfs.

    Switches as well: a lid that closes puts a machine to sleep. Raises ValueError for what are no numbers.
    """
    return bool(_bits(keys.split()) & ~_POINTS or _bits(switches.split()))


def _bits(words: Iterable[str]) -> int:
    value = 0
    for word in words:
        value = value << _LONG | int(word, 16)
    return value
