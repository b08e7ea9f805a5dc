import asyncio
import hashlib
import uuid

import imagecodecs
import numpy as np
import pytest
import simplejpeg

from gateway.errors import (
    Busy,
    CaptureGone,
    CaptureSilent,
    DiskFailed,
    DiskFull,
    ExamChanged,
    FrameGone,
    NoSignal,
    ScopegateError,
    SpoolBusy,
    SpoolDamaged,
)
from gateway.panel.live.recorder import Recorder
from gateway.spool.purging import Purging
from tests.unit.panel.conftest import Bench, seal
from tests.unit.panel.fake_capture import START, draw


def request_id() -> str:
    return str(uuid.uuid4())


def test_a_press_is_answered_when_the_very_frame_is_stored(bench: Bench) -> None:
    exam = bench.open_exam()
    frame = START + bench.capture.frame
    stored = bench.post(f"/exams/{exam}/stills", {"frame": frame, "request_id": request_id()}, status=201)
    assert stored["frame"] == frame
    assert stored["taken_at"]
    assert bench.spool.captures.get(str(stored["sop_instance_uid"])).capture.sequence == frame
    assert bench.capture.pressed[0]["exam"] == exam


def test_a_press_without_frame_or_request_id_takes_the_frame_of_this_moment(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.post(f"/exams/{exam}/stills", status=201)
    assert (bench.capture.pressed[0]["frame"], bench.capture.pressed[0]["request"]) == (0, None)


def test_a_still_of_the_bench_is_there_once_though_its_first_answer_was_lost(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.capture.script.lose_answers = 1
    stored = bench.still(exam)
    assert [each["sop_instance_uid"] for each in bench.get(f"/exams/{exam}")["captures"]] == [stored]  # type: ignore[attr-defined]


def test_asking_again_after_a_lost_answer_stores_one_picture(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.capture.script.lose_answers = 1
    body = {"request_id": request_id()}
    problem = bench.refused(f"/exams/{exam}/stills", body, 503, "recorder-silent")
    assert "NOT stored" not in str(problem)
    again = bench.post(f"/exams/{exam}/stills", body, status=201)
    assert bench.post(f"/exams/{exam}/stills", body, status=201) == again
    assert len(bench.get(f"/exams/{exam}")["captures"]) == 1


def test_the_same_request_id_for_another_picture_is_refused(bench: Bench) -> None:
    exam = bench.open_exam()
    body = {"request_id": request_id(), "frame": START + bench.capture.frame}
    bench.post(f"/exams/{exam}/stills", body, status=201)
    bench.refused(f"/exams/{exam}/stills", {**body, "frame": 2**40}, 422, "request-reused")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ExamChanged(), 409),
        (FrameGone(), 410),
        (Busy(), 429),
        (NoSignal(), 503),
        (CaptureGone(), 503),
        (CaptureSilent(), 503),
        (DiskFull(), 507),
        (DiskFailed(), 500),
        (SpoolBusy(), 503),
        (SpoolDamaged(), 500),
    ],
)
def test_a_press_that_was_not_stored_says_why_and_what_to_do(
    quiet: Bench, error: ScopegateError, status: int
) -> None:
    exam = quiet.exam
    quiet.capture.script.refuse = error
    quiet.refused(f"/exams/{exam}/stills", {}, status, error.code)
    quiet.refused(f"/exams/{exam}/clips", {}, status, error.code)
    quiet.capture.script.refuse = None


def test_a_press_for_another_than_the_open_exam_stores_nothing(bench: Bench) -> None:
    old = bench.open_exam()
    bench.post("/exams", {"emergency": True, "close_open": True}, status=201)
    bench.refused(f"/exams/{old}/stills", {}, 409, "exam-changed")


def test_a_press_after_the_finish_says_that_the_exam_has_ended(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.post(f"/exams/{exam}/finish")
    bench.refused(f"/exams/{exam}/stills", {}, 409, "exam-ended")


def test_a_frame_that_left_memory_is_gone_and_not_replaced_by_the_newest(quiet: Bench) -> None:
    exam = quiet.exam
    quiet.refused(f"/exams/{exam}/stills", {"frame": 1}, 410, "frame-gone")


def test_with_the_recorder_gone_a_press_says_so(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.capture.stop()
    bench.refused(f"/exams/{exam}/stills", {}, 503, "recorder-gone")
    bench.capture.start()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"source": "x-ray"}, 422, "bad-value"),
        ({"frame": 0}, 422, "bad-value"),
        ({"frame": 2**53}, 422, "bad-value"),
        ({"frame": True}, 422, "bad-value"),
        ({"frame": "1"}, 422, "bad-value"),
        ({"pictures": 3}, 400, "bad-request"),
    ],
)
def test_a_press_that_makes_no_sense_is_refused(quiet: Bench, body: dict, status: int, code: str) -> None:
    exam = quiet.exam
    quiet.refused(f"/exams/{exam}/stills", body, status, code)


def test_a_picture_that_was_let_go_says_where_it_is(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    seal(bench, exam, uid)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    spool = bench.spool
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'committed', proof = 'commitment'")
    assert bench.get(f"/exams/{exam}")["captures"][0]["purged_at"] is None
    purging = Purging(spool)
    purging.settle([(uid, "committed", 1)])
    assert purging.let_go(purging.here(after=0)[0][0])
    for what in ("thumbnail", "image", "frames/1", "media", "dicom"):
        problem = bench.get(f"/captures/{uid}/{what}", status=410)
        assert problem["code"] == "purged"
        assert str(problem["what"]).startswith("It is in the PACS; this box let it go on ")
    (capture,) = bench.get(f"/exams/{exam}")["captures"]
    assert (capture["fate"], bool(capture["purged_at"])) == ("Safe in PACS", True)
    for page in (f"/exam/{exam}", f"/picture/{uid}"):
        shown = bench.client.get(page).text
        assert "It is in the PACS; this box let it go on " in shown
        assert f"/captures/{uid}/" not in shown


def test_presses_that_come_at_the_same_time_reach_the_recorder_in_their_order(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.capture.script.delay_s = 0.02
    bench.capture.frame += 40
    frames = [START + 10 + n for n in range(20)]

    async def press() -> None:
        recorder = Recorder(bench.capture.path)
        calls = [
            recorder.press(source="ultrasound", exam=exam, frame=frame, anyway=False, request=None)
            for frame in frames
        ]
        await asyncio.gather(*calls)

    asyncio.run(press())
    assert [c["frame"] for c in bench.get(f"/exams/{exam}")["captures"]] == frames


def test_a_clip_is_started_and_stopped(bench: Bench) -> None:
    exam = bench.open_exam()
    started = bench.post(f"/exams/{exam}/clips", {"request_id": request_id()}, status=201)
    assert bench.post(f"/clips/{started['clip']}/stop") == {"sop_instance_uids": [started["clip"]]}
    bench.refused(f"/clips/{started['clip']}/stop", None, 422, "bad-value")
    (clip,) = bench.get(f"/exams/{exam}")["captures"]
    assert (clip["kind"], clip["frames"], clip["fate"]) == ("clip", 5, "On this box")


def test_a_picture_is_removed_and_brought_back_until_the_release(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    assert bench.post(f"/captures/{uid}/reject", {"reason": "blurred"})["state"] == "rejected"
    assert bench.get(f"/exams/{exam}")["captures"][0]["reason"] == "blurred"
    assert bench.post(f"/captures/{uid}/restore")["state"] == "saved"
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    bench.refused(f"/captures/{uid}/reject", {}, 409, "wrong-state")


@pytest.mark.parametrize("call", ["/thumbnail", "/image", "/frames/1", "/media", "/dicom"])
def test_an_unknown_capture_is_not_found_by_any_call(quiet: Bench, call: str) -> None:
    assert quiet.get(f"/captures/1.2.3{call}", status=404)["code"] == "not-found"


def test_pictures_for_looking_are_jpegs_of_the_width_asked_for(bench: Bench) -> None:
    exam = bench.open_exam()
    frame = START + bench.capture.frame
    uid = bench.still(exam, frame=frame)
    whole = simplejpeg.decode_jpeg(bench.client.get(f"/api/v1/captures/{uid}/image").content)
    assert np.abs(whole.astype(int) - draw(frame - START)).mean() < 3
    half = bench.client.get(f"/api/v1/captures/{uid}/image?width=200")
    assert simplejpeg.decode_jpeg_header(half.content)[1] == 200
    assert half.headers["content-type"] == "image/jpeg"
    assert half.headers["cache-control"] == "no-store"
    thumbnail = bench.client.get(f"/api/v1/captures/{uid}/thumbnail").content
    assert simplejpeg.decode_jpeg_header(thumbnail)[1] == 240
    assert bench.get(f"/captures/{uid}/image?width=9", status=422)["code"] == "bad-value"
    assert bench.get(f"/captures/{uid}/frames/2", status=404)["code"] == "not-found"
    assert bench.get(f"/captures/{uid}/frames/0", status=404)["code"] == "not-found"


def test_media_come_as_recorded_whole_and_in_part(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    capture = bench.spool.captures.get(uid).capture
    whole = bench.client.get(f"/api/v1/captures/{uid}/media")
    assert hashlib.sha256(whole.content).hexdigest() == capture.sha256
    part = bench.client.get(f"/api/v1/captures/{uid}/media", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])


def test_every_frame_of_a_clip_can_be_looked_at(bench: Bench) -> None:
    exam = bench.open_exam()
    clip = str(bench.post(f"/exams/{exam}/clips", status=201)["clip"])
    bench.post(f"/clips/{clip}/stop")
    views = {bench.client.get(f"/api/v1/captures/{clip}/frames/{n}").content for n in range(1, 6)}
    assert len(views) == 5
    assert bench.get(f"/captures/{clip}/frames/6", status=404)["code"] == "not-found"


def test_an_object_that_is_not_made_yet_is_said_to_be_so(bench: Bench) -> None:
    uid = bench.still(bench.open_exam())
    assert bench.get(f"/captures/{uid}/dicom", status=409)["code"] == "not-sealed"


# --- after sealing: the media file is gone, the object holds the codestreams -----------------------------


@pytest.mark.parametrize("kind", ["still", "clip"])
def test_after_sealing_pictures_and_media_are_the_same_as_before(bench: Bench, kind: str) -> None:
    exam = bench.open_exam()
    if kind == "still":
        uid = bench.still(exam)
    else:
        uid = str(bench.post(f"/exams/{exam}/clips", status=201)["clip"])
        bench.post(f"/clips/{uid}/stop")

    def look(path: str) -> bytes:
        return bench.client.get(f"/api/v1/captures/{uid}/{path}").content

    before = look("media"), look("image"), look("frames/1")
    file = seal(bench, exam, uid)
    assert (look("media"), look("image"), look("frames/1")) == before
    assert look("dicom") == file
    part = bench.client.get(f"/api/v1/captures/{uid}/media", headers={"range": "bytes=2-4000"})
    assert (part.status_code, part.content) == (206, before[0][2:4001])
    assert part.headers["content-range"] == f"bytes 2-4000/{len(before[0])}"
    tail = bench.client.get(f"/api/v1/captures/{uid}/media", headers={"range": "bytes=-5"})
    assert tail.content == before[0][-5:]
    beyond = bench.client.get(f"/api/v1/captures/{uid}/media", headers={"range": "bytes=99999999-"})
    assert beyond.status_code == 416


def test_a_still_served_from_its_object_decodes_to_the_pixels_of_the_screen(bench: Bench) -> None:
    exam = bench.open_exam()
    frame = START + bench.capture.frame
    uid = bench.still(exam, frame=frame)
    seal(bench, exam, uid)
    media = bench.client.get(f"/api/v1/captures/{uid}/media").content
    assert (imagecodecs.jpeg8_decode(media) == draw(frame - START)).all()


def test_a_damaged_object_is_called_damaged(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    seal(bench, exam, uid)
    bench.spool.layout.object(exam, uid).write_bytes(b"DICM" * 50)
    assert bench.get(f"/captures/{uid}/image", status=500)["code"] == "spool-damaged"


@pytest.mark.parametrize(
    ("pacs", "proof", "word"),
    [
        ("queued", "", "On this box"),
        ("sending", "", "Sending"),
        ("held", "", "On this box"),
        ("sent", "", "Sent"),
        ("committed", "query", "Found in PACS"),
        ("committed", "commitment", "Safe in PACS"),
    ],
)
def test_the_word_for_a_picture_is_that_of_its_required_destination(
    bench: Bench, pacs: str, proof: str, word: str
) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    seal(bench, exam, uid)
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = ?, proof = ? WHERE destination = 'pacs'", (pacs, proof))
    (capture,) = bench.get(f"/exams/{exam}")["captures"]
    assert (capture["fate"], capture["sealed"]) == (word, True)
    assert {d["destination"]: d["state"] for d in capture["deliveries"]} == {"pacs": pacs, "backup": "queued"}


def test_who_means_another_picture_than_now_has_the_delivery_s_number_holds_and_sends_nothing(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    seal(bench, exam, uid)
    number = bench.get("/deliveries")["deliveries"][0]["id"]
    other: dict[str, object] = {"sop_instance_uid": "2.25.1"}
    bench.refused(f"/deliveries/{number}/hold", other, 404, "not-found")
    assert bench.post(f"/deliveries/{number}/hold", {"sop_instance_uid": uid})["state"] == "held"
    bench.refused(f"/deliveries/{number}/release", other, 404, "not-found")
    assert bench.post(f"/deliveries/{number}/release", {"sop_instance_uid": uid})["state"] == "queued"


def test_deliveries_are_listed_held_released_and_tried_again_at_once(bench: Bench) -> None:
    exam = bench.open_exam()
    seal(bench, exam, bench.still(exam))
    deliveries = bench.get("/deliveries?state=queued")["deliveries"]
    number = deliveries[0]["id"]
    assert [d["destination"] for d in deliveries] == ["pacs", "backup"]
    assert bench.post(f"/deliveries/{number}/hold")["code"] == "held-by-person"
    bench.refused(f"/deliveries/{number}/hold", None, 409, "wrong-state")
    bench.refused(f"/deliveries/{number}/retry", None, 409, "wrong-state")
    assert [d["id"] for d in bench.get(f"/deliveries?state=held&exam={exam}")["deliveries"]] == [number]
    assert bench.post(f"/deliveries/{number}/release")["state"] == "queued"
    bench.refused(f"/deliveries/{number}/release", None, 409, "wrong-state")
    assert bench.post(f"/deliveries/{number}/retry")["next_attempt"] is None
    assert bench.post("/deliveries/retry")["retried"] == 2
    assert bench.post("/deliveries/retry", {"destination": "pacs"})["retried"] == 1
    bench.refused("/deliveries/retry", {"destination": "nowhere"}, 404, "not-found")
    assert bench.client.get("/api/v1/deliveries?state=lost").status_code == 422


@pytest.mark.parametrize("call", ["retry", "hold", "release"])
@pytest.mark.parametrize("number", ["99", "x", "9" * 30])
def test_an_unknown_delivery_is_not_found(quiet: Bench, call: str, number: str) -> None:
    quiet.refused(f"/deliveries/{number}/{call}", None, 404, "not-found")


def test_presses_over_one_connection_are_stored_side_by_side_in_their_order(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.capture.script.delay_s = 0.05
    bench.capture.frame += 40
    ids = [request_id() for _ in range(12)]
    with bench.watching.websocket_connect("ws://127.0.0.1:8080/api/v1/presses") as screen:
        for number, identifier in enumerate(ids):
            screen.send_json({"request_id": identifier, "exam": exam, "frame": START + 5 + number})
        answers = [screen.receive_json() for _ in ids]
    assert {a["status"] for a in answers} == {201}
    assert {a["request_id"] for a in answers} == set(ids)
    stored = {a["body"]["sop_instance_uid"] for a in answers}
    captures = bench.get(f"/exams/{exam}")["captures"]
    assert [c["frame"] for c in captures] == [START + 5 + n for n in range(12)]
    assert {c["sop_instance_uid"] for c in captures} == stored
    again = bench.post(f"/exams/{exam}/stills", {"request_id": ids[0], "frame": START + 5}, status=201)
    assert again["instance_number"] == 1


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ("{", 400, "bad-request"),
        ('{"exam": "x"}', 422, "bad-value"),
        ('{"request_id": "1", "exam": "x"}', 422, "bad-value"),
        ('{"request_id": "%s"}', 422, "bad-value"),
        ('{"request_id": "%s", "exam": "x"}', 404, "not-found"),
        ('{"request_id": "%s", "exam": "x", "more": 1}', 400, "bad-request"),
    ],
)
def test_a_press_over_the_connection_is_refused_as_the_call_refuses_it(
    quiet: Bench, message: str, status: int, code: str
) -> None:
    with quiet.watching.websocket_connect("ws://127.0.0.1:8080/api/v1/presses") as screen:
        screen.send_text(message.replace("%s", request_id()))
        answer = screen.receive_json()
    assert (answer["status"], answer["body"]["code"]) == (status, code)
