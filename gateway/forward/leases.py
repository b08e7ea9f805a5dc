"""When the index fails between a claim and its outcome, the claims of a queue go back before its next step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import SpoolError


class Leases:
    """One queue's claims. forget: gives back whatever of that queue stands as being sent; may raise SpoolError."""

    def __init__(self, forget: Callable[[], object]) -> None:
        self._forget = forget
        self._lost_track = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Do a step in this block; what it raises goes on."""
        if self._lost_track:
            self._forget()
            self._lost_track = False
        try:
            yield
        except SpoolError:
            self._lost_track = True
            raise
