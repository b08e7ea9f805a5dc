"""The mark `<uid>.purged` of a capture whose pictures were let go: when, why, and who has them now."""

import logging
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import SpoolDamaged
from gateway.log import warn
from gateway.spool import records

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """Who has a picture, and how that is known: "commitment" or "query"."""

    destination: str
    proof: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """The content of a mark. `why`: "committed" or "rejected"."""

    utc: str
    why: str
    proofs: tuple[Proof, ...] = ()


def read(path: Path) -> Mark | None:
    """Return the mark, None when there is none; nothing is removed for one that cannot be read."""
    try:
        return records.load(Mark, path.read_bytes())
    except FileNotFoundError:
        return None
    except (SpoolDamaged, OSError) as error:
        warn(_log, "purge_mark_damaged", exam=path.parent.name, error=type(error).__name__)
        return None
