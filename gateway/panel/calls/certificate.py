"""The calls on the box's own certificate: make a request, fetch it, bring back what was signed."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.own_certificate import AUTHORITY, CERTIFICATE, OwnCertificate, Standing
from gateway.panel.people.roles import SET_UP
from gateway.panel.shown.answers import Json

_LONGEST_NAME = 253


class CertificateCalls:
    """`/certificate`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._own = context.own_machine.certificate

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/certificate", self.get, methods=["GET"], who=SET_UP),
            Route("/certificate/request", self.fetch, methods=["GET"], who=SET_UP),
            Route("/certificate/make", self.make, methods=["POST"], who=SET_UP),
            Route("/certificate/take", self.take, methods=["POST"], who=SET_UP),
            Route("/certificate/authority", self.trust, methods=["POST"], who=SET_UP),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return await self._answer()

    async def fetch(self, request: Request) -> Response:
        """Send what an authority is to sign."""
        del request
        raw = await self._context.work.spool(self._own.request)
        headers = {"content-disposition": 'attachment; filename="box.csr"', "cache-control": "no-store"}
        return Response(raw, media_type="application/pkcs10", headers=headers)

    async def make(self, request: Request) -> Response:
        asked = await bodies.read(request, "names")
        names = asked.values.get("names")
        if not isinstance(names, list) or not all(_is_name(each) for each in names):
            raise BadValue("names is not a list of names of the box.")
        await self._context.work.spool(partial(self._own.make, names, person=acting.get()))
        return await self._answer()

    async def take(self, request: Request) -> Response:
        pem = await _pem(request)
        await self._context.work.spool(partial(self._own.take, pem, person=acting.get()))
        return await self._answer()

    async def trust(self, request: Request) -> Response:
        pem = await _pem(request)
        await self._context.work.spool(partial(self._own.trust, pem, person=acting.get()))
        return await self._answer()

    async def _answer(self) -> Response:
        return JSONResponse(await self._context.work.spool(partial(_standing, self._own)))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME


async def _pem(request: Request) -> str:
    asked = await bodies.read(request, "pem")
    pem = asked.values.get("pem")
    if not isinstance(pem, str) or not pem.strip():
        raise BadValue("pem is missing.")
    return pem


def _standing(own: OwnCertificate) -> Json:
    return {"certificate": _one(own.now(CERTIFICATE)), "authority": _one(own.now(AUTHORITY))}


def _one(standing: Standing | None) -> Json | None:
    if standing is None:
        return None
    about = standing.about
    return {
        "subject": about.subject,
        "issuer": about.issuer,
        "until": f"{about.until:%Y-%m-%dT%H:%M:%SZ}",
        "days": standing.days,
        "state": standing.state,
        "vouches_for_itself": about.vouches_for_itself,
    }
