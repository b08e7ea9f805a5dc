"""The calls on people: signing in and out, the first administrator, the list, the recovery code."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import segno
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route, token_of
from gateway.panel.people.roles import AT_THE_BOX, EVERYBODY, SET_UP, SIGNED_IN, Door, Role, caller_of
from gateway.panel.people.secrets import pin_of
from gateway.panel.people.sessions import COOKIE
from gateway.panel.people.store import Person
from gateway.panel.problems import NotSignedIn, WrongCode, WrongPin

Json = dict[str, object]
T = TypeVar("T")
_LONGEST = 64  # of a name that somebody types to sign in


class PeopleCalls:
    """`/session` and `/people`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._desk = context.desk
        self._people = context.desk.people

    def routes(self) -> list[BaseRoute]:
        one = "/people/{person}"
        return [
            Route("/session", self.session, methods=["GET"], who=EVERYBODY),
            Route("/session", self.sign_in, methods=["POST"], who=EVERYBODY),
            Route("/session/touch", self.touch, methods=["POST"], who=SIGNED_IN, counts=True),
            Route("/session/pin", self.own_pin, methods=["POST"], who=SIGNED_IN),
            Route("/session/end", self.sign_out, methods=["POST"], who=EVERYBODY),
            Route("/people/first", self.first, methods=["POST"], who=AT_THE_BOX),
            Route("/people/recover", self.recover, methods=["POST"], who=AT_THE_BOX),
            Route("/people/recovery/renew", self.renew, methods=["POST"], who=SET_UP),
            Route("/people/recovery/confirm", self.confirm, methods=["POST"], who=SET_UP),
            Route("/people", self.listing, methods=["GET"], who=SET_UP),
            Route("/people", self.add, methods=["POST"], who=SET_UP),
            Route(f"{one}/role", self.set_role, methods=["POST"], who=SET_UP),
            Route(f"{one}/pin", self.set_pin, methods=["POST"], who=SET_UP),
            Route(f"{one}/remove", self.remove, methods=["POST"], who=SET_UP),
        ]

    # --- sessions ------------------------------------------------------------------------------------------

    async def session(self, request: Request) -> Response:
        caller = caller_of(request.scope)
        return JSONResponse(
            {
                "door": caller.door,
                "person": caller.person,
                "roles": sorted(caller.roles),
                "has_administrator": self._people.has_administrator,
            }
        )

    async def sign_in(self, request: Request) -> Response:
        asked = await bodies.read(request, "name", "pin")
        name = bodies.text(asked.values, "name", longest=_LONGEST, required=True)
        pin = asked.values.get("pin")
        if not isinstance(pin, str) or not pin.isprintable() or len(pin) > _LONGEST:
            pin = ""  # wrong like any other
        person, token = await self._desk.sign_in(name, pin, caller_of(request.scope))
        return self._signed_in(request, person, token, {"person": person.name, "role": person.role})

    async def touch(self, request: Request) -> Response:
        """Say that somebody touched a page: asking is what counts."""
        await bodies.read(request)
        return JSONResponse({})

    async def own_pin(self, request: Request) -> Response:
        """Take another PIN of whoever is signed in, who knows the one before."""
        asked = await bodies.read(request, "old", "pin")
        caller, pin, old = caller_of(request.scope), _pin(asked.values), asked.values.get("old")
        if not caller.person:
            raise NotSignedIn
        known = old if isinstance(old, str) and old.isprintable() and len(old) <= _LONGEST else ""
        if (
            await self._desk.guarded(caller.person, caller, partial(self._people.check, caller.person, known))
            is None
        ):
            raise WrongPin
        person = await self._slow(request, partial(self._people.set_pin, caller.person_id, pin))
        await self._noted("own-pin-changed", person)
        self._desk.sessions.end_of(person.id)
        token = await self._desk.begin(person, caller)
        return self._signed_in(request, person, token, _shown(person))

    async def sign_out(self, request: Request) -> Response:
        await bodies.read(request)
        await self._desk.sign_out(token_of(request.scope), caller_of(request.scope))
        answer = JSONResponse({})
        self._set_cookie(request, answer, "")
        return answer

    # --- the first administrator, and the way back ---------------------------------------------------------

    async def first(self, request: Request) -> Response:
        asked = await bodies.read(request, "name", "pin")
        name, pin = bodies.text(asked.values, "name", required=True), _pin(asked.values)
        person, code = await self._slow(request, partial(self._people.first, name, pin))
        await self._noted("administrator-made", person)
        token = await self._desk.begin(person, caller_of(request.scope))
        return self._signed_in(request, person, token, {**_shown(person), **_code(code)}, 201)

    async def recover(self, request: Request) -> Response:
        asked = await bodies.read(request, "name", "code", "pin")
        name, pin = bodies.text(asked.values, "name", required=True), _pin(asked.values)
        code = bodies.text(asked.values, "code", required=True)

        def look() -> tuple[Person, str] | None:
            try:
                return self._people.recover(name, code, pin)
            except WrongCode:
                return None

        found = await self._desk.guarded(name, caller_of(request.scope), look)
        if found is None:
            raise WrongCode
        person, new_code = found
        await self._noted("pin-recovered", person)
        self._desk.sessions.end_of(person.id)
        token = await self._desk.begin(person, caller_of(request.scope))
        return self._signed_in(request, person, token, {**_shown(person), **_code(new_code)})

    async def renew(self, request: Request) -> Response:
        await bodies.read(request)
        code = await self._slow(request, self._people.renew_code)
        await self._context.note("recovery-code-renewed")
        return JSONResponse(_code(code))

    async def confirm(self, request: Request) -> Response:
        asked = await bodies.read(request, "last")
        last = bodies.text(asked.values, "last", required=True)

        def confirm() -> None:
            code = self._people.shown_code(last)
            # The disk first: what it does not take is asked for again.
            self._context.own_machine.data.written_down(code)
            self._people.confirm_code(code)

        await self._slow(request, confirm)
        return JSONResponse({"recovery_confirmed": True})

    # --- the list ------------------------------------------------------------------------------------------

    async def listing(self, request: Request) -> Response:
        del request
        people = [_shown(person) for person in self._people.all()]
        return JSONResponse({"people": people, "recovery_confirmed": self._people.recovery_confirmed})

    async def add(self, request: Request) -> Response:
        asked = await bodies.read(request, "name", "role", "pin")
        name, pin = bodies.text(asked.values, "name", required=True), _pin(asked.values)
        person = await self._slow(request, partial(self._people.add, name, _role(asked.values), pin))
        await self._noted("person-added", person)
        return JSONResponse(_shown(person), 201)

    async def set_role(self, request: Request) -> Response:
        asked = await bodies.read(request, "role")
        change = partial(self._people.set_role, request.path_params["person"], _role(asked.values))
        return await self._changed(request, "person-role-changed", change)

    async def set_pin(self, request: Request) -> Response:
        asked = await bodies.read(request, "pin")
        change = partial(self._people.set_pin, request.path_params["person"], _pin(asked.values))
        return await self._changed(request, "person-pin-changed", change)

    async def remove(self, request: Request) -> Response:
        await bodies.read(request)
        change = partial(self._people.remove, request.path_params["person"])
        return await self._changed(request, "person-removed", change)

    # --- inside --------------------------------------------------------------------------------------------

    async def _changed(self, request: Request, what: str, change: partial[Person]) -> Response:
        """Make a change of a person, whose sessions end with it."""
        person = await self._slow(request, change)
        await self._noted(what, person)
        self._desk.sessions.end_of(person.id)
        answer = JSONResponse(_shown(person))
        if person.id == caller_of(request.scope).person_id:
            self._set_cookie(request, answer, "")
        return answer

    async def _slow(self, request: Request, call: Callable[[], T]) -> T:
        return await self._desk.slow(caller_of(request.scope), call)

    async def _noted(self, what: str, person: Person) -> None:
        await self._context.note(what, about=person.name, role=person.role)

    def _signed_in(
        self, request: Request, person: Person, token: str, content: Json, status: int = 200
    ) -> Response:
        """Answer with a new session; the one that this browser had before ends, whoever gave it to it."""
        self._desk.sessions.end(token_of(request.scope))
        acting.set(person.name)
        answer = JSONResponse(content, status)
        self._set_cookie(request, answer, token)
        return answer

    def _set_cookie(self, request: Request, answer: Response, token: str) -> None:
        door = caller_of(request.scope).door
        answer.set_cookie(
            COOKIE[door],
            token,
            max_age=None if token else 0,
            path="/",
            secure=door is Door.LAN,
            httponly=True,
            samesite="strict",
        )


def _shown(person: Person) -> Json:
    return {"id": person.id, "name": person.name, "role": person.role}


def _code(code: str) -> Json:
    """Return a recovery code as text, and as a QR code that a telephone reads (ISO/IEC 18004)."""
    qr = segno.make(code, error="m", micro=False)
    return {"recovery_code": code, "qr": qr.svg_inline(omitsize=True, border=4, dark="#000", light="#fff")}


def _role(values: Values) -> Role:
    try:
        return Role(bodies.text(values, "role", required=True))
    except ValueError:
        raise BadValue("This is no role.") from None


def _pin(values: Values) -> str:
    return pin_of(values.get("pin"))
