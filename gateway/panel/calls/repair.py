"""The calls that repair an appliance: erased, its settings made new, its pictures onto a stick. At the box only."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import AT_THE_BOX, Caller, caller_of
from gateway.panel.problems import NotRepaired, WrongCode, WrongPin

_LONGEST_SECRET = 64
_NO_CODE = frozenset({"key-refused", "no-key"})  # of root: this is not the code of the disk
_RECOVERY = "recovery code"  # whose wrong tries make the next one wait


class RepairCalls:
    """`/repair`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._repair = context.own_machine.repair
        self._desk = context.desk

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/repair/destroy", self.destroy, methods=["POST"], who=AT_THE_BOX),
            Route("/repair/keep", self.keep, methods=["POST"], who=AT_THE_BOX),
            Route("/repair/rescue", self.rescue, methods=["POST"], who=AT_THE_BOX),
        ]

    async def destroy(self, request: Request) -> Response:
        """Erase the box: no PIN, which may be lost, but the number that stands beside what would be lost."""
        asked = await bodies.read(request, "number")
        number = bodies.text(asked.values, "number", required=True)
        await self._context.work.people(partial(self._repair.destroy, number, acting.get()))
        return JSONResponse({})

    async def keep(self, request: Request) -> Response:
        """Make settings and people new, with an administrator's PIN or with the recovery code.

        Where the file of people cannot be read the code's hash is gone with it, and root tries it on the disk.
        """
        asked = await bodies.read(request, "name", "pin", "code")
        name = bodies.text(asked.values, "name", longest=_LONGEST_SECRET)
        pin = bodies.text(asked.values, "pin", longest=_LONGEST_SECRET)
        code = bodies.text(asked.values, "code", longest=_LONGEST_SECRET)
        caller = caller_of(request.scope)
        if code and not self._desk.people.is_readable:
            await self._keep_by_root(caller, code)
        else:
            await self._check(caller, name, pin, code)
            await self._context.work.people(partial(self._repair.keep, acting.get() or name))
        return JSONResponse({})

    async def _keep_by_root(self, caller: Caller, code: str) -> None:
        person = acting.get()

        def keep() -> bool | None:
            try:
                self._repair.keep(person, code=code)
            except NotRepaired as error:
                if error.code in _NO_CODE:
                    return None
                raise
            return True

        if await self._desk.guarded(_RECOVERY, caller, keep) is None:
            raise WrongCode

    async def _check(self, caller: Caller, name: str, pin: str, code: str) -> None:
        people = self._desk.people
        if code:
            if await self._desk.guarded(_RECOVERY, caller, partial(people.check_code, code)) is None:
                raise WrongCode
        elif await self._desk.guarded(name, caller, partial(people.check_administrator, name, pin)) is None:
            raise WrongPin

    async def rescue(self, request: Request) -> Response:
        """Begin to write what is on the box onto a stick, encrypted with the recovery code, which root checks."""
        asked = await bodies.read(request, "code")
        code = bodies.text(asked.values, "code", longest=_LONGEST_SECRET, required=True)
        await self._context.work.people(partial(self._repair.rescue, code, acting.get()))
        return JSONResponse({})
