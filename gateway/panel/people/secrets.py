"""PINs: what they may be; argon2id hashes of theirs and of recovery codes. Keeps none of them."""

import unicodedata
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from gateway.errors import BadValue

SHORTEST = 6
LONGEST = 64


def pin_of(text: object) -> str:
    """Return a PIN, or a longer password, as it is hashed. Raises BadValue."""
    if not isinstance(text, str) or not text.isprintable():
        raise BadValue("A PIN is made of characters that can be typed.")
    pin = unicodedata.normalize("NFKC", text)
    if not SHORTEST <= len(pin) <= LONGEST:
        raise BadValue(f"A PIN has {SHORTEST} to {LONGEST} characters.", action="Choose another one.")
    steps = {ord(after) - ord(before) for before, after in pairwise(pin)}
    if steps in ({0}, {1}, {-1}):
        raise BadValue("This PIN is the first that anybody would try.", action="Choose another one.")
    return pin


class Hashes:
    """Makes and checks hashes. A call takes 0.1 s and 64 MB: never on the event loop, never two at once."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobody = ""

    def of(self, secret: str) -> str:
        return self._hasher.hash(secret)

    def fits(self, held: str, secret: str) -> bool:
        """Say whether a secret is the one that was hashed; "" takes as long and fits nothing."""
        if not held:
            self._nobody = self._nobody or self.of("nobody")
        try:
            return self._hasher.verify(held or self._nobody, secret) and bool(held)
        except (Argon2Error, InvalidHashError):
            return False

    def is_old(self, held: str) -> bool:
        """Say whether a hash was made with less effort than today's."""
        return self._hasher.check_needs_rehash(held)
