"""Asks an archive which objects it has. Each kind of archive is one class here; `finder_of` knows them by name."""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from gateway.config.settings import Destination
from gateway.dicom import elements
from gateway.dicom.elements import Elements, Malformed
from gateway.dicom.part10 import EXPLICIT_LE
from gateway.errors import TryLater
from gateway.net.find import RawAnswer
from gateway.net.peers import Peer, Timeouts, capital, service_of
from gateway.net.qido import QidoFinder
from gateway.net.query import QueryAssociation

_MOST_SERIES = 200  # that are looked into; an exam makes a handful
_NOT_THERE = "UNAVAILABLE"  # listed, but cannot be retrieved (PS3.3 C.4.23.1.1)


class Finder(Protocol):
    """What is needed of an archive that can be asked."""

    def find(self, study_instance_uid: str, sop_instance_uids: Collection[str]) -> frozenset[str]:
        """Return those of these SOP Instance UIDs that the archive says it has in this study.

        Raises TryLater or NeedsConfiguration when it gives no whole answer: nothing is known then.
        """


class DicomFinder:
    """Asks by C-FIND: for the series of the study, then for the objects of each until all are found."""

    def __init__(self, peer: Peer, *, our_ae: str, timeouts: Timeouts | None = None) -> None:
        self._peer = peer
        self._our_ae = our_ae
        self._timeouts = timeouts

    def find(self, study_instance_uid: str, sop_instance_uids: Collection[str]) -> frozenset[str]:
        """See Finder."""
        wanted, found = set(sop_instance_uids), set[str]()
        with QueryAssociation(self._peer, our_ae=self._our_ae, timeouts=self._timeouts) as archive:
            listed = list(_read(archive.series(study_instance_uid)))
            for each in listed[:_MOST_SERIES]:
                series = each.text("SeriesInstanceUID")
                for instance in _read(archive.instances(study_instance_uid, series)) if series else ():
                    of = instance.text("StudyInstanceUID")
                    # Compared again: some servers ignore what they are asked for and list all they have.
                    if of in {study_instance_uid, ""} and instance.text("InstanceAvailability") != _NOT_THERE:
                        found.add(instance.text("SOPInstanceUID"))
                if wanted <= found:
                    return frozenset(wanted)
        if len(listed) > _MOST_SERIES:
            raise TryLater(f"{capital(self._peer.who)} lists more series than an examination has.", code="endless")
        return frozenset(wanted & found)


class WebFinder:
    """Asks by QIDO-RS; one connection a question."""

    def __init__(self, destination: Destination, *, timeouts: Timeouts | None = None) -> None:
        self._destination = destination
        self._timeouts = timeouts

    def find(self, study_instance_uid: str, sop_instance_uids: Collection[str]) -> frozenset[str]:
        """See Finder."""
        with QidoFinder(self._destination, timeouts=self._timeouts) as archive:
            return archive.find(study_instance_uid, sop_instance_uids)


def finder_of(destination: Destination, *, our_ae: str, timeouts: Timeouts | None = None) -> Finder | None:
    """Return what asks this destination, None when it cannot be asked."""
    if destination.kind == "stow":
        return WebFinder(destination, timeouts=timeouts) if destination.query else None
    peer = service_of(destination, destination.query)
    return DicomFinder(peer, our_ae=our_ae, timeouts=timeouts) if peer else None


def _read(answers: Sequence[RawAnswer]) -> Iterator[Elements]:
    """Read answers; one that cannot be read names nothing."""
    for answer in answers:
        try:
            yield elements.parse(answer.raw, explicit=answer.transfer_syntax_uid == EXPLICIT_LE)
        except Malformed:
            continue
