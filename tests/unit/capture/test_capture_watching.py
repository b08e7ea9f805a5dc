"""Who watches over the socket: the state, the picture, the devices. None of them keeps a press from being heard."""

import json
from contextlib import ExitStack

import pytest

from gateway import wire
from gateway.capture.preview import Preview
from gateway.clock import Clock
from gateway.errors import (
    NoExam,
    NotTried,
)
from tests.unit.capture.calling import greeted, watch
from tests.unit.capture.clips import torn


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
