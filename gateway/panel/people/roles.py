"""Who may do what: the doors, the roles, and what a route says of them. Decides; knows no requests.

docs/decisions/0028-people-and-doors.md tells why.
"""

from dataclasses import dataclass
from enum import StrEnum

from starlette.types import Scope

CALLER = "scopegate.caller"  # key of an ASGI scope; nothing in a request can set one
DOOR = "scopegate.door"


class Door(StrEnum):
    """Which listener a connection came through."""

    FRONT = "front"  # loopback: the screen of the box
    LAN = "lan"  # TLS: a browser of the clinic's network


class Role(StrEnum):
    NOBODY = "nobody"  # not signed in: sees the sign-in page
    TECHNICIAN = "technician"  # does exams
    REVIEWER = "reviewer"  # looks at pictures, exports, changes nothing
    ADMINISTRATOR = "administrator"  # sets the box up, manages people
    SERVICE = "service"  # devices, logs and counts; never a patient


ASSIGNED = (Role.TECHNICIAN, Role.REVIEWER, Role.ADMINISTRATOR, Role.SERVICE)  # what a person can be


@dataclass(frozen=True, kw_only=True, slots=True)
class Permit:
    """What a route says of its callers."""

    roles: frozenset[Role]
    takes_pictures: bool = False  # through the second door only where `lan.capture` allows it
    front_only: bool = False  # whoever asks must stand before the box
    while_new: bool = False  # whoever stands before the box may, too, until there is an administrator


def permit(*roles: Role, takes_pictures: bool = False, front_only: bool = False, while_new: bool = False) -> Permit:
    """Return who may use a route. Raises ValueError for nobody at all."""
    if not roles:
        raise ValueError("a route that nobody may use")
    return Permit(roles=frozenset(roles), takes_pictures=takes_pictures, front_only=front_only, while_new=while_new)


EVERYBODY = permit(*Role)
SIGNED_IN = permit(*ASSIGNED)  # states and numbers of the box, no patient
LOOK = permit(Role.TECHNICIAN, Role.REVIEWER, Role.ADMINISTRATOR)  # patients and pictures are seen
WORK = permit(Role.TECHNICIAN, Role.ADMINISTRATOR)  # exams are changed
CAPTURE = permit(Role.TECHNICIAN, Role.ADMINISTRATOR, takes_pictures=True)
SERVE = permit(Role.SERVICE, Role.ADMINISTRATOR)  # devices, states, logs; no patient
SET_UP = permit(Role.ADMINISTRATOR)
FIRST_SET_UP = permit(Role.ADMINISTRATOR, while_new=True)  # who could make themselves administrator anyhow
FIRST_SET_UP_AT_THE_BOX = permit(Role.ADMINISTRATOR, front_only=True, while_new=True)
SET_UP_AT_THE_BOX = permit(Role.ADMINISTRATOR, front_only=True)
AT_THE_BOX = permit(*Role, front_only=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks."""

    door: Door
    roles: frozenset[Role]
    person: str = ""  # the name under which somebody signed in
    person_id: str = ""
    session: str = ""  # which sign-in it is; "" without one
    address: str = ""  # of the other machine; "" at the front
    captures: bool = True  # whether pictures may be taken through this door
    is_new: bool = False  # asks before the box, which has no administrator yet

    def may(self, wanted: Permit) -> bool:
        """Say whether a route that says this takes this caller."""
        if wanted.front_only and self.door is not Door.FRONT:
            return False
        if wanted.takes_pictures and not self.captures:
            return False
        return bool(self.roles & wanted.roles) or (wanted.while_new and self.is_new)

    @property
    def is_known(self) -> bool:
        return self.roles != {Role.NOBODY}

    @property
    def home(self) -> str:
        """Return the first page of this caller."""
        if self.may(WORK):
            return "/"
        if self.may(LOOK):
            return "/archive"
        return "/more" if self.is_known else "/sign-in"


def caller_of(scope: Scope) -> Caller:
    """Return who asks; the guard found it out before any route is asked."""
    found = scope[CALLER]
    assert isinstance(found, Caller)
    return found
