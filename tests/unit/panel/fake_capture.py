"""A capture process for tests: speaks the socket's language and stores real pictures in the spool.

It can be told to be slow, to refuse, to lose its answer, to freeze and to die.
"""

import hashlib
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import simplejpeg

from gateway import wire
from gateway.clock import Clock
from gateway.errors import BadValue, ExamChanged, ExamOpen, FrameGone, NoExam, ProfileUnfit, ScopegateError
from gateway.model import Capture, CaptureState, Equipment, Exam, MediaKind, RequestStamp, Side
from gateway.spool import clips
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

ROWS, COLUMNS = 360, 480
RING = 250
START = 7 << 32  # start counter 7


def draw(number: int) -> np.ndarray:
    """Return the picture of that frame number: a moving fan, and the number in blocks."""
    picture = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    cv2.ellipse(picture, (240, 40), (300, 300), 0, 50, 130, (52, 58, 62), -1)
    cv2.circle(picture, (240 + int(60 * np.sin(number / 9)), 200), 44, (14, 15, 16), -1)
    for bit in range(16):  # blocks, as drawing letters takes 45 ms in every new thread
        if number >> bit & 1:
            picture[-16:-4, 20 * bit + 4 : 20 * bit + 20] = 230
    return picture


@dataclass(kw_only=True)
class Script:
    """What the fake does besides its duty."""

    delay_s: float = 0.0  # before a press is answered
    refuse: ScopegateError | None = None
    lose_answers: int = 0  # store, then hang up instead of answering
    frozen: threading.Event = field(default_factory=threading.Event)
    signal: str = "live"
    code: str = ""
    what: str = ""
    action: str = ""
    pedals: list[dict[str, Any]] = field(default_factory=list)
    signs: list[dict[str, Any]] = field(default_factory=list)
    size_expected: bool = True
    levels_cut: bool = False
    presses: list[dict[str, str]] = field(default_factory=list)  # of pedals that nobody configured
    still: bool = False  # what it shows does not move, though it is new each time
    noise: bool = False  # what it shows looks like snow
    ends: dict[str, Any] | None = None  # what is ahead of the clip
    machine: dict[str, Any] = field(default_factory=lambda: {"heat": "ok", "celsius": 61, "power": "ok"})


class FakeCapture:
    """Start it, use it, stop it; it may be started again on the same path."""

    def __init__(self, *, spool: Spool, path: Path, clock: Clock, source: str = "ultrasound") -> None:
        self.spool, self.path, self.clock, self.source = spool, path, clock, source
        self.others: tuple[str, ...] = ()  # further sources; they show the same from further away
        self.lost: set[str] = set()  # sources that are unplugged
        self.script = Script()
        self.frame = 1
        self.pressed: list[dict[str, Any]] = []
        self.signs: list[str] = []
        self._drained = 0
        self._clip: tuple[str, str, clips.ClipWriter] | None = None
        self._numbers = threading.Lock()
        self._stop = threading.Event()
        self._ticked = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._live = LiveState(folder=path.parent, process="capture", files=spool.files, clock=clock)

    # --- life ---------------------------------------------------------------------------------------------

    def start(self, *, rate: float = 25.0) -> None:
        self._stop.clear()
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._run("fake-accept", self._accept)
        self._run("fake-frames", lambda: self._tick(1 / rate))
        self._live.write(self.state())

    def say_on(self, every_s: float = 0.5) -> None:
        """Say how it is again and again, as the process does, until it stops."""

        def say() -> None:
            while not self._stop.wait(every_s):
                self._live.write(self.state())

        self._run("fake-say", say)

    def stop(self) -> None:
        """Die as a killed process does: every connection breaks."""
        self._stop.set()
        with self._ticked:
            self._ticked.notify_all()
        for connection in [self._listener, *self._connections]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()
        self._threads.clear()
        self._connections.clear()

    def state(self) -> dict[str, Any]:
        exam = self.spool.exams.open_one()
        clip = None
        if self._clip:
            clip = {
                "clip": self._clip[0],
                "source": self._clip[2].header.source,
                "exam": self._clip[1],
                "started_at": self.clock.utc().isoformat(),
                "seconds": 3.0,
                "limit_seconds": 120,
                "ends": self.script.ends,
                "frames": 5,
                "lost": 0,
            }
        source = {
            "name": self.source,
            "state": self.script.signal,
            "code": self.script.code,
            "what": self.script.what,
            "action": self.script.action,
            "since": self.clock.utc().isoformat(),
            "width": COLUMNS,
            "height": ROWS,
            "rate": 25.0,
            "sequence": START + self.frame,
            "lost": 0,
            "modality": "US",
            "noise": self.script.noise,
            "size_expected": self.script.size_expected,
            "levels_cut": self.script.levels_cut,
        }
        sources = [{**source, "name": name} for name in (self.source, *self.others)]
        for each in sources:
            if each["name"] in self.lost:
                each["state"] = "missing"
        return {
            "event": "state",
            "exam": exam.id if exam else "",
            "sources": sources,
            "pedals": self.script.pedals,
            "signs": self.script.signs,
            "clip": clip,
            "pending": 0,
            "machine": self.script.machine,
            "last": None,
        }

    # --- the server ---------------------------------------------------------------------------------------

    def _run(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._run("fake-connection", lambda c=connection: self._serve(c))

    def _tick(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            if not self.script.frozen.is_set():
                with self._ticked:
                    self.frame += 1
                    self._ticked.notify_all()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(wire.pack({"hello": {"protocol": wire.PROTOCOL, "start_counter": 7}}))
                while not self._stop.is_set():
                    message = wire.receive(connection)
                    name, arguments = message.header["call"], message.header.get("arguments", {})
                    if name == "preview":
                        self._preview(connection, arguments)
                        return
                    if name == "state":
                        self._states(connection)
                        return
                    if name == "look":
                        connection.sendall(self._look(arguments))
                        continue
                    answer = self._answer(connection, name, arguments)
                    if answer is None:
                        return
                    connection.sendall(wire.pack(answer))
            except (OSError, wire.WireError):
                return

    def _answer(self, connection: socket.socket, name: str, arguments: dict[str, Any]) -> wire.Header | None:
        try:
            if self.script.refuse and name != "drain":
                raise self.script.refuse
            result = getattr(self, f"_call_{name}")(arguments)
        except ScopegateError as error:
            return wire.error_header(error)
        if name in {"press", "clip_start"}:
            connection.sendall(wire.pack({"event": wire.PINNED}))
        if self.script.delay_s:
            self._stop.wait(self.script.delay_s)
        if self.script.lose_answers and name == "press":
            self.script.lose_answers -= 1
            return None
        return {"result": result}

    def _states(self, connection: socket.socket) -> None:
        while not self._stop.is_set():
            connection.sendall(wire.pack(self.state()))
            self._stop.wait(0.1)

    def _preview(self, connection: socket.socket, arguments: dict[str, Any]) -> None:
        source = arguments["source"]
        if source not in {self.source, *self.others}:
            connection.sendall(wire.pack(wire.error_header(BadValue("There is no picture source of that name."))))
            return
        shown = 0
        while not self._stop.is_set():
            with self._ticked:
                while self.frame <= shown and not self._stop.is_set():
                    self._ticked.wait()
                shown = self.frame
            if self._stop.is_set():
                return
            if self.script.signal != "live" or source in self.lost:
                self._stop.wait(0.05)
                continue
            picture = draw(9 if self.script.still else shown)
            far = picture if source == self.source else picture[::2, ::2].copy()
            jpeg = simplejpeg.encode_jpeg(far, quality=80, colorspace="RGB")
            header = {"event": "preview", "sequence": START + shown, "time_ns": self.clock.boottime_ns()}
            connection.sendall(wire.pack({**header, "width": COLUMNS, "height": ROWS}, jpeg))
            assert wire.receive(connection).header == {"call": "credit"}

    def _look(self, arguments: dict[str, Any]) -> bytes:
        """Show a device; one profile fits, the others are for another size. Not during an exam."""
        if self.spool.exams.open_one():
            error = ExamOpen("Devices are not tried while an exam is open.", action="Finish the exam first.")
            return wire.pack(wire.error_header(error))
        if arguments["profile"] not in {"", "dvi-1080p-ultrasound"}:
            return wire.pack(
                wire.error_header(ProfileUnfit("It gives 480 x 360: this profile is for another size."))
            )
        jpeg = simplejpeg.encode_jpeg(draw(9), quality=80, colorspace="RGB")
        return wire.pack({"result": {"width": COLUMNS, "height": ROWS}}, jpeg)

    # --- calls --------------------------------------------------------------------------------------------

    def _call_devices(self, _: dict[str, Any]) -> wire.Header:
        return {
            "devices": [
                {"device": "v4l2:usb:1-1.4:534d:2109", "name": "USB Video", "used_by": ""},
                {"device": "pattern:ultrasound", "name": "", "used_by": ""},
                {"device": "pattern:bars", "name": "", "used_by": ""},
            ],
            "profiles": [
                {"name": "", "title": ""},
                {"name": "dvi-1080p-ultrasound", "title": "DVI or HDMI 1080p: an ultrasound system"},
                {"name": "pal-composite", "title": "PAL composite: an older ultrasound cart"},
            ],
        }

    def _call_hear(self, arguments: dict[str, Any]) -> wire.Header:
        device = {"kind": "input", "device": "usb:1-1.3", "identity": "0c45:7403", "name": "Foot switch"}
        if not self.script.presses:
            self._stop.wait(min(arguments["seconds"], 0.2))
        heard = self.script.presses.pop(0) if self.script.presses else None
        deaf = {**device, "device": "/dev/ttyUSB0", "kind": "serial", "identity": "", "name": "ttyUSB0"}
        why = "Another program has this port for itself: end it."
        return {
            "heard": heard and {**device, **heard},
            "listening": [device],
            "deaf": [{**deaf, "reason": why}],
        }

    def _call_press(self, arguments: dict[str, Any]) -> wire.Header:
        request = arguments["request"]
        stamp = RequestStamp(**request) if request else None
        with self._numbers:
            self.pressed.append(arguments)
            if stamp and (known := self.spool.captures.remembered(stamp)):
                return _stored(self.spool.captures.get(known.uid).capture)
            exam = self._exam(arguments["exam"])
            frame = arguments["frame"] or START + self.frame
            if not START + self.frame - RING < frame <= START + self.frame:
                raise FrameGone
            side = Side(arguments.get("side", exam.side))
            return _stored(self.store(exam, frame=frame, request=stamp, side=side, source=arguments["source"]))

    def store(
        self,
        exam: Exam,
        *,
        frame: int,
        request: RequestStamp | None = None,
        side: Side = Side.NOT_SAID,
        body_part: str = "",
        source: str = "",
    ) -> Capture:
        """Store a still as capture does: media, sidecar, row."""
        stream = imagecodecs.jpeg8_encode(
            draw(frame - START), lossless=True, predictor=1, colorspace="RGB", outcolorspace="RGB"
        )
        uid, now = self.clock.uid(), self.clock.now()
        written = self.spool.captures.write_media(exam.id, f"{uid}.ljpg", [stream])
        capture = Capture(
            sop_instance_uid=uid,
            exam=exam.id,
            kind=MediaKind.STILL,
            source=source or self.source,
            instance_number=self.spool.captures.highest_number(exam.id) + 1,
            media=f"{uid}.ljpg",
            codec="jpeg-lossless",
            rows=ROWS,
            columns=COLUMNS,
            samples=3,
            frames=1,
            frame_times=(now.boottime_ns,),
            sequence=frame,
            bytes=written.bytes,
            sha256=written.sha256,
            taken=now,
            pressed=now,
            patient=exam.patient,
            equipment=Equipment(modality="US", body_part=body_part),
            side=side,
            request=request,
        )
        self.spool.captures.write_sidecar(capture)
        self.spool.captures.put_row(capture)
        return capture

    def _call_clip_start(self, arguments: dict[str, Any]) -> wire.Header:
        exam = self._exam(arguments["exam"])
        request = arguments["request"]
        header = clips.ClipHeader(
            exam=exam.id,
            source=arguments["source"],
            sop_instance_uid=self.clock.uid(),
            instance_number=self.spool.captures.highest_number(exam.id) + 1,
            part=1,
            pressed=self.clock.now(),
            patient=exam.patient,
            equipment=Equipment(modality="US"),
            rows=ROWS,
            columns=COLUMNS,
            request=RequestStamp(**request) if request else None,
        )
        writer = clips.ClipWriter(layout=self.spool.layout, files=self.spool.files, header=header)
        self.spool.captures.begin_clip(_recording(header))
        self._clip = (header.sop_instance_uid, exam.id, writer)
        return {"clip": header.sop_instance_uid}

    def _call_clip_stop(self, arguments: dict[str, Any]) -> wire.Header:
        if self._clip is None or self._clip[0] != arguments["clip"]:
            raise BadValue("This clip is not being recorded.")
        uid, _, writer = self._clip
        first = 6 if self.script.still else self.frame
        for number in range(5):
            jpeg = simplejpeg.encode_jpeg(
                draw(first + number), quality=90, colorspace="RGB", colorsubsampling="422"
            )
            writer.add(
                jpeg, time_ns=self.clock.boottime_ns() + number * 40_000_000, sequence=START + first + number
            )
        capture = writer.close()
        self.spool.captures.write_sidecar(capture)
        self.spool.captures.put_row(capture)
        self._clip = None
        return {"sop_instance_uids": [uid]}

    def _call_numbers(self, arguments: dict[str, Any]) -> wire.Header:
        first = self.spool.captures.highest_number(arguments["exam"]) + 1
        return {"numbers": list(range(first, first + arguments["count"]))}

    def _call_sign(self, arguments: dict[str, Any]) -> wire.Header:
        self.signs.append(arguments["answer"])
        return {}

    def _call_drain(self, arguments: dict[str, Any]) -> wire.Header:
        del arguments
        self._drained += 1
        return {"pending": 0}

    @property
    def drained(self) -> int:
        return self._drained

    def _exam(self, wanted: str) -> Exam:
        exam = self.spool.exams.open_one()
        if exam is None:
            raise NoExam
        if wanted and wanted != exam.id:
            raise ExamChanged
        return exam


def _stored(capture: Capture) -> wire.Header:
    return {
        "sop_instance_uid": capture.sop_instance_uid,
        "exam": capture.exam,
        "frame": capture.sequence,
        "instance_number": capture.instance_number,
        "taken_at": capture.taken.utc.isoformat(),
    }


def _recording(header: clips.ClipHeader) -> Capture:
    return Capture(
        sop_instance_uid=header.sop_instance_uid,
        exam=header.exam,
        kind=MediaKind.CLIP,
        source=header.source,
        instance_number=header.instance_number,
        media=f"{header.sop_instance_uid}.frames",
        codec="jpeg",
        rows=header.rows,
        columns=header.columns,
        samples=3,
        frames=0,
        frame_times=(),
        sequence=0,
        bytes=0,
        sha256=hashlib.sha256().hexdigest(),
        taken=header.pressed,
        pressed=header.pressed,
        patient=header.patient,
        equipment=header.equipment,
        request=header.request,
        state=CaptureState.RECORDING,
    )
