"""Files that hold a password or a token: one line of printable ASCII. Their content stands in no message."""

from pathlib import Path

from gateway.config import forms
from gateway.config.forms import Form, Shaped
from gateway.config.values import Check, Wrong, readable, words_of

_LONGEST = 16 * 1024  # bytes; tokens with many claims have a few thousand


def secret_in(path: Path) -> str:
    """Return the secret that a file holds now. Raises Wrong, OSError."""
    with path.open("rb") as file:
        raw = file.read(_LONGEST + 1)
    if not raw.strip():
        raise Wrong(f"{path} is empty")
    try:
        return secret_of(raw)
    except Wrong as error:
        raise Wrong(f"{path} cannot be used: {error}") from None


def secret_of(raw: bytes) -> str:
    """Return the secret that bytes are. Raises Wrong."""
    words = raw.strip()
    if not words or len(raw) > _LONGEST or not all(0x21 <= byte <= 0x7E for byte in words):  # noqa: PLR2004 - printable, no space
        raise Wrong("must hold one line without spaces, in plain ASCII, and nothing else")
    return words.decode("ascii")


def secret_file(base: Path) -> Check:
    """Return a check for such a file; a relative one is taken from `base`."""

    def check(value: object) -> Path:
        words = words_of(value)
        if not words:
            raise Wrong("must be a file")
        path = readable(base / words)
        secret_in(path)
        return path

    return Shaped(form=Form(kind=forms.SECRET), check=check)


def user(value: object) -> str:
    """Check a user name of HTTP's basic sign-on (RFC 7617: no colon)."""
    words = words_of(value)
    if not words or ":" in words or not words.isprintable():
        raise Wrong("must be a name without a colon")
    return words
