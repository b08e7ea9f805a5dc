"""people.json: who may use the box, with hashes of their PINs. The only module that reads or writes it."""

import json
import threading
import unicodedata
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.clock import Clock
from gateway.config.recovery_code import digits_of, new_code
from gateway.errors import BadValue
from gateway.panel.people.roles import ASSIGNED, Role
from gateway.panel.people.secrets import Hashes
from gateway.panel.problems import (
    AdministratorExists,
    LastAdministrator,
    NameTaken,
    NoSuchPerson,
    PeopleUnreadable,
    WrongCode,
)
from gateway.spool.files import Files

MOST = 200
LONGEST_NAME = 32
_ID_DIGITS = 12
_TAIL = 4  # digits by which a person shows that the code was written down


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    id: str
    name: str
    role: Role
    hash: str  # of the PIN


@dataclass(frozen=True, kw_only=True, slots=True)
class _Content:
    people: tuple[Person, ...] = ()
    recovery: str = ""  # hash of the recovery code; "" there is none
    recovery_confirmed: bool = False


class People:
    """The people of this box, read once. What changes them is durable when it returns."""

    def __init__(self, *, path: Path, files: Files, clock: Clock, hashes: Hashes) -> None:
        self._path = path
        self._files = files
        self._clock = clock
        self._hashes = hashes
        self._lock = threading.RLock()
        self._shown = ""  # the code that was shown last, until somebody showed that it was written down
        self._content, self.is_readable = _read(path)

    @property
    def has_administrator(self) -> bool:
        return any(person.role is Role.ADMINISTRATOR for person in self._content.people)

    @property
    def recovery_confirmed(self) -> bool:
        """Say whether somebody showed that the recovery code was written down."""
        return self._content.recovery_confirmed

    def all(self) -> tuple[Person, ...]:
        return tuple(sorted(self._content.people, key=lambda person: person.name.casefold()))

    def get(self, identifier: str) -> Person:
        """Raises NoSuchPerson."""
        for person in self._content.people:
            if person.id == identifier:
                return person
        raise NoSuchPerson

    def named(self, name: str) -> Person | None:
        wanted = unicodedata.normalize("NFC", name.strip()).casefold()
        return next((person for person in self._content.people if person.name.casefold() == wanted), None)

    # --- checking: slow ------------------------------------------------------------------------------------

    def check(self, name: str, pin: str) -> Person | None:
        """Return whose name and PIN these are. Takes as long for a name that nobody has."""
        person = self.named(name)
        if not self._hashes.fits(person.hash if person else "", pin) or person is None:
            return None
        if self._hashes.is_old(person.hash):
            self._replace(replace(person, hash=self._hashes.of(pin)))
        return person

    def check_code(self, code: str) -> bool | None:
        """Return True for the recovery code, None for another one."""
        digits = digits_of(code)
        return True if self._hashes.fits(self._content.recovery, digits) and digits else None

    def check_administrator(self, name: str, pin: str) -> bool | None:
        """Return True for an administrator's name and PIN, None for others."""
        person = self.check(name, pin)
        return True if person and person.role is Role.ADMINISTRATOR else None

    # --- changing: slow ------------------------------------------------------------------------------------

    def first(self, name: str, pin: str) -> tuple[Person, str]:
        """Make the first administrator; return them and the recovery code. Raises AdministratorExists."""
        with self._lock:
            if self.has_administrator:
                raise AdministratorExists
            person = self._made(name, Role.ADMINISTRATOR, pin)
            code = self._keep_with_new_code((*self._content.people, person))
            return person, code

    def add(self, name: str, role: Role, pin: str) -> Person:
        """Raises NameTaken, BadValue."""
        with self._lock:
            if len(self._content.people) >= MOST:
                raise BadValue(f"There are {MOST} people already.")
            person = self._made(name, role, pin)
            self._keep(replace(self._content, people=(*self._content.people, person)))
            return person

    def set_role(self, identifier: str, role: Role) -> Person:
        """Raises NoSuchPerson, LastAdministrator."""
        with self._lock:
            person = self.get(identifier)
            if role is not Role.ADMINISTRATOR:
                self._leave_one(person)
            return self._replace(replace(person, role=role))

    def set_pin(self, identifier: str, pin: str) -> Person:
        """Raises NoSuchPerson."""
        with self._lock:
            return self._replace(replace(self.get(identifier), hash=self._hashes.of(pin)))

    def remove(self, identifier: str) -> Person:
        """Raises NoSuchPerson, LastAdministrator."""
        with self._lock:
            person = self.get(identifier)
            self._leave_one(person)
            left = tuple(each for each in self._content.people if each.id != identifier)
            self._keep(replace(self._content, people=left))
            return person

    def recover(self, name: str, code: str, pin: str) -> tuple[Person, str]:
        """Give an administrator another PIN; return them and the next code, for this one is used up.

        Raises WrongCode.
        """
        with self._lock:
            person, digits = self.named(name), digits_of(code)
            fits = self._hashes.fits(self._content.recovery, digits)
            if not fits or not digits or person is None or person.role is not Role.ADMINISTRATOR:
                raise WrongCode
            other = replace(person, hash=self._hashes.of(pin))
            return other, self._keep_with_new_code(self._with(other))

    def renew_code(self) -> str:
        """Return another recovery code; the one before does not count any more."""
        with self._lock:
            return self._keep_with_new_code(self._content.people)

    def shown_code(self, tail: str) -> str:
        """Return the code that was shown last, whose last digits these are. Raises WrongCode."""
        code = self._shown
        if not code or tail.strip().upper() != code[-_TAIL:]:
            raise WrongCode
        return code

    def confirm_code(self, code: str) -> None:
        """Keep that this code was written down. Raises WrongCode: another one was shown since."""
        with self._lock:
            if not code or code != self._shown:
                raise WrongCode
            self._keep(replace(self._content, recovery_confirmed=True))
            self._shown = ""

    # --- inside --------------------------------------------------------------------------------------------

    def _made(self, name: str, role: Role, pin: str) -> Person:
        name = unicodedata.normalize("NFC", name.strip())
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            raise BadValue(f"A name has 1 to {LONGEST_NAME} characters.")
        if role not in ASSIGNED:
            raise BadValue("This is no role.")
        if self.named(name):
            raise NameTaken
        return Person(id=self._clock.token(_ID_DIGITS), name=name, role=role, hash=self._hashes.of(pin))

    def _leave_one(self, person: Person) -> None:
        administrators = [each for each in self._content.people if each.role is Role.ADMINISTRATOR]
        if administrators == [person]:
            raise LastAdministrator

    def _replace(self, person: Person) -> Person:
        with self._lock:
            self._keep(replace(self._content, people=self._with(person)))
            return person

    def _with(self, person: Person) -> tuple[Person, ...]:
        return tuple(person if each.id == person.id else each for each in self._content.people)

    def _keep_with_new_code(self, people: tuple[Person, ...]) -> str:
        code = new_code(self._clock.token)
        self._keep(_Content(people=people, recovery=self._hashes.of(digits_of(code))))
        self._shown = code
        return code

    def _keep(self, content: _Content) -> None:
        if not self.is_readable:
            raise PeopleUnreadable
        self._files.write_secret(self._path, (json.dumps({"version": 1, **asdict(content)}) + "\n").encode())
        self._content = content


def _read(path: Path) -> tuple[_Content, bool]:
    """Return what the file says, and whether it could be read: a damaged one must not look like a new box."""
    try:
        raw = json.loads(path.read_bytes())
        people = tuple(
            Person(id=str(each["id"]), name=str(each["name"]), role=Role(each["role"]), hash=str(each["hash"]))
            for each in raw["people"]
        )
        recovery, confirmed = str(raw["recovery"]), raw["recovery_confirmed"] is True
    except FileNotFoundError:
        return _Content(), True
    except (OSError, ValueError, KeyError, TypeError):
        return _Content(), False
    return _Content(people=people, recovery=recovery, recovery_confirmed=confirmed), True
