"""The way to one destination, whatever its kind: opened for a list of objects, left when they are through.

Each kind is one class elsewhere; `connector` is the only place that knows the kinds by name.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from gateway.config.settings import Destination
from gateway.net.peers import Timeouts
from gateway.net.store import StoreAssociation, StoreResult, Wanted


class Channel(Protocol):
    """What a sender needs of a destination. Raises DeliveryError and SpoolDamaged, as StoreAssociation does."""

    @property
    def usable(self) -> bool:
        """False once its state is in doubt: open a new one."""

    def accepted(self, sop_class_uid: str) -> tuple[str, ...]:
        """Return the transfer syntaxes that the destination takes this class in, the best first."""

    def store(
        self,
        source: Path | bytes,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sent_before: bool = False,
    ) -> StoreResult:
        """Send one DICOM file, byte for byte. sent_before: an earlier try of it may have arrived."""


Connect = Callable[[Sequence[Wanted]], AbstractContextManager[Channel]]


def connector(destination: Destination, *, our_ae: str, timeouts: Timeouts | None = None) -> Connect:
    """Return what opens a channel to this destination for the objects that are to go."""
    if destination.kind == "stow":
        from gateway.net.stow import StowChannel  # noqa: PLC0415 - an HTTP client, for those who need one

        def stow(wanted: Sequence[Wanted]) -> AbstractContextManager[Channel]:
            return StowChannel(destination, wanted=wanted, timeouts=timeouts)

        return stow

    def dicom(wanted: Sequence[Wanted]) -> AbstractContextManager[Channel]:
        return StoreAssociation(destination, our_ae=our_ae, wanted=wanted, timeouts=timeouts)

    return dicom
