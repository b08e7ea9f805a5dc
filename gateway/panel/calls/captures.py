"""The calls that take pictures and those on pictures taken. Answers a press when capture says it is durable."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from gateway.errors import BadValue, Busy, ExamChanged, ExamEnded, NoExam, NoSignal, NotFound, NotSealed, Purged
from gateway.model import Capture, CaptureState, ExamState
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Asked
from gateway.panel.context import API, Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import CAPTURE, LOOK, WORK, Door, caller_of
from gateway.panel.pictures import ranges
from gateway.panel.pictures.media import Frames, as_recorded, frames_of, media_file
from gateway.panel.pictures.ranges import Piece
from gateway.panel.shown import views
from gateway.wire import Header

_MOST_FRAME = 2**53 - 1
_MOST_FROM_ELSEWHERE = 8  # presses of the network without an answer: those of the box wait for no more
_JPEG = "image/jpeg"
_MP4 = "video/mp4"
_OF_A_PRESS = ("source", "frame", "anyway", "laterality")


class CaptureCalls:
    """Stills, clips, and `/captures`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sources = [source.name for source in context.settings.sources]
        self._from_elsewhere = 0  # presses of the network that have no answer yet

    def routes(self) -> list[Route]:
        return [
            Route("/exams/{exam}/stills", self.still, methods=["POST"], who=CAPTURE),
            Route("/exams/{exam}/clips", self.start_clip, methods=["POST"], who=CAPTURE),
            Route("/clips/{clip}/stop", self.stop_clip, methods=["POST"], who=CAPTURE),
            Route("/captures/{uid}/reject", self.reject, methods=["POST"], who=WORK),
            Route("/captures/{uid}/restore", self.restore, methods=["POST"], who=WORK),
            Route("/captures/{uid}/thumbnail", self.thumbnail, methods=["GET"], who=LOOK),
            Route("/captures/{uid}/image", self.image, methods=["GET"], who=LOOK),
            Route("/captures/{uid}/frames/{number}", self.frame, methods=["GET"], who=LOOK),
            Route("/captures/{uid}/video", self.video, methods=["GET"], who=LOOK),
            Route("/captures/{uid}/media", self.media, methods=["GET"], who=LOOK),
            Route("/captures/{uid}/dicom", self.dicom, methods=["GET"], who=LOOK),
        ]

    # --- taking -------------------------------------------------------------------------------------------

    async def still(self, request: Request) -> Response:
        asked = await bodies.read(request, *_OF_A_PRESS, creating=True)
        with self._in_flight(caller_of(request.scope).door):
            return JSONResponse(await self.store(request.path_params["exam"], asked), 201)

    async def press(self, values: bodies.Values, door: Door) -> Header:
        """Store a still for the live screen: the body of `stills` with the exam in it, remembered as such."""
        exam = bodies.text(values, "exam", required=True)
        rest = {key: value for key, value in values.items() if key != "exam"}
        route = f"POST {API}/exams/{exam}/stills"
        with self._in_flight(door):
            return await self.store(exam, bodies.understand(rest, *_OF_A_PRESS, creating=True, route=route))

    async def store(self, exam: str, asked: Asked) -> Header:
        """Store the frame that was asked for, or raise why it was not; durable when this returns."""
        source = self._source(asked.values)
        frame = bodies.number(asked.values, "frame", least=1, most=_MOST_FRAME, default=0)
        anyway = bodies.flag(asked.values, "anyway")
        try:
            return await self._context.recorder.press(
                source=source,
                exam=exam,
                frame=frame,
                anyway=anyway,
                side=bodies.side(asked.values),
                request=asked.stamp,
            )
        except (ExamChanged, NoExam) as refusal:
            await self._explain(exam, refusal)
            raise

    async def start_clip(self, request: Request) -> Response:
        asked = await bodies.read(request, "source", "anyway", "laterality", creating=True)
        exam, source = request.path_params["exam"], self._source(asked.values)
        anyway, side = bodies.flag(asked.values, "anyway"), bodies.side(asked.values)
        try:
            with self._in_flight(caller_of(request.scope).door):
                started = await self._context.recorder.start_clip(
                    source=source, exam=exam, anyway=anyway, side=side, request=asked.stamp
                )
        except (ExamChanged, NoExam) as refusal:
            await self._explain(exam, refusal)
            raise
        return JSONResponse({**started, "exam": exam}, 201)

    async def stop_clip(self, request: Request) -> Response:
        await bodies.read(request)
        return JSONResponse(await self._context.recorder.stop_clip(request.path_params["clip"]))

    @contextmanager
    def _in_flight(self, door: Door) -> Iterator[None]:
        """Count a press until it is answered. Raises Busy for one too many of the network."""
        if door is Door.FRONT:
            yield
            return
        if self._from_elsewhere >= _MOST_FROM_ELSEWHERE:
            raise Busy
        self._from_elsewhere += 1
        try:
            yield
        finally:
            self._from_elsewhere -= 1

    async def _explain(self, exam: str, refusal: ExamChanged | NoExam) -> None:
        """Raise NotFound or ExamEnded when that is why. Asked afterwards only: no press waits for the index."""
        found = await self._context.exam(exam)
        if found.state is not ExamState.OPEN and isinstance(refusal, NoExam):
            raise ExamEnded("The picture was NOT stored: this exam has ended.") from refusal

    def _source(self, values: bodies.Values) -> str:
        name = bodies.text(values, "source") or next(iter(self._sources), "")
        if not name:
            raise NoSignal("NOT stored: no picture source is set up.", action="Set one up, or call IT.")
        if name not in self._sources:
            raise BadValue("There is no picture source of that name.")
        return name

    # --- deciding -----------------------------------------------------------------------------------------

    async def reject(self, request: Request) -> Response:
        asked = await bodies.read(request, "reason")
        reason = bodies.text(asked.values, "reason", longest=200)
        uid = request.path_params["uid"]
        await self._context.work.spool(lambda: self._context.spool.captures.reject(uid, reason))
        await self._context.note("capture-rejected", capture=uid)
        return JSONResponse({"sop_instance_uid": uid, "state": CaptureState.REJECTED})

    async def restore(self, request: Request) -> Response:
        await bodies.read(request)
        uid = request.path_params["uid"]
        await self._context.work.spool(lambda: self._context.spool.captures.restore(uid))
        await self._context.note("capture-restored", capture=uid)
        return JSONResponse({"sop_instance_uid": uid, "state": CaptureState.SAVED})

    # --- looking ------------------------------------------------------------------------------------------

    async def thumbnail(self, request: Request) -> Response:
        capture = await self._capture(request, seen=True)
        jpeg = await self._context.work.picture(lambda: self._context.pictures.thumbnail(capture))
        return Response(jpeg, media_type=_JPEG)

    async def image(self, request: Request) -> Response:
        return await self._view(request, 1)

    async def frame(self, request: Request) -> Response:
        # What is no number is no picture either: 0 is none.
        return await self._view(request, bodies.whole(request.path_params["number"]) or 0)

    async def _view(self, request: Request, number: int) -> Response:
        capture = await self._capture(request, seen=True)
        width = bodies.query_number(request, "width", least=16, most=3840, default=0)
        view = partial(self._context.pictures.view, capture, number=number, width=width)
        return Response(await self._context.work.picture(view), media_type=_JPEG)

    async def media(self, request: Request) -> Response:
        """Answer the codestreams as they were recorded, from the sealed object when only that is left."""
        capture = await self._capture(request)
        spool = self._context.spool
        path = await self._context.work.spool(lambda: media_file(spool, capture))
        kind = _JPEG if capture.codec == "jpeg" and capture.frames == 1 else "application/octet-stream"
        if path is not None:
            await self._taken(request, capture, "media")
            return FileResponse(path, media_type=kind, filename=capture.media)
        frames = await self._context.work.picture(lambda: frames_of(spool, capture))
        if frames.film:
            return await self._film(request, capture, frames, "media")
        await self._taken(request, capture, "media")
        pieces = await self._context.work.picture(lambda: _pieces(frames, capture))
        return await ranges.answer(request, pieces, kind, capture.media)

    async def video(self, request: Request) -> Response:
        """Answer a clip that became H.264 as the MP4 that it is."""
        capture = await self._capture(request)
        spool = self._context.spool
        sealed = await self._context.work.spool(lambda: spool.objects.of_capture(capture.sop_instance_uid))
        if sealed is None and capture.clip_as == "h264":
            raise NotSealed
        frames = await self._context.work.picture(lambda: frames_of(spool, capture)) if sealed else None
        if frames is None or not frames.film:
            raise NotFound("This is no H.264 clip.", action="Ask for its frames, one by one.")
        return await self._film(request, capture, frames, "video")

    async def _film(self, request: Request, capture: Capture, frames: Frames, form: str) -> Response:
        await self._taken(request, capture, form)
        return await ranges.answer(request, _pieces(frames, capture), _MP4, capture.sop_instance_uid + ".mp4")

    async def dicom(self, request: Request) -> Response:
        capture = await self._capture(request)
        spool = self._context.spool
        sealed = await self._context.work.spool(lambda: spool.objects.of_capture(capture.sop_instance_uid))
        if sealed is None:
            raise NotSealed
        path = spool.objects.path(sealed)
        if not path.exists():
            raise NotFound("The files of this picture are not on the disk any more.")
        await self._taken(request, capture, "dicom")
        return FileResponse(
            path,
            media_type="application/dicom",
            filename=f"{sealed.sop_instance_uid}.dcm",
        )

    async def _taken(self, request: Request, capture: Capture, form: str) -> None:
        await self._context.work.spool(lambda: self._context.desk.looks.taken(request, capture, form))

    async def _capture(self, request: Request, *, seen: bool = False) -> Capture:
        """Return the capture whose pictures are asked for. Raises NotFound, and Purged when they are gone.

        seen: it is looked at.
        """

        def find() -> Capture:
            listed = self._context.spool.captures.get(request.path_params["uid"])
            if listed.purged:
                raise Purged(views.gone(listed))
            if seen:
                self._context.desk.looks.at(request, listed.capture.exam)
            return listed.capture

        return await self._context.work.spool(find)


def _pieces(frames: Frames, capture: Capture) -> list[Piece]:
    return [
        Piece(prefix=prefix, path=frames.path, offset=offset, length=length)
        for prefix, offset, length in as_recorded(frames, capture)
    ]
