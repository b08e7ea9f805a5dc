"""C-FIND of the study root: which objects of a study an archive lists. Its answers are handed on unread."""

from typing import Self

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import time
    StudyRootQueryRetrieveInformationModelFind,
)

from gateway.errors import NeedsConfiguration, TryLater
from gateway.net.association import Link, open_link
from gateway.net.find import Answers, RawAnswer, ask
from gateway.net.peers import Context, Peer, Timeouts, capital

MODEL = str(StudyRootQueryRetrieveInformationModelFind)
MOST_ANSWERS = 5000  # to one question; a series of an exam has a hundred objects
_ALLOWANCE = 32 * 1024 * 1024  # bytes over the life of the association
_BY_SETTINGS = frozenset({0x0122, 0x0124, 0xA900})  # not supported, not authorised, does not fit its class


class QueryAssociation:
    """One association to an archive. Entering it and asking raise TryLater or NeedsConfiguration."""

    def __init__(self, peer: Peer, *, our_ae: str, timeouts: Timeouts | None = None) -> None:
        self._peer = peer
        self._our_ae = our_ae
        self._timeouts = timeouts or Timeouts()
        self._heard = Answers(MOST_ANSWERS)
        self._link: Link | None = None

    def __enter__(self) -> Self:
        offers = [
            Context(abstract_syntax=MODEL, transfer_syntax=str(syntax))
            for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        ]
        self._link = open_link(
            self._peer,
            our_ae=self._our_ae,
            contexts=offers,
            timeouts=self._timeouts,
            allowance=_ALLOWANCE,
            heard=self._heard.take,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._link is not None:
            self._link.release()

    def series(self, study: str) -> list[RawAnswer]:
        """Return an answer for every series of a study, each with its SeriesInstanceUID."""
        keys = Dataset()
        keys.QueryRetrieveLevel = "SERIES"
        keys.StudyInstanceUID = study
        keys.SeriesInstanceUID = ""
        return self._ask(keys)

    def instances(self, study: str, series: str) -> list[RawAnswer]:
        """Return an answer for every object of a series, with SOPInstanceUID and maybe InstanceAvailability."""
        keys = Dataset()
        keys.QueryRetrieveLevel = "IMAGE"
        keys.StudyInstanceUID = study
        keys.SeriesInstanceUID = series
        keys.SOPInstanceUID = ""
        keys.InstanceAvailability = ""
        return self._ask(keys)

    def _ask(self, keys: Dataset) -> list[RawAnswer]:
        link = self._link
        assert link is not None
        if status := ask(link, keys, MODEL, self._heard):
            kind = NeedsConfiguration if status in _BY_SETTINGS else TryLater
            raise kind(
                f"{capital(self._peer.who)} does not say what it has (status {status:04X}).",
                code="query-refused",
                action="Call IT: let this box ask it (Study Root Query). The pictures stay on this box.",
            )
        return self._heard.answers
