"""From the words for still and clip to what each contact does, the same for every kind of trigger."""

from collections.abc import Callable, Hashable

from hardware.errors import DeviceRefused
from hardware.triggers import Action


def actions_of(device: str, *, still: str, clip: str, meaning: Callable[[str], Hashable]) -> dict[Hashable, Action]:
    """Return which contact does what; `meaning` turns a word into the contact, and may raise DeviceRefused.

    Raises DeviceRefused when there is none, or one for both.
    """
    words = {Action.STILL: still, Action.CLIP: clip}
    actions = {meaning(word): action for action, word in words.items() if word}
    if not actions:
        raise DeviceRefused(f"The pedal on {device} does nothing: say what takes a still, and what a clip.")
    if len(actions) < sum(map(bool, words.values())):
        raise DeviceRefused(f"The pedal on {device} would do the same for a still and a clip: use two.")
    return actions


def number_of(word: str, kind: str, highest: int) -> int:
    """Return N of "KIND:N", decimal or 0x.. Raises DeviceRefused."""
    name, _, digits = word.partition(":")
    try:
        value = int(digits, 0)
    except ValueError:
        value = -1
    if name != kind or not 0 <= value <= highest:
        raise DeviceRefused(f"{word!r} is not {kind}:0 to {kind}:{highest}.")
    return value
