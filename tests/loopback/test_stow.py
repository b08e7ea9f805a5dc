"""Sending to archives over the web: what arrives, lines that break, and what is in doubt after them."""

import json

import pytest

from gateway.errors import NeverAccepted, SpoolDamaged, TryLater
from gateway.net.peers import Timeouts
from gateway.net.store import StoreResult
from tests.loopback.peers import RawServer, free_port, items
from tests.loopback.peers.web import json_answer
from tests.loopback.stowing import FOUND, QUICK, STILL, channel_to, send_one, store, to

# --- what arrives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        (STILL, items.JPEG_LOSSLESS),
        (STILL, items.EXPLICIT),
        (STILL, items.IMPLICIT),
        (items.MULTI_FRAME_TRUE_COLOUR, items.JPEG_BASELINE),
    ],
)
def test_what_arrives_over_the_web_is_bit_for_bit_what_was_sealed(orthanc_web, tmp_path, kind):
    sop_class, syntax = kind
    file = items.sample(tmp_path, sop_class_uid=sop_class, transfer_syntax_uid=syntax)
    url = f"http://127.0.0.1:{orthanc_web.http_port}/dicom-web"
    with channel_to(to(url), syntax=syntax, sop_class=sop_class) as channel:
        assert channel.accepted(sop_class) == (syntax,)
        assert store(channel, file, syntax=syntax, sop_class=sop_class) == StoreResult(status="HTTP 200")
        assert store(channel, file, syntax=syntax, sop_class=sop_class, sent_before=True) == FOUND
    assert items.data_set_bytes(orthanc_web.file(file.stem)) == items.data_set_bytes(file.read_bytes())


def test_an_exam_goes_over_one_connection_one_object_a_request(web_archive, tmp_path):
    files = [items.sample(tmp_path) for _ in range(5)]
    ports = []

    def note(request, _):
        ports.append(request.client_address[1])
        return False

    web_archive.behave = note
    with channel_to(to(web_archive.url)) as channel:
        for file in files:
            assert store(channel, file).status == "HTTP 200"
    assert [asked.uids for asked in web_archive.posts()] == [[file.stem] for file in files]
    assert [asked.parts for asked in web_archive.posts()] == [[file.read_bytes()] for file in files]
    assert len(set(ports)) == 1
    assert all("transfer-encoding" not in asked.headers for asked in web_archive.posts())


def test_an_object_made_on_the_way_out_goes_from_memory(web_archive, still):
    with channel_to(to(web_archive.url)) as channel:
        channel.store(
            still.read_bytes(), sop_class_uid=STILL, sop_instance_uid=still.stem, transfer_syntax_uid=items.EXPLICIT
        )
    assert web_archive.has[still.stem] == still.read_bytes()


def test_a_destination_s_own_formats_are_the_only_ones(web_archive):
    with channel_to(
        to(web_archive.url, transfer_syntaxes=(items.IMPLICIT,)), syntax=items.JPEG_LOSSLESS
    ) as channel:
        assert channel.accepted(STILL) == (items.IMPLICIT,)
    with channel_to(to(web_archive.url), syntax=items.JPEG_LOSSLESS) as channel:
        assert channel.accepted(items.MULTI_FRAME_TRUE_COLOUR) == ()


def test_a_file_that_is_not_its_record_is_not_sent(web_archive, still, tmp_path):
    with channel_to(to(web_archive.url)) as channel:
        with pytest.raises(NeverAccepted) as caught:
            channel.store(still, sop_class_uid=STILL, sop_instance_uid="1.2", transfer_syntax_uid=items.EXPLICIT)
        assert caught.value.code == "object-mismatch"
        with pytest.raises(SpoolDamaged):
            store(channel, tmp_path / "gone.dcm")
        assert channel.usable
    assert web_archive.asked == []


# --- lines that break ------------------------------------------------------------------------------------


def _drop_before(request, _):
    request.hang_up()


def _drop_in_the_middle(request, _):
    request.rfile.read(1000)
    request.hang_up()


def _drop_after(request, asked):
    request.take(asked)
    request.hang_up()


def _half_an_answer(request, asked):
    request.take(asked)
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    request.hang_up()


def _no_http(request, asked):
    request.take(asked)
    request.wfile.write(b"220 welcome\r\n\r\n")
    request.close_connection = True


def _silent(request, asked):
    request.take(asked)
    request.peer.gone.wait(10)


def _dripping(request, asked):
    request.take(asked)
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not request.peer.gone.wait(0.05):  # within every limit between two bytes
        request.wfile.write(b" ")


def _stuck(request, _):
    request.peer.gone.wait(10)


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (_drop_before, "dropped"),
        (_drop_in_the_middle, "dropped"),
        (_drop_after, "dropped"),
        (_half_an_answer, "dropped"),
        (_no_http, "garbage"),
        (_silent, "timeout"),
        (_dripping, "timeout"),
        (_stuck, "timeout"),
    ],
)
def test_a_line_that_breaks_leaves_the_object_in_doubt(web_archive, tmp_path, behave, code):
    file = items.sample(tmp_path, pixels=bytes(16_000_000 if behave is _stuck else 1_000_000))
    web_archive.behave = behave
    error, usable = send_one(web_archive.url, file, timeouts=QUICK if code == "timeout" else None)
    assert (type(error), error.code, usable) == (TryLater, code, False)
    assert not error.nothing_left
    assert error.status == ""


def test_a_line_on_which_nothing_moves_is_given_up_long_before_the_object_s_time_is_over(web_archive, tmp_path):
    def pause(request, asked):
        request.peer.gone.wait(3)
        request.take(asked)
        request.answer(200, json_answer(stored=dict.fromkeys(asked.uids)))

    web_archive.behave = pause
    file = items.sample(tmp_path, pixels=bytes(16_000_000))
    with (
        channel_to(to(web_archive.url), timeouts=Timeouts(stall=0.3)) as channel,
        pytest.raises(TryLater) as caught,
    ):
        store(channel, file)
    assert caught.value.code == "timeout"


def test_an_answer_that_comes_before_the_whole_object_left_is_heard(web_archive, tmp_path):
    def refuse(request, _):
        request.rfile.read(1000)
        request.answer(413)
        request.close_connection = True
        request.rfile.read(15_000_000)

    web_archive.behave = refuse
    error, _ = send_one(web_archive.url, items.sample(tmp_path, pixels=bytes(16_000_000)))
    assert error.code == "too-large"


def test_nobody_there_is_no_doubt(still):
    def nobody(_, gone):
        gone.wait(10)

    cases = [
        (f"http://127.0.0.1:{free_port()}/x", "unreachable"),
        ("http://no-such-host.invalid/x", "unreachable"),
    ]
    with RawServer(nobody) as mute:
        cases.append((f"https://127.0.0.1:{mute.port}/x", "silent"))
        for url, code in cases:
            error, usable = send_one(url, still, timeouts=QUICK if code == "silent" else None)
            assert (type(error), error.code, usable) == (TryLater, code, False)
            assert error.nothing_left


# --- in doubt --------------------------------------------------------------------------------------------


def test_an_object_in_doubt_is_looked_for_before_it_goes_again(web_archive, still):
    web_archive.behave = _drop_after
    assert send_one(web_archive.url, still)[0].code == "dropped"
    web_archive.behave = None
    assert send_one(web_archive.url, still, sent_before=True)[0] == FOUND
    assert len(web_archive.posts()) == 1
    [search] = web_archive.searches()
    assert search.path == "/dicom-web/instances"
    assert search.query["SOPInstanceUID"] == [still.stem]


def test_what_is_not_found_goes_again(web_archive, still):
    web_archive.behave = _drop_before
    assert send_one(web_archive.url, still)[0].code == "dropped"
    web_archive.behave = None
    assert send_one(web_archive.url, still, sent_before=True)[0].status == "HTTP 200"
    assert len(web_archive.posts()) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 413, 415, 422, 501, 204])
def test_an_archive_without_that_search_gets_the_same_bytes_again(web_archive, still, status):
    def no_search(request, asked):
        return request.answer(status) if asked.method == "GET" else False

    web_archive.behave = no_search
    assert send_one(web_archive.url, still, sent_before=True)[0].status == "HTTP 200"
    assert web_archive.has[still.stem] == still.read_bytes()


def test_an_archive_that_answers_a_search_with_other_objects_has_not_got_this_one(web_archive, still):
    other = json.dumps([{"00080018": {"vr": "UI", "Value": ["1.2.3"]}}]).encode()
    web_archive.behave = lambda request, asked: request.answer(200, other) if asked.method == "GET" else False
    assert send_one(web_archive.url, still, sent_before=True)[0].status == "HTTP 200"


@pytest.mark.parametrize(
    ("status", "code"), [(401, "not-authorized"), (503, "busy"), (500, "server-error"), (200, "garbage")]
)
def test_a_search_that_fails_keeps_the_object_in_doubt(web_archive, still, status, code):
    web_archive.behave = lambda request, asked: request.answer(status, b"{}") if asked.method == "GET" else False
    error, _ = send_one(web_archive.url, still, sent_before=True)
    assert (error.code, error.status) == (code, "")
    assert web_archive.posts() == []
