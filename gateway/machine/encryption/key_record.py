"""What the partition `key` says: how far the data partition came, what guards it, and what opens it.

Two copies, half a partition apart, each whole or worthless, also one in words of a newer version: a cut while one
is written leaves the other. Both are written at every change, so that no key outlives the one that took it out of
use.
"""

import base64
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from gateway.log import warn

COPY_BYTES = 16_384
_PLACES = (0, 524_288)
_MAGIC = b"scopegate-key\n"
_UNREADABLE = b"?"  # no copy, and not nothing
_log = logging.getLogger(__name__)


class State(StrEnum):
    """How far the data partition came."""

    NEW = "new"  # nothing was made yet
    MAKING = "making"  # the key is there, the partition may be half made
    MADE = "made"  # it holds, or held, what the clinic gave
    ERASING = "erasing"  # somebody wants a new box: nothing of it is opened any more


class Guard(StrEnum):
    """What stands between a thief and the data."""

    NONE = "none"  # the key lies beside the data
    TPM = "tpm"  # the key was sealed to this machine and its firmware
    PIN = "pin"  # a person types it at every start


class RecordDamaged(Exception):
    """The key partition holds something, and no copy of it counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRecord:
    """One state of the partition. `key`: the box's own key, sealed where the guard is the TPM, empty with a PIN."""

    state: State = State.NEW
    guard: Guard = Guard.NONE
    key: bytes = b""
    recovery: str = ""  # since when there is a recovery code: a date, ISO 8601
    sequence: int = 0


def read(partition: Path) -> KeyRecord:
    """Return the newest whole copy. Raises RecordDamaged, OSError.

    All but "made" leads to a partition that is written over, and an unreadable copy may have said "made": it
    counts only while both are whole.
    """
    raw = list(_copies(partition))
    whole = [record for record in map(_parsed, raw) if record]
    newest = max(whole, key=lambda record: record.sequence, default=KeyRecord())
    if newest.state is State.MADE or len(whole) == len(raw) or not any(copy.strip(b"\0") for copy in raw):
        return newest
    raise RecordDamaged


def write(partition: Path, record: KeyRecord) -> KeyRecord:
    """Write both copies, each flushed before the next is begun: older first. Raises OSError.

    A copy that cannot be written ends it, so that the other stays what it was: a cut would leave none.
    """
    raw = [_parsed(copy) for copy in _copies(partition)]
    ages = [copy.sequence if copy else -1 for copy in raw]
    newest = replace(record, sequence=max(*ages, 0) + 1)
    file = os.open(partition, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for place in sorted(range(len(_PLACES)), key=lambda number: ages[number]):
            os.pwrite(file, _bytes(newest), _PLACES[place])
            os.fsync(file)
    finally:
        os.close(file)
    return newest


def settled(partition: Path) -> KeyRecord:
    """Return the newest whole copy, after a cut written over the other, which may hold a key that is out of use.

    Raises RecordDamaged, OSError.
    """
    record = read(partition)
    same = [copy == record for copy in map(_parsed, _copies(partition))]
    if all(same) or not record.sequence:
        return record
    try:
        return write(partition, record)
    except OSError as error:
        if record.state is not State.MADE:
            raise
        warn(_log, "key_in_one_copy", error=type(error).__name__)
        return record


def _copies(partition: Path) -> Iterator[bytes]:
    """Yield what is in both places. Raises OSError: there is no such partition."""
    file = os.open(partition, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for place in _PLACES:
            try:
                yield os.pread(file, COPY_BYTES, place)
            except OSError as error:
                warn(_log, "key_copy_unreadable", error=type(error).__name__)
                yield _UNREADABLE
    finally:
        os.close(file)


def _bytes(record: KeyRecord) -> bytes:
    said: dict[str, Any] = asdict(record)
    said["key"] = base64.b64encode(record.key).decode()
    body = json.dumps(said).encode()
    raw = _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"
    if len(raw) > COPY_BYTES:
        raise ValueError("a key of that length has no room")
    return raw.ljust(COPY_BYTES, b"\0")


def _parsed(raw: bytes) -> KeyRecord | None:
    if not raw.startswith(_MAGIC):
        return None
    digest, _, rest = raw[len(_MAGIC) :].partition(b"\n")
    body = rest.partition(b"\n")[0]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    said = json.loads(body)
    try:
        state, guard = State(said["state"]), Guard(said["guard"])
    except ValueError:  # of a version that knows more
        return None
    return KeyRecord(
        state=state,
        guard=guard,
        key=base64.b64decode(said["key"]),
        recovery=said["recovery"],
        sequence=said["sequence"],
    )
