"""Marks the words that a person reads on the screen, so that every language has them.

Errors are found by themselves; this is for texts that become part of one, or of a page, later.
"""

from typing import TypeVar

T = TypeVar("T")


def N_(message: T) -> T:  # noqa: N802 - as gettext's manual has it
    """Return a text, or a table of texts, as it is: it is translated where it is shown."""
    return message
