"""Signing in, the first administrator, the people of the box and the way back with the recovery code."""

from urllib.parse import urlsplit

from starlette.requests import Request

from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.doors.second_door import SecondDoor
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import AT_THE_BOX, EVERYBODY, SET_UP, SIGNED_IN, Door, Role, caller_of
from gateway.panel.people.store import LONGEST_NAME
from gateway.panel.problems import PeopleUnreadable

ROLE_WORDS = {
    Role.TECHNICIAN: (N_("Technician"), N_("Does exams.")),
    Role.REVIEWER: (N_("Reviewer"), N_("Looks at pictures and exports them.")),
    Role.ADMINISTRATOR: (N_("Administrator"), N_("Sets the box up and manages people.")),
    Role.SERVICE: (N_("Service"), N_("Sees devices and counts, no patients.")),
}

FIRST_NAME = N_("Administrator")  # of who types no other


class PeoplePages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._people = context.desk.people
        self._repair = context.own_machine.repair
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/sign-in", "sign_in.html", self._sign_in, who=EVERYBODY),
            self._frame.route("/first", "first.html", self._first, who=AT_THE_BOX),
            self._frame.route("/first/name", "person_name.html", self._first_name, who=AT_THE_BOX),
            self._frame.route("/recover", "recover.html", self._recover, who=AT_THE_BOX),
            self._frame.route("/pin", "pin.html", self._pin, who=SIGNED_IN),
            self._frame.route("/people", "people.html", self._list, who=SET_UP),
            self._frame.route("/people/name", "person_name.html", self._name, who=SET_UP),
            self._frame.route("/people/add", "person.html", self._add, who=SET_UP),
            self._frame.route("/people/code", "code.html", self._code, who=SET_UP),
            self._frame.route("/people/{person}", "person.html", self._person, who=SET_UP),
        ]

    def _sign_in(self, request: Request) -> Values:
        caller = caller_of(request.scope)
        at_the_box = caller.door is Door.FRONT
        if at_the_box and not self._people.has_administrator and self._people.is_readable:
            raise Elsewhere("/first")
        wanted = next_page(request.query_params.get("next", ""), "/more" if at_the_box else "/")
        # Names are shown to who stands before the box, to nobody else, and only of whom that page is for.
        roles = {Role.ADMINISTRATOR, Role.SERVICE} if _is_service(wanted) else {Role.ADMINISTRATOR}
        return {
            "names": [person.name for person in self._people.all() if person.role in roles] if at_the_box else [],
            "trouble": None if self._people.is_readable else PeopleUnreadable(),
            "repaired": self._repair.there,
            "next": wanted,
        }

    def _first(self, request: Request) -> Values:
        """Ask for the first administrator's PIN; the name was typed on a page of its own, which has the letters."""
        self._nobody_yet()
        if not (name := typed_name(request)):
            raise Elsewhere("/first/name")
        return {"name": name}

    def _first_name(self, request: Request) -> Values:
        self._nobody_yet()
        return {
            "keyboard": self._frame.keyboard(request),
            "title": N_("First administrator"),
            "value": typed_name(request) or self._frame.word(request, FIRST_NAME),
            "to": "/first",
            "back": "/more",
            "is_first": True,
        }

    def _recover(self, request: Request) -> Values:
        del request
        if not self._people.has_administrator:
            raise Elsewhere("/first")  # which leads on to what is the matter
        names = [person.name for person in self._people.all() if person.role is Role.ADMINISTRATOR]
        return {"names": names, "repaired": self._repair.there}

    def _pin(self, request: Request) -> Values:
        if not caller_of(request.scope).person:
            raise Elsewhere("/sign-in?next=/pin")
        return {}

    def _list(self, request: Request) -> Values:
        door: SecondDoor | None = request.app.state.second_door
        return {
            "network": (door.address or "shut") if door else "",
            "people": self._people.all(),
            "role_words": ROLE_WORDS,
            "recovery_confirmed": self._people.recovery_confirmed,
        }

    def _name(self, request: Request) -> Values:
        return {
            "keyboard": self._frame.keyboard(request),
            "title": N_("Add a person"),
            "value": "",
            "to": "/people/add",
            "back": "/people",
            "is_first": False,
        }

    def _add(self, request: Request) -> Values:
        """Ask for role and PIN; `name` was typed on the page before, on a screen without a keyboard."""
        return {"person": None, "name": typed_name(request), "role_words": ROLE_WORDS}

    def _person(self, request: Request) -> Values:
        person = self._people.get(request.path_params["person"])
        return {"person": person, "name": "", "role_words": ROLE_WORDS}

    def _code(self, request: Request) -> Values:
        del request
        return {}

    def _nobody_yet(self) -> None:
        """Lead away where nobody can become the first administrator: there is one, or nobody knows."""
        if self._people.has_administrator or not self._people.is_readable:
            raise Elsewhere("/sign-in")


def typed_name(request: Request) -> str:
    """Return the name that was typed on the page before, "" for none."""
    return request.query_params.get("name", "").strip()[:LONGEST_NAME]


def _is_service(page: str) -> bool:
    return f"{urlsplit(page).path}/".startswith("/service/")


def next_page(wanted: str, usual: str) -> str:
    """Return where to go after signing in: a page of this box, whatever the address says."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return usual
    ours = wanted.startswith("/") and not wanted.startswith("//") and not parts.scheme and not parts.netloc
    if not ours or "\\" in wanted or not wanted.isprintable() or parts.path == "/sign-in":
        return usual
    return wanted
