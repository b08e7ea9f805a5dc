"""C-STORE to one archive: what is offered, how a file goes out unchanged, which answer means what to do."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, NeedsConfiguration, NeverAccepted, SpoolDamaged, TryLater
from gateway.log import event
from gateway.net import statuses
from gateway.net.peers import Context, Peer, Timeouts
from gateway.net.service import ServiceAssociation
from gateway.net.wires import WireBroken

_log = logging.getLogger(__name__)

_MOST_CONTEXTS = 128  # odd identifiers 1 to 255 (PS3.8 9.3.2.2)
_UNCOMPRESSED = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
_MEDIUM = 0  # priority (PS3.7 9.3.1.1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What one object needs: its class, the syntax it is sealed in, whether its pixels lost anything.

    `instead`: the syntax that something made of it could go in, asked about beside its own; "" = none.
    """

    sop_class_uid: str
    transfer_syntax_uid: str
    lossy: bool
    instead: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        """Return the syntaxes of this object alone."""
        return (self.transfer_syntax_uid, self.instead) if self.instead else (self.transfer_syntax_uid,)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreResult:
    """The archive has it. `status`: four hex digits, or "HTTP 200"; `warning`: what it did to the object, or ""."""

    status: str
    warning: str = ""


def contexts_for(wanted: Iterable[Wanted], override: tuple[str, ...] = ()) -> tuple[Context, ...]:
    """Return what to offer: each class in its own syntax, and uncompressed where nothing was lost yet.

    `override` replaces the ladder for every class. Own syntaxes come first: what is beyond 128 contexts is cut.
    """
    objects = tuple(wanted)
    pairs = [(o.sop_class_uid, syntax) for o in objects for syntax in (override or o.asked)]
    if not override:
        # Video and lossy pictures would only grow; what decoding gains there, the archive can do itself.
        pairs += [(o.sop_class_uid, syntax) for o in objects if not o.lossy for syntax in _UNCOMPRESSED]
    unique = dict.fromkeys(pairs)
    return tuple(Context(abstract_syntax=c, transfer_syntax=s) for c, s in unique)[:_MOST_CONTEXTS]


class StoreAssociation(ServiceAssociation):
    """One association to one destination, offering what a list of objects needs.

    After a failure that leaves it in doubt the object may or may not have arrived: it goes again, as it is.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        our_ae: str,
        wanted: Iterable[Wanted],
        timeouts: Timeouts | None = None,
    ) -> None:
        peer = Peer(
            kind="archive",
            name=destination.name,
            ae_title=destination.ae_title,
            host=destination.host,
            port=destination.port,
            tls=destination.tls,
        )
        contexts = contexts_for(wanted, destination.transfer_syntaxes)
        super().__init__(peer, our_ae=our_ae, contexts=contexts, timeouts=timeouts)
        self._message = 0

    def accepted(self, sop_class_uid: str) -> tuple[str, ...]:
        """Return the transfer syntaxes the archive takes this class in, in the order they were offered."""
        if self._link is None:
            return ()
        return tuple(c.transfer_syntax for c in self._link.accepted if c.abstract_syntax == sop_class_uid)

    def store(
        self,
        source: Path | bytes,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sent_before: bool = False,
    ) -> StoreResult:
        """Send one DICOM file, its data set byte for byte, and say what the archive answered.

        source: the file, or its content. sent_before: this very object may have arrived by an earlier try.
        Raises TryLater, NeedsConfiguration, NeverAccepted; SpoolDamaged when the file cannot be read.
        """
        if transfer_syntax_uid not in self.accepted(sop_class_uid):
            raise NeedsConfiguration(
                f"The archive {self._peer.name} does not take this kind of object in its format.",
                code="no-context",
            )
        with as_file(source) as file:
            verify(file, (sop_class_uid, sop_instance_uid, transfer_syntax_uid))
            status = self._send(file)
        return self._judge(status, sent_before=sent_before)

    def _send(self, file: Path) -> int:
        link = self._link
        if link is None or not link.usable:
            raise TryLater(f"The connection to the archive {self._peer.name} has ended.", code="dropped")
        self._message = self._message % 0xFFFF + 1
        answer = None
        try:
            with link.within(self._timeouts.for_bytes(file.stat().st_size)):
                answer = link.association.send_c_store(file, msg_id=self._message, priority=_MEDIUM)
        except WireBroken:
            raise link.broken() from None
        except (RuntimeError, ValueError):  # the association ended between our look and pynetdicom's
            raise link.broken() from None
        except OSError as error:
            link.drop()
            raise SpoolDamaged(f"An object's file cannot be read ({type(error).__name__}).") from error
        # pynetdicom's word for "no answer"; the association may still call itself established
        if "Status" not in answer:
            raise link.broken()
        return int(answer.Status)

    def _judge(self, status: int, *, sent_before: bool) -> StoreResult:
        rule = statuses.rule_for(status)
        if rule.meaning is statuses.Meaning.STORED or (rule.meaning is statuses.Meaning.DUPLICATE and sent_before):
            return StoreResult(status=f"{status:04X}")
        if rule.meaning is statuses.Meaning.STORED_WITH_WARNING:
            event(_log, "stored_with_warning", destination=self._peer.name, status=f"{status:04X}")
            return StoreResult(
                status=f"{status:04X}", warning=f"The archive {self._peer.name} stored it but {rule.says}."
            )
        error: DeliveryError = statuses.failure(status, who=self._peer.who)
        if rule.code == "duplicate-invocation" and self._link is not None:
            self._link.drop()
        raise error


@contextmanager
def as_file(source: Path | bytes) -> Iterator[Path]:
    """Give content a name that lasts as long as the block, without a disk."""
    if isinstance(source, Path):
        yield source
        return
    with os.fdopen(os.memfd_create("object"), "wb") as memory:
        memory.write(source)
        memory.flush()
        yield Path(f"/proc/self/fd/{memory.fileno()}")


def verify(file: Path, expected: tuple[str, str, str]) -> None:
    """Refuse a file that is not the object its record says; pynetdicom would announce what the file says."""
    try:
        meta = read_file_meta_info(file)
        found = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID)
    except (OSError, InvalidDicomError, AttributeError, ValueError) as error:
        raise SpoolDamaged(f"An object's file cannot be read ({type(error).__name__}).") from error
    if tuple(str(uid) for uid in found) != expected:
        raise NeverAccepted("An object's file is not the object that its record names.", code="object-mismatch")
