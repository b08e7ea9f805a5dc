"""The calls on devices that are not configured yet: which are there, what one shows, which pedal is pressed."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.config.contacts import key_name
from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import FIRST_SET_UP
from gateway.panel.shown.answers import Json
from gateway.panel.words import of_call

_SECONDS = 5.0  # that one call waits for a press; a page asks again
_WIDEST = 1280
_LONGEST = 200


class DeviceCalls:
    """`/devices`. Capture looks and listens; it refuses while an exam is open."""

    def __init__(self, context: Context) -> None:
        self._recorder = context.recorder

    def routes(self) -> list[Route]:
        return [
            Route("/devices", self.listing, methods=["GET"], who=FIRST_SET_UP),
            Route("/devices/look", self.look, methods=["GET"], who=FIRST_SET_UP),
            Route("/devices/pedal", self.pedal, methods=["POST"], who=FIRST_SET_UP, counts=False),
        ]

    async def listing(self, request: Request) -> Response:
        del request
        return JSONResponse(await self._recorder.devices())

    async def look(self, request: Request) -> Response:
        """Return what a device shows with a profile, as JPEG."""
        words = request.query_params
        device, profile = words.get("device", ""), words.get("profile", "")
        width = words.get("width", "640")
        if not device or len(device) > _LONGEST or len(profile) > _LONGEST:
            raise BadValue("device is missing, or too long.")
        if not width.isdecimal() or not 1 <= int(width[:6]) <= _WIDEST:
            raise BadValue("width is no whole number, or too large.")
        picture = await self._recorder.look(device, profile, int(width))
        return Response(picture.body, media_type="image/jpeg")

    async def pedal(self, request: Request) -> Response:
        """Wait some seconds for a press; say what it would be in the configuration, or nothing."""
        await bodies.read(request)
        heard = await self._recorder.hear(_SECONDS)
        found = heard["heard"]
        return JSONResponse(
            {
                "heard": found and _trigger(found),
                "listening": [_told(each) for each in heard["listening"]],
                "deaf": [
                    {**_told(each), "reason": of_call(request).said(each["reason"])} for each in heard["deaf"]
                ],
            }
        )


def _trigger(found: Json) -> Json:
    """Return what was pressed, in the words of a [[trigger]]."""
    word = str(found["word"])
    if word.startswith("key:"):
        word = key_name(int(word.removeprefix("key:"), 16))
    identity = found["identity"] if str(found["device"]).startswith("usb:") else ""
    return {**_told(found), "kind": found["kind"], "identity": identity, "word": word}


def _told(each: Json) -> Json:
    return {"device": each["device"], "name": each["name"]}
