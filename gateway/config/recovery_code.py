"""The recovery code: 128 random bits as 32 hexadecimal digits, in groups of four as it is shown.

One code for two things: whoever forgot the PIN comes back with it, and on an appliance any PC opens the disk with
it (`cryptsetup open PARTITION data` takes it as it is shown, with its hyphens).
"""

import re
from collections.abc import Callable

_DIGITS = 32
_GROUP = 4
_NOT_HEX = re.compile(r"[^0-9A-F]")


def new_code(token: Callable[[int], str]) -> str:
    """Return a new code as it is shown. `token`: random hexadecimal digits, so many."""
    return as_shown(token(_DIGITS).upper())


def as_shown(digits: str) -> str:
    return "-".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def digits_of(code: object) -> str:
    """Return the digits of a code, however it was typed; "" for what is none."""
    digits = _NOT_HEX.sub("", code.upper()) if isinstance(code, str) else ""
    return digits if len(digits) == _DIGITS else ""
