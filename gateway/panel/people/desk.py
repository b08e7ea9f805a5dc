"""Signing in and out: checks PINs one at a time, makes wrong ones wait, writes down who came or was refused."""

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from gateway.clock import Clock
from gateway.panel.people.looks import Looks
from gateway.panel.people.roles import Caller, Door, Role
from gateway.panel.people.sessions import Sessions, digest
from gateway.panel.people.store import People, Person
from gateway.panel.people.waits import Waits, network_of
from gateway.panel.problems import MustWait, PeopleUnreadable, TooManyTries, WrongPin
from gateway.panel.work import Work
from gateway.spool.audit import Audit

T = TypeVar("T")
_MOST_WAITING = 8  # tries of one door; a flood through one keeps nobody out at the other
_SAID_AGAIN_S = 60.0


class Desk:
    """Where people come in. Used on the event loop; the slow part runs in a thread of its own."""

    def __init__(self, *, people: People, audit: Audit, work: Work, clock: Clock) -> None:
        self.people = people
        self.sessions = Sessions(clock)
        self.looks = Looks(audit)
        self._audit = audit
        self._work = work
        self._clock = clock
        self._waits = Waits(clock)
        self._waiting: Counter[Door] = Counter()
        self._noted: dict[str, float] = {}

    def caller(self, token: str, *, door: Door, address: str, captures: bool) -> Caller:
        """Return who asks with that cookie ("" with none)."""
        roles = {Role.TECHNICIAN} if door is Door.FRONT else set()
        identifier = self.sessions.find(token, door) if token else None
        person = next((each for each in self.people.all() if each.id == identifier), None)
        if person:
            roles.add(person.role)
        return Caller(
            door=door,
            roles=frozenset(roles or {Role.NOBODY}),
            person=person.name if person else "",
            person_id=person.id if person else "",
            session=digest(token) if person else "",
            address=address,
            captures=captures,
            is_new=door is Door.FRONT and self.people.is_readable and not self.people.has_administrator,
        )

    async def sign_in(self, name: str, pin: str, caller: Caller) -> tuple[Person, str]:
        """Return who it is and the token of a new session. Raises WrongPin, MustWait, TooManyTries."""
        if not self.people.is_readable:
            raise PeopleUnreadable
        person = await self.guarded(name, caller, partial(self.people.check, name, pin))
        if person is None:
            raise WrongPin
        return person, await self.begin(person, caller)

    async def begin(self, person: Person, caller: Caller) -> str:
        """Return the token of a new session of somebody who proved who they are."""
        token = self.sessions.begin(person.id, caller.door)
        await self._note(
            "signed-in", person=person.name, role=person.role, door=caller.door, address=caller.address
        )
        return token

    async def sign_out(self, token: str, caller: Caller) -> None:
        self.sessions.end(token)
        if caller.person:
            await self._note("signed-out", person=caller.person, door=caller.door, address=caller.address)

    async def guarded(self, name: str, caller: Caller, check: Callable[[], T | None]) -> T | None:
        """Run a check of a secret: after a wrong one not before its time, and one at a time. None: it was wrong."""

        def look() -> T | None:
            if (left := self._waits.left(name, caller.address)) > 0:
                raise MustWait(f"This has to wait for {math.ceil(left)} s after a wrong PIN.", seconds=left)
            found = check()
            if found is None:
                self._waits.wrong(name, caller.address)
            else:
                self._waits.right(name, caller.address)
            return found

        found = await self._in_turn(caller.door, look)
        if found is None:
            await self._refused(name, caller)
        return found

    async def slow(self, caller: Caller, call: Callable[[], T]) -> T:
        """Run a change of people, which hashes, in its turn."""
        return await self._in_turn(caller.door, call)

    async def not_permitted(self, caller: Caller, path: str) -> None:
        """Write down that somebody who is signed in was refused a route; the same once a minute."""
        if caller.person and self._is_new(f"{caller.person_id} {path}"):
            await self._note(
                "not-permitted", person=caller.person, path=path, door=caller.door, address=caller.address
            )

    # --- inside --------------------------------------------------------------------------------------------

    async def _in_turn(self, door: Door, call: Callable[[], T]) -> T:
        if self._waiting[door] >= _MOST_WAITING:
            raise TooManyTries
        self._waiting[door] += 1
        try:
            return await self._work.people(call)
        finally:
            self._waiting[door] -= 1

    async def _refused(self, name: str, caller: Caller) -> None:
        """Write down a wrong PIN. A name that nobody has may be a PIN in the wrong field: it is not written."""
        person = self.people.named(name)
        known = person.name if person else ""
        if known or self._is_new(f"unknown {network_of(caller.address)}"):
            await self._note("sign-in-refused", person=known, door=caller.door, address=caller.address)

    def _is_new(self, what: str) -> bool:
        now = self._clock.boottime_ns() / 1e9
        self._noted = {key: at for key, at in self._noted.items() if now - at < _SAID_AGAIN_S}
        new = what not in self._noted
        if new:
            self._noted[what] = now
        return new

    def _note(self, what: str, **details: str) -> Awaitable[None]:
        return self._work.spool(lambda: self._audit.note(what, by="panel", **details))
