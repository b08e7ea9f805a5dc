"""Which forms one destination takes, as its contexts and answers show. A form: SOP class and transfer syntax."""

from collections.abc import Callable, Sequence
from functools import cached_property

from gateway.net.store import Wanted
from gateway.spool.queue.destinations import Destinations, Taken


class Forms:
    """Writes what is new, for whoever makes other objects of what is not taken."""

    def __init__(self, destinations: Destinations, destination: str) -> None:
        self._destinations = destinations
        self._destination = destination

    @cached_property
    def _known(self) -> dict[tuple[str, str], Taken]:
        return self._destinations.forms(self._destination)

    def offered(self, wanted: Sequence[Wanted], accepted: Callable[[str], Sequence[str]]) -> None:
        """Note what is not taken as it is sealed, or as it could go instead; `accepted`: what is, of a class.

        An accepted context takes back that there was none and says no more: some archives, and all on the web,
        refuse with their answer. What an answer refused stays refused until an answer says otherwise.
        """
        asked = {(each.sop_class_uid, syntax) for each in wanted for syntax in each.asked}
        open_now = {form for form in asked if form[1] in accepted(form[0])}
        self._forget({form for form in open_now if self._known.get(form) is Taken.NO_CONTEXT})
        closed = {form for form in asked - open_now if self._known.get(form) is not Taken.NO}
        self._note(dict.fromkeys(closed, Taken.NO_CONTEXT))

    def answered(self, sop_class_uid: str, transfer_syntax_uid: str, *, taken: bool) -> None:
        """Note what the answer to an object showed."""
        self._note({(sop_class_uid, transfer_syntax_uid): Taken.YES if taken else Taken.NO})

    def _note(self, forms: dict[tuple[str, str], Taken]) -> None:
        if new := {form: taken for form, taken in forms.items() if self._known.get(form) is not taken}:
            self._destinations.learn(self._destination, new)
            self._known.update(new)

    def _forget(self, forms: set[tuple[str, str]]) -> None:
        if forms:
            self._destinations.forget(self._destination, forms)
            for form in forms:
                del self._known[form]
