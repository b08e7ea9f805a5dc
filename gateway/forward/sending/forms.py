"""Which forms one destination takes, as its contexts and answers show. A form: SOP class and transfer syntax."""

from collections.abc import Callable, Sequence

from gateway.net.store import Wanted
from gateway.spool.destinations import Destinations


class Forms:
    """Writes what is new, for whoever makes other objects of what is not taken."""

    def __init__(self, destinations: Destinations, destination: str) -> None:
        self._destinations = destinations
        self._destination = destination
        self._known: dict[tuple[str, str], bool] = {}

    def offered(self, wanted: Sequence[Wanted], accepted: Callable[[str], Sequence[str]]) -> None:
        """Note what is not taken as it is sealed, or as it could go instead; `accepted`: what is, of a class.

        An accepted context says nothing yet: some archives, and all on the web, refuse with their answer.
        """
        forms = {(each.sop_class_uid, syntax) for each in wanted for syntax in each.asked}
        self._note({form: False for form in forms if form[1] not in accepted(form[0])})

    def answered(self, sop_class_uid: str, transfer_syntax_uid: str, *, taken: bool) -> None:
        """Note what the answer to an object showed."""
        self._note({(sop_class_uid, transfer_syntax_uid): taken})

    def _note(self, forms: dict[tuple[str, str], bool]) -> None:
        if new := {form: taken for form, taken in forms.items() if self._known.get(form) is not taken}:
            self._destinations.learn(self._destination, new)
            self._known.update(new)
