"""The socket: what it answers, whom it drops, and that nobody who talks to it can hurt the recorder."""

import json
import os
import socket
import stat
import struct
import threading
from contextlib import ExitStack, suppress
from itertools import repeat

import pytest

from gateway import wire
from gateway.capture.foreseen import Foreseen
from gateway.capture.pedals import Pedal
from gateway.capture.preview import Preview
from gateway.capture.server import Desk, Server
from gateway.capture.signs import Sign
from gateway.capture.status import Status
from gateway.capture.workbench import Tools, Workbench
from gateway.clock import Clock
from gateway.errors import (
    BadValue,
    Busy,
    DiskFull,
    ExamChanged,
    FrameGone,
    NoExam,
    NoSignal,
    NotTried,
    RequestReused,
)
from hardware.errors import DeviceMissing
from hardware.fakes import ScriptedTrigger
from hardware.indicators.fakes import FakeOutput
from tests.unit.capture.clips import torn


@pytest.fixture
def desk(boxes, clock):
    box = boxes(sources=("us", "scope"))
    pedal = Pedal(
        name="serial-1", trigger=ScriptedTrigger(repeat(None)), source="us", presses=box.presses, clock=clock
    )
    status = Status(
        spool=box.spool,
        grabbers=box.grabbers,
        pedals=[pedal],
        signs=[Sign(name="tone-1", output=FakeOutput(), clock=clock)],
        presses=box.presses,
        clips=box.clips,
        foreseen=Foreseen(clips=box.clips, spool=box.spool, indicator=box.indicator, clock=box.clock),
        recorder=box.recorder,
        heat=box.heat,
        clock=clock,
    )
    previews = {name: Preview(ring=grabber.ring) for name, grabber in box.grabbers.items()}
    desk = Desk(
        presses=box.presses,
        recorder=box.recorder,
        previews=previews,
        status=status,
        bench=Workbench(
            spool=box.spool, tools=Tools(), source=lambda _: box.sources["us"], grabbers=box.grabbers, clock=clock
        ),
        start_counter=3,
        clock=clock,
    )
    return box, desk


@pytest.fixture
def served(desk, tmp_path, wait):
    """Serve on a socket; what is returned makes calls."""
    box, desk = desk
    path = tmp_path / "capture.sock"
    server = Server(path=path, desk=desk, supervisor=box.supervisor, slowest_s=0.3)
    box.supervisor.start("socket", server.run)
    wait(lambda: path.exists() and can_connect(path))
    wait(lambda: not server._connections)

    def call(name: str, **arguments):
        return wire.call(path, name, arguments, timeout=10)

    call.path, call.box, call.connections = path, box, server._connections
    return call


def can_connect(path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        return connection.connect_ex(str(path)) == 0


def connect(path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(str(path))
    return connection


def dropped(connection: socket.socket) -> bool:
    """Say whether the server hung up; with unread bytes on its side that is a reset."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def greeted(path) -> socket.socket:
    connection = connect(path)
    assert wire.receive(connection).header == {"hello": {"protocol": 1, "start_counter": 3}}
    return connection


def test_a_press_is_answered_with_what_is_stored(served):
    exam = served.box.exam()
    frame = served.box.show()
    answer = served("press", source="us", exam=exam.id, frame=frame.sequence, request={"id": "r", "digest": "d"})
    capture = served.box.spool.captures.get(answer["sop_instance_uid"]).capture
    assert answer == {
        "sop_instance_uid": capture.sop_instance_uid,
        "exam": exam.id,
        "frame": frame.sequence,
        "instance_number": 1,
        "taken_at": capture.taken.utc.isoformat(),
    }
    assert served("press", source="us", request={"id": "r", "digest": "d"}) == answer
    with pytest.raises(RequestReused):
        served("press", source="us", request={"id": "r", "digest": "e"})
    assert served("drain", exam=exam.id, seconds=1) == {"pending": 0}
    assert stat.S_IMODE(os.stat(served.path).st_mode) == 0o660  # noqa: PTH116


def test_a_press_says_its_side_and_whoever_moves_pictures_gets_numbers(served):
    exam = served.box.exam()
    served.box.show()
    uid = served("press", source="us", side="R")["sop_instance_uid"]
    assert served.box.spool.captures.get(uid).capture.side == "R"
    assert served("numbers", exam=exam.id, count=3) == {"numbers": [2, 3, 4]}
    for wrong in ("X", 1, ["R"]):
        with pytest.raises(BadValue):
            served("press", source="us", side=wrong)
    for count in (0, 1001, True):
        with pytest.raises(BadValue):
            served("numbers", exam=exam.id, count=count)


def test_a_clip_is_started_and_stopped(served):
    exam = served.box.exam()
    served.box.show()
    clip = served("clip_start", source="us", exam=exam.id)["clip"]
    assert served("clip_stop", clip=clip) == {"sop_instance_uids": [clip]}
    assert served("clip_stop", clip=clip) == {"sop_instance_uids": [clip]}


def test_refusals_cross_the_socket_as_what_they_are(served):
    box = served.box
    with pytest.raises(NoExam):
        served("press")
    box.exam()
    box.show()
    with pytest.raises(ExamChanged):
        served("press", exam="another")
    with pytest.raises(FrameGone):
        served("press", source="us", frame=2**53 - 1)
    box.give("us", DeviceMissing("unplugged"))
    with pytest.raises(NoSignal, match="unplugged"):
        served("press")
    box.show()
    box.disk.full = lambda step, _name: step == "sync"
    with pytest.raises(DiskFull, match="NOT stored"):
        served("press")


WRONG = [
    ("nothing", {}),
    (None, {}),
    (["press"], {}),
    ({"a": 1}, {}),
    ("press", []),
    ("press", None),
    ("press", {"source": "unknown"}),
    ("press", {"source": 7}),
    ("press", {"source": ["us"]}),
    ("press", {"source": "us\u0000"}),
    ("press", {"source": "\ud800"}),
    ("press", {"exam": {"id": 1}}),
    ("press", {"exam": "x" * 1000}),
    ("press", {"frame": "1"}),
    ("press", {"frame": -1}),
    ("press", {"frame": 2**53}),
    ("press", {"frame": 1e308}),
    ("press", {"frame": float("inf")}),
    ("press", {"frame": True}),
    ("press", {"frame": None}),
    ("press", {"request": "r"}),
    ("press", {"request": {"id": "", "digest": ""}}),
    ("press", {"request": {"id": 1, "digest": "d"}}),
    ("clip_start", {"source": 1.5}),
    ("clip_stop", {"clip": 5}),
    ("drain", {}),
    ("drain", {"exam": "x", "seconds": "long"}),
    ("drain", {"exam": "x", "seconds": float("nan")}),
    ("drain", {"exam": "x", "seconds": -1}),
    ("drain", {"exam": "x", "seconds": True}),
    ("preview", {"source": "unknown"}),
    ("preview", {"width": "wide"}),
]


def test_arguments_of_the_wrong_kind_are_refused_and_the_connection_goes_on(served):
    served.box.exam()
    served.box.show()
    with greeted(served.path) as connection:
        taken = [(name, arguments) for name, arguments in WRONG * 2 if not refused(connection, name, arguments)]
    assert taken == []
    assert served("press", source="us")["instance_number"] == 1


def refused(connection: socket.socket, name: object, arguments: object) -> bool:
    connection.sendall(wire.pack({"call": name, "arguments": arguments}))
    try:
        wire.result_of(wire.receive(connection))
    except BadValue:
        return True
    return False


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 64,
        b"\xff" * 64,
        struct.pack(">II", 0x7FFFFFFF, 8) + b"{}",
        struct.pack(">II", 1 << 25, 2) + b"{}",
        struct.pack(">II", 6, 100) + b"{}",
        struct.pack(">II", 6, 2) + b"[]",
        struct.pack(">II", 7, 3) + b"\xff\xfe\xfd",
        struct.pack(">II", 60_004, 60_000) + b"[" * 60_000,
        struct.pack(">II", 100, 50) + b'{"call":',
        wire.pack({"call": "press", "arguments": {"exam": "x" * 100_000}}),
    ],
)
def test_garbage_is_dropped_and_the_server_lives_on(served, garbage):
    with greeted(served.path) as connection:
        connection.sendall(garbage)
        with suppress(OSError):  # dropped already
            connection.shutdown(socket.SHUT_WR)
        assert dropped(connection)
    served.box.exam()
    served.box.show()
    assert served("press", source="us")["instance_number"] == 1


def test_callers_that_hang_up_at_once_or_in_mid_call_hurt_nobody(served):
    for count in range(40):
        connection = connect(served.path)
        if count % 2:
            connection.sendall(wire.pack({"call": "state"})[: count % 7 + 3])
        connection.close()
    served.box.exam()
    served.box.show()
    assert served("press", source="us")["instance_number"] == 1


def test_a_caller_that_hangs_up_before_the_answer_has_its_picture_stored(served, wait):
    exam = served.box.exam()
    served.box.show()
    with greeted(served.path) as connection:
        connection.sendall(wire.pack({"call": "press", "arguments": {"source": "us"}}))
    wait(lambda: len(served.box.spool.captures.of_exam(exam.id)) == 1)


def test_a_press_is_said_to_be_pinned_before_it_is_stored(served):
    exam = served.box.exam()
    frame = served.box.show()
    served.box.disk.held = lambda operation, name: operation == "sync" and name.endswith((".ljpg", ".ljpg.part"))
    with greeted(served.path) as connection:
        asked = {"source": "us", "exam": exam.id, "frame": frame.sequence}
        connection.sendall(wire.pack({"call": "press", "arguments": asked}))
        assert wire.receive(connection).header == {"event": "pinned"}
        assert served.box.spool.captures.of_exam(exam.id) == []
        served.box.disk.moves.set()
        assert wire.receive(connection).header["result"]["frame"] == frame.sequence


def test_a_refused_press_is_not_said_to_be_pinned(served):
    served.box.show()
    with greeted(served.path) as connection:
        connection.sendall(wire.pack({"call": "press", "arguments": {"source": "us"}}))
        assert wire.receive(connection).header["error"]["code"] == "no-exam"


def test_the_sixty_fifth_connection_is_dropped_and_room_is_made_when_others_leave(served, wait):
    held = [greeted(served.path) for _ in range(64)]
    with connect(served.path) as refused:
        assert dropped(refused)
    held.pop().close()

    def welcome() -> bool:
        with connect(served.path) as connection:
            return connection.recv(1) != b""

    wait(welcome)
    for connection in held:
        connection.close()


def test_calls_one_after_the_other_make_no_threads(served, wait):
    exam = served.box.exam()
    served.box.show()
    supervisor = served.box.supervisor
    served("drain", exam=exam.id, seconds=0)
    before = [*supervisor._threads]
    for number in range(1, 21):
        wait(lambda: supervisor._resting)
        assert served("press", source="us")["instance_number"] == number
    assert supervisor._threads == before


def test_sixteen_pins_are_busy_for_the_seventeenth_caller(served, wait):
    box = served.box
    box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".ljpg.part")
    callers = [threading.Thread(target=lambda: served("press", source="us")) for _ in range(16)]
    for caller in callers:
        caller.start()
    wait(lambda: box.recorder.pending == 16)
    with pytest.raises(Busy):
        served("press", source="us")
    assert served("drain", exam=box.spool.exams.open_one().id, seconds=0.01) == {"pending": 16}
    box.disk.moves.set()
    for caller in callers:
        caller.join(10)
    wait(lambda: box.recorder.pending == 0)


def test_the_state_is_said_at_every_change_and_once_a_second(served):
    box = served.box
    with greeted(served.path) as connection:
        connection.sendall(wire.pack({"call": "state", "arguments": {}}))
        first = wire.receive(connection).header
        assert first["event"] == "state"
        assert [(s["name"], s["state"]) for s in first["sources"]] == [("us", "no-signal"), ("scope", "no-signal")]
        assert first["pedals"] == [{"name": "serial-1", "connected": False, "what": "", "presses": 0}]
        assert first["signs"] == [{"name": "tone-1", "connected": False, "what": ""}]
        assert (first["exam"], first["clip"], first["last"], first["pending"]) == ("", None, None, 0)
        exam = box.exam()
        frame = box.show()
        while (live := wire.receive(connection).header["sources"][0])["state"] != "live":
            pass
        assert (live["width"], live["height"], live["sequence"]) == (320, 180, frame.sequence)
        clip = served("clip_start", source="us")["clip"]
        while (state := wire.receive(connection).header)["clip"] is None:
            pass
        assert (state["exam"], state["clip"]["clip"], state["clip"]["source"]) == (exam.id, clip, "us")
        served("clip_stop", clip=clip)
        while (state := wire.receive(connection).header)["last"]["answer"] != "clip-stopped":
            pass
        assert state["last"] == {
            "number": 2,
            "answer": "clip-stopped",
            "origin": "socket",
            "code": "",
            "what": "",
            "sop_instance_uid": clip,
        }
        assert wire.receive(connection).header["last"]["number"] == 2  # nothing changed: said all the same


def test_the_state_names_no_patient(served):
    box = served.box
    box.exam("Canary^Zebulon")
    box.show()
    served("press", source="us")
    with greeted(served.path) as connection:
        connection.sendall(wire.pack({"call": "state", "arguments": {}}))
        assert "Zebulon" not in json.dumps(wire.receive(connection).header)


def watch(path, **arguments) -> socket.socket:
    connection = greeted(path)
    connection.sendall(wire.pack({"call": "preview", "arguments": arguments}))
    return connection


def test_a_viewer_gets_a_picture_for_each_credit_and_always_the_newest(served):
    served.box.show(count=3)
    with watch(served.path, source="us", width=320) as viewer:
        message = wire.receive(viewer)
        newest = served.box.grabbers["us"].ring.newest()
        assert message.header == {
            "event": "preview",
            "sequence": newest.sequence,
            "time_ns": newest.time_ns,
            "width": 320,
            "height": 180,
        }
        assert message.body[:3] == b"\xff\xd8\xff"
        newest = served.box.show(count=4)
        viewer.settimeout(0.1)
        with pytest.raises(TimeoutError):
            viewer.recv(1)  # no credit, no picture
        viewer.settimeout(10)
        viewer.sendall(wire.pack({"call": "credit"}))
        assert wire.receive(viewer).header["sequence"] == newest.sequence
        viewer.sendall(wire.pack({"call": "press"}))
        with pytest.raises(wire.WireError):
            wire.receive(viewer)


def test_a_picture_that_cannot_be_shown_is_left_out_and_no_viewer_is_sent_away(served):
    with watch(served.path, source="us", width=320) as viewer:
        assert served.box.give("us", torn(served.box))
        viewer.settimeout(0.1)
        with pytest.raises(TimeoutError):
            viewer.recv(1)
        viewer.settimeout(10)
        frame = served.box.show()
        assert wire.receive(viewer).header["sequence"] == frame.sequence


def test_a_preview_is_encoded_once_for_all_who_watch_and_not_at_all_for_nobody(served):
    preview = Preview(ring=served.box.grabbers["us"].ring)
    served.box.show()
    assert preview._made == {}
    first = preview.next(after=0, width=300, timeout=0)
    assert preview.next(after=0, width=320, timeout=0) is first
    assert preview.next(after=first.sequence, width=320, timeout=0) is None
    assert preview.next(after=0, width=5000, timeout=0) is not first
    assert preview.next(after=0, width=1280, timeout=0) is preview.next(after=0, width=99_999, timeout=0)
    served.box.show()
    assert preview.next(after=0, width=320, timeout=0) is not first


def test_a_viewer_that_never_reads_is_dropped_and_holds_up_nobody(served, wait):
    box = served.box
    box.exam()
    box.show(size=(640, 360))
    with watch(served.path, source="us", width=640) as lazy:
        lazy.sendall(wire.pack({"call": "credit"}) * 100)
        assert served("press", source="us")["instance_number"] == 1
        wait(lambda: len(served.connections) == 1)

        def gone() -> bool:
            box.show(size=(640, 360))
            return not served.connections

        wait(gone)
    assert served("press", source="us")["instance_number"] == 2


def test_a_viewer_that_hangs_up_is_forgotten(served, wait):
    viewers = [watch(served.path, source="us"), watch(served.path, source="scope")]
    wait(lambda: len(served.connections) == 2)
    for viewer in viewers:
        viewer.close()
    wait(lambda: not served.connections)


def test_a_stop_wakes_every_connection(served):
    held = [greeted(served.path), watch(served.path, source="us")]
    clock = Clock()
    start = clock.boottime_ns()
    assert served.box.end()
    assert clock.boottime_ns() - start < 3e9
    for connection in held:
        connection.close()


def test_those_who_watch_the_picture_never_keep_a_press_from_being_heard(served):
    served.box.show()
    with ExitStack() as open_ones:
        viewers = [open_ones.enter_context(watch(served.path, source="us")) for _ in range(40)]
        answers = [wire.receive(viewer).header for viewer in viewers]
        refused = [answer["error"]["code"] for answer in answers if "error" in answer]
        assert refused == ["busy"] * 16
        with pytest.raises(NoExam):
            served("press")


def test_devices_that_are_not_configured_are_named_with_who_uses_the_others(served):
    devices = served("devices")["devices"]
    assert {each["device"]: each["used_by"] for each in devices}["pattern:bars"] == "us"


def test_a_look_at_a_device_brings_its_picture_along(served):
    served.box.show("us")
    connection = greeted(served.path)
    asked = {"call": "look", "arguments": {"device": "pattern:bars", "profile": "", "width": 320}}
    connection.sendall(wire.pack(asked))
    answer = wire.receive(connection)
    connection.close()
    assert answer.header == {"result": {"width": 320, "height": 180}}
    assert answer.body.startswith(b"\xff\xd8")


def test_what_cannot_be_learned_here_is_told_so(served):
    with pytest.raises(NotTried):
        served("hear", seconds=1)
