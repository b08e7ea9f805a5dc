"""Calls on capture's socket, and what capture says of itself. Knows the wire, not the frames."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from gateway import wire
from gateway.errors import CaptureGone, CaptureSilent, ScopegateError, SpoolError, by_code
from gateway.model import RequestStamp, Side
from gateway.wire import Header, WireError

PRESS_S = 6.0  # capture answers a press within 5 s, with the true reason; silence after that is its own
_STOP_S = 20.0  # closing a clip flushes and reads it
_SILENT_S = 3.0  # capture speaks at least once a second
_AGAIN_S = 0.5
_LOOK_S = 45.0  # a device may be slow to open, and another one be looked at before
_STORING = frozenset({"press", "clip_start", "clip_stop"})  # without an answer it is not known whether it was done
State = dict[str, Any]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Recorder:
    """The capture process, seen through its socket."""

    def __init__(self, path: Path, said: Callable[[], State | None] = lambda: None) -> None:
        self._path = path
        self._said = said  # capture's live state: it is written while capture cannot begin, its socket is not there
        self._in_turn = asyncio.Lock()
        self.state: State | None = None  # what capture said last; None when it is not there
        self.trouble: Header | None = None  # why it is there but cannot begin

    async def press(
        self,
        *,
        source: str,
        exam: str,
        frame: int,
        anyway: bool,
        request: RequestStamp | None,
        side: Side | None = None,
    ) -> Header:
        """Store a still. Raises what capture raises, or CaptureGone when it is not there.

        Or CaptureSilent: whether it was stored is not known; the same request id asks again safely. `anyway`: also
        the picture that a device shows without signal. `side`: what the screen showed, if it did.
        """
        asked = {**_ask(source, exam, request), "frame": frame, "anyway": anyway, **_of_side(side)}
        return await self._call("press", asked, PRESS_S, ordered=True)

    async def start_clip(
        self, *, source: str, exam: str, anyway: bool, request: RequestStamp | None, side: Side | None = None
    ) -> Header:
        asked = {**_ask(source, exam, request), "anyway": anyway, **_of_side(side)}
        return await self._call("clip_start", asked, PRESS_S, ordered=True)

    async def stop_clip(self, clip: str) -> Header:
        return await self._call("clip_stop", {"clip": clip}, _STOP_S)

    async def numbers(self, exam: str, count: int) -> list[int]:
        """Return InstanceNumbers of an exam that no press gets or got. Raises as `press` does."""
        answer = await self._call("numbers", {"exam": exam, "count": count}, PRESS_S)
        return [int(number) for number in answer["numbers"]]

    async def sign(self, answer: str) -> None:
        """Have an answer shown on lamps and loudspeakers, for a test. Raises CaptureGone, BadValue."""
        await self._call("sign", {"answer": answer}, PRESS_S)

    async def drain(self, exam: str, seconds: float) -> None:
        """Wait until every press of this exam is stored; a capture that is not there has nothing more to store."""
        with contextlib.suppress(CaptureGone, SpoolError):
            await self._call("drain", {"exam": exam, "seconds": seconds}, seconds + 1)

    async def devices(self) -> Header:
        """Return what could become a picture source, and the device profiles. Raises CaptureGone."""
        return await self._call("devices", {}, PRESS_S)

    async def look(self, device: str, profile: str, width: int) -> wire.Message:
        """Return what a device shows with a profile, a JPEG as its body. Raises as `press` does."""
        asked = {"device": device, "profile": profile, "width": width}
        return await self._message("look", asked, _LOOK_S)

    async def hear(self, seconds: float) -> Header:
        """Return which pedal was pressed within so many seconds, and which ones were listened to."""
        return await self._call("hear", {"seconds": seconds}, seconds + _LOOK_S)

    async def preview(self, source: str, width: int) -> "Pictures":
        """Subscribe to a source's live picture. Raises CaptureGone."""
        try:
            async with asyncio.timeout(PRESS_S):
                reader, writer = await self._connect()
                writer.write(wire.pack({"call": "preview", "arguments": {"source": source, "width": width}}))
                await writer.drain()
        except (OSError, WireError, TimeoutError) as error:
            raise CaptureGone from error
        return Pictures(reader, writer)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Keep `state` up to date for ever; `changed` is called after each message and when capture is lost."""
        while True:
            try:
                async for state in self._states():
                    self.state, self.trouble = state, None
                    changed()
            except (OSError, WireError, TimeoutError):
                pass
            trouble = (self._said() or {}).get("trouble")
            if self.state is not None or trouble != self.trouble:
                self.state, self.trouble = None, trouble
                changed()
            await asyncio.sleep(_AGAIN_S)

    async def _states(self) -> AsyncIterator[State]:
        reader, writer = await self._connect()
        try:
            writer.write(wire.pack({"call": "state", "arguments": {}}))
            await writer.drain()
            while True:
                async with asyncio.timeout(_SILENT_S):
                    message = await wire.receive_async(reader)
                yield message.header
        finally:
            writer.close()

    async def _call(self, name: str, arguments: Header, seconds: float, *, ordered: bool = False) -> Header:
        """Make one call and return its result."""
        return wire.result_of(await self._message(name, arguments, seconds, ordered=ordered))

    async def _message(
        self, name: str, arguments: Header, seconds: float, *, ordered: bool = False
    ) -> wire.Message:
        """Make one call. An `ordered` one is sent when capture has pinned what the one before was about."""
        message = wire.pack({"call": name, "arguments": arguments})
        asked = False
        try:
            async with asyncio.timeout(seconds), contextlib.AsyncExitStack() as stack:
                turn = await stack.enter_async_context(contextlib.AsyncExitStack())
                if ordered:
                    await turn.enter_async_context(self._in_turn)
                try:
                    reader, writer = await self._connect()
                except (OSError, WireError) as error:
                    raise self._absent() from error
                stack.callback(writer.close)
                asked = True
                writer.write(message)
                await writer.drain()
                answer = await wire.receive_async(reader)
                await turn.aclose()
                if answer.header.get("event") == wire.PINNED:
                    answer = await wire.receive_async(reader)
        except (OSError, WireError, TimeoutError) as error:
            raise (CaptureSilent if asked and name in _STORING else CaptureGone) from error
        wire.result_of(answer)
        return answer

    def _absent(self) -> ScopegateError:
        """Return why nothing can be asked: the reason that capture gives, or that it is not there."""
        trouble = (self._said() or {}).get("trouble")
        if trouble is None:
            return CaptureGone()
        what = f"Nothing was stored: the recorder waits. {trouble['what']}"
        return by_code(trouble["code"])(what, code=trouble["code"], action=trouble["action"])

    async def _connect(self) -> Connection:
        async with asyncio.timeout(PRESS_S):
            reader, writer = await asyncio.open_unix_connection(str(self._path))
            try:
                await wire.receive_async(reader)  # hello
            except BaseException:
                writer.close()
                raise
        return reader, writer


class Pictures:
    """A running subscription to a live picture: `next`, then `credit`, and so on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def next(self) -> wire.Message:
        """Return the newest picture. Raises CaptureGone, or what capture answered instead of a picture."""
        try:
            message = await wire.receive_async(self._reader)
        except (OSError, WireError) as error:
            raise CaptureGone from error
        if "error" in message.header:
            wire.result_of(message)
        return message

    async def credit(self) -> None:
        """Ask for the next picture. Raises CaptureGone."""
        try:
            self._writer.write(wire.pack({"call": "credit"}))
            await self._writer.drain()
        except OSError as error:
            raise CaptureGone from error

    def close(self) -> None:
        self._writer.close()


def _ask(source: str, exam: str, request: RequestStamp | None) -> Header:
    stamp = {"id": request.id, "digest": request.digest} if request else None
    return {"source": source, "exam": exam, "request": stamp}


def _of_side(side: Side | None) -> Header:
    return {} if side is None else {"side": side}
