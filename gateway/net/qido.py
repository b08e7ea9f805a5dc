"""QIDO-RS: which objects an archive says it has. Its word, not a proof that they are safe."""

from collections.abc import Collection
from typing import Self

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, NeverAccepted, TryLater
from gateway.net import webanswers
from gateway.net.peers import Timeouts, capital
from gateway.net.web import Answer, Web

_JSON = {"Accept": "application/dicom+json"}
_PAGE = 500
_MOST_PAGES = 100
_LARGEST = 16 * 1024 * 1024  # bytes of one page
_NOTHING = 204
# What servers answer without this search, or to one who may store but not search.
_NO_SEARCH = frozenset({400, 403, 404, 405, 406, 501})


class QidoFinder:
    """Asks one archive; enter it first."""

    def __init__(self, destination: Destination, *, timeouts: Timeouts | None = None) -> None:
        self._timeouts = timeouts or Timeouts()
        self._web = Web(destination, timeouts=self._timeouts)

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    def find(self, study_instance_uid: str, uids: Collection[str]) -> frozenset[str]:
        """Return those of `uids` that the archive says it has in this study.

        Raises TryLater and NeedsConfiguration when it does not say.
        """
        wanted, seen, there = frozenset(uids), set[str](), set[str]()
        for _ in range(_MOST_PAGES):  # of any length: some archives send less than is asked for
            params = {"StudyInstanceUID": study_instance_uid, "limit": str(_PAGE), "offset": str(len(seen))}
            found = _read(self._web, _search(self._web, params, seconds=self._timeouts.answer))
            there.update(each.uid for each in found if each.there and each.study in {study_instance_uid, ""})
            new = {each.uid for each in found} - seen
            if there >= wanted or not new:  # an archive that knows no offset repeats itself
                return wanted & there
            seen |= new
        raise TryLater(f"{capital(self._web.peer.who)} lists more objects than an examination has.", code="endless")


def has(web: Web, sop_instance_uid: str, *, seconds: float) -> bool | None:
    """Say whether the archive has this object; None when it knows no such search."""
    params = {"SOPInstanceUID": sop_instance_uid, "limit": "2"}
    answer = _search(web, params, seconds=seconds)
    if answer.status in _NO_SEARCH or _refuses(answer):
        return None
    # Compared again: some servers ignore what they do not know, and answer with anything.
    return sop_instance_uid in {each.uid for each in _read(web, answer) if each.there}


def _refuses(answer: Answer) -> bool:
    """Say whether the search is refused for itself: that says nothing about the object."""
    return not answer.ok and isinstance(webanswers.by_status(answer.status, who=""), NeverAccepted)


def _search(web: Web, params: dict[str, str], *, seconds: float) -> Answer:
    return web.ask("GET", "/instances", seconds=seconds, most=_LARGEST, params=params, headers=_JSON)


def _read(web: Web, answer: Answer) -> list[webanswers.Listed]:
    if not answer.ok:
        error: DeliveryError = webanswers.by_status(answer.status, who=web.peer.who)
        error.status = ""  # it is about the search, not about the object
        error.retry_after_s = answer.retry_after_s
        raise error
    try:
        return [] if answer.status == _NOTHING else webanswers.found_in(answer.body)
    except ValueError:
        raise TryLater(
            f"{capital(web.peer.who)} answered a search with something that is no list of objects.", code="garbage"
        ) from None
