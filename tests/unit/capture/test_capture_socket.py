"""The socket: what it answers, whom it drops, and that nobody who talks to it can hurt the recorder."""

import os
import socket
import stat
import struct
import threading
from contextlib import suppress

import pytest

from gateway import wire
from gateway.errors import (
    BadValue,
    Busy,
    DiskFull,
    ExamChanged,
    FrameGone,
    NoExam,
    NoSignal,
    RequestReused,
)
from hardware.errors import DeviceMissing
from tests.unit.capture.calling import connect, dropped, greeted


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
