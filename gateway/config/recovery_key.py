"""The recovery key: 256 random bits as 8 groups of 8 letters, which any PC takes as the passphrase of the disk.

The letters are those that lie at the same place of every Latin keyboard ("modhex", as systemd-cryptenroll(1) writes
recovery keys): a PC that is just being started may know no other layout. `cryptsetup open DISK data` takes them as
they stand, with the hyphens.
"""

from gateway.clock import Clock

BYTES = 32
CONFIRMED = 8  # how many of its last letters a person types to show that it was written down
_LETTERS = "cbdefghijklnrtuv"
_HEX = "0123456789abcdef"
_GROUP = 8


def new(clock: Clock) -> str:
    """Return a new key as people write it."""
    digits = clock.token(2 * BYTES)
    return _grouped(digits.translate(str.maketrans(_HEX, _LETTERS)))


def read(typed: str) -> str:
    """Return a key as it was made from what a person typed: capitals, blanks and hyphens as they like.

    "" for what is no recovery key.
    """
    letters = "".join(typed.lower().replace("-", " ").split())
    if len(letters) != 2 * BYTES or set(letters) - set(_LETTERS):
        return ""
    return _grouped(letters)


def ending(key: str) -> str:
    """Return the letters of a key that a person has to type once."""
    return key[-CONFIRMED:]


def _grouped(letters: str) -> str:
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))
