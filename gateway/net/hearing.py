"""Who may report to this box's listener, and who takes the reports: configured archives, and one that is tried."""

from dataclasses import dataclass

from gateway.net.commitment import Caller, Hear, RawReport


@dataclass(frozen=True, kw_only=True, slots=True)
class Guest:
    """Who may report for a while beside those that are configured: an archive that is being tried.

    `ours`: the title by which it calls this box; "" is the usual one.
    """

    ae_title: str
    host: str
    hear: Hear
    ours: str = ""


class Hearing:
    """Who takes reports: the guest's host first, then whoever takes those of the archives that are configured."""

    def __init__(self, hear: Hear | None) -> None:
        self._hear = hear
        self.guest: Guest | None = None

    @property
    def offered(self) -> bool:
        return self._hear is not None or self.guest is not None

    def hosts(self) -> tuple[str, ...]:
        guest = self.guest
        return (guest.host,) if guest else ()

    def hear(self, raw: RawReport, caller: Caller) -> bool:
        """Raises SpoolError."""
        guest = self.guest
        if guest and guest.hear(raw, caller):
            return True
        return self._hear is not None and self._hear(raw, caller)
