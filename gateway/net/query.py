"""C-FIND of the study root: which objects of a study an archive lists. Its answers are handed on unread."""

from pydicom.dataset import Dataset
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import time
    StudyRootQueryRetrieveInformationModelFind,
)

from gateway.errors import NeedsConfiguration, TryLater
from gateway.net.find import Answers, RawAnswer, ask
from gateway.net.peers import Peer, Timeouts, capital, in_both_syntaxes
from gateway.net.service import ServiceAssociation

MODEL = str(StudyRootQueryRetrieveInformationModelFind)
MOST_ANSWERS = 5000  # to one question; a series of an exam has a hundred objects
_ALLOWANCE = 32 * 1024 * 1024  # bytes over the life of the association
_BY_SETTINGS = frozenset({0x0122, 0x0124, 0xA900})  # not supported, not authorised, does not fit its class


class QueryAssociation(ServiceAssociation):
    """One association to an archive. Asking raises what entering it does."""

    def __init__(self, peer: Peer, *, our_ae: str, timeouts: Timeouts | None = None) -> None:
        self._heard = Answers(MOST_ANSWERS)
        super().__init__(
            peer,
            our_ae=our_ae,
            contexts=in_both_syntaxes(MODEL),
            timeouts=timeouts,
            allowance=_ALLOWANCE,
            heard=self._heard.take,
        )

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
