"""Sending to archives over the web: Orthanc, and one that does what a test wants."""

import gzip
import json
import logging
import os
import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, NeedsConfiguration, NeverAccepted, SpoolDamaged, TryLater
from gateway.net import webanswers
from gateway.net.peers import Timeouts
from gateway.net.qido import QidoFinder
from gateway.net.reach import reach
from gateway.net.store import StoreResult, Wanted
from gateway.net.stow import StowChannel
from tests.certificates import Authority
from tests.loopback.peers import FaultWeb, Orthanc, RawServer, free_port, items
from tests.loopback.peers.orthanc import DICOM_WEB
from tests.loopback.peers.web import json_answer

# Only where silence is what is waited for: on a machine with much to do, an answer takes its time too.
QUICK = Timeouts(connect=1.0, negotiate=1.0, answer=0.7, stall=0.5, slowest=16e6)
STILL = items.SECONDARY_CAPTURE
FOUND = StoreResult(status="found")


@pytest.fixture(scope="module")
def orthanc_web(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orthanc-web")
    with Orthanc(folder, Plugins=[DICOM_WEB], DicomWeb={"Enable": True}) as peer:
        yield peer


@pytest.fixture
def peer():
    with FaultWeb() as started:
        yield started


@pytest.fixture
def still(tmp_path):
    return items.sample(tmp_path)


def _to(url, **more):
    return Destination(name="pacs", kind="stow", url=url, **more)


def _channel(destination, *, syntax=items.EXPLICIT, sop_class=STILL, timeouts=None):
    wanted = [Wanted(sop_class_uid=sop_class, transfer_syntax_uid=syntax, lossy=False)]
    return StowChannel(destination, wanted=wanted, timeouts=timeouts)


def _store(channel, file, *, syntax=items.EXPLICIT, sop_class=STILL, sent_before=False):
    return channel.store(
        file,
        sop_class_uid=sop_class,
        sop_instance_uid=file.stem,
        transfer_syntax_uid=syntax,
        sent_before=sent_before,
    )


def _try(url, file, *, sent_before=False, timeouts=None, **more):
    """Send one object; return the result or the error, and whether the channel can go on."""
    with _channel(_to(url, **more), timeouts=timeouts) as channel:
        try:
            return _store(channel, file, sent_before=sent_before), channel.usable
        except DeliveryError as error:
            return error, channel.usable


def _answers(status, body=b"", kind="application/dicom+json", **headers):
    """Return a behaviour: take the body, then answer so to a POST."""

    def behave(request, asked):
        if asked.method != "POST":
            return False
        request.take(asked)
        request.peer.has.clear()  # whatever it says, it kept nothing
        said = body(asked.uids[0]) if callable(body) else body
        return request.answer(status, said, kind, **headers)

    return behave


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
    with _channel(_to(url), syntax=syntax, sop_class=sop_class) as channel:
        assert channel.accepted(sop_class) == (syntax,)
        assert _store(channel, file, syntax=syntax, sop_class=sop_class) == StoreResult(status="HTTP 200")
        assert _store(channel, file, syntax=syntax, sop_class=sop_class, sent_before=True) == FOUND
    assert items.data_set_bytes(orthanc_web.file(file.stem)) == items.data_set_bytes(file.read_bytes())


def test_an_exam_goes_over_one_connection_one_object_a_request(peer, tmp_path):
    files = [items.sample(tmp_path) for _ in range(5)]
    ports = []

    def note(request, _):
        ports.append(request.client_address[1])
        return False

    peer.behave = note
    with _channel(_to(peer.url)) as channel:
        for file in files:
            assert _store(channel, file).status == "HTTP 200"
    assert [asked.uids for asked in peer.posts()] == [[file.stem] for file in files]
    assert [asked.parts for asked in peer.posts()] == [[file.read_bytes()] for file in files]
    assert len(set(ports)) == 1
    assert all("transfer-encoding" not in asked.headers for asked in peer.posts())


def test_an_object_made_on_the_way_out_goes_from_memory(peer, still):
    with _channel(_to(peer.url)) as channel:
        channel.store(
            still.read_bytes(), sop_class_uid=STILL, sop_instance_uid=still.stem, transfer_syntax_uid=items.EXPLICIT
        )
    assert peer.has[still.stem] == still.read_bytes()


def test_a_destination_s_own_formats_are_the_only_ones(peer):
    with _channel(_to(peer.url, transfer_syntaxes=(items.IMPLICIT,)), syntax=items.JPEG_LOSSLESS) as channel:
        assert channel.accepted(STILL) == (items.IMPLICIT,)
    with _channel(_to(peer.url), syntax=items.JPEG_LOSSLESS) as channel:
        assert channel.accepted(items.MULTI_FRAME_TRUE_COLOUR) == ()


def test_a_file_that_is_not_its_record_is_not_sent(peer, still, tmp_path):
    with _channel(_to(peer.url)) as channel:
        with pytest.raises(NeverAccepted) as caught:
            channel.store(still, sop_class_uid=STILL, sop_instance_uid="1.2", transfer_syntax_uid=items.EXPLICIT)
        assert caught.value.code == "object-mismatch"
        with pytest.raises(SpoolDamaged):
            _store(channel, tmp_path / "gone.dcm")
        assert channel.usable
    assert peer.asked == []


# --- what each answer means ------------------------------------------------------------------------------

_STATUSES = [
    *((status, NeedsConfiguration, "moved", False) for status in (301, 302, 307, 308)),
    (400, NeverAccepted, "refused", False),
    (401, NeedsConfiguration, "not-authorized", False),
    (403, NeedsConfiguration, "not-authorized", False),
    (407, NeedsConfiguration, "not-authorized", False),
    (404, NeedsConfiguration, "wrong-address", False),
    (405, NeedsConfiguration, "wrong-address", False),
    (410, NeedsConfiguration, "wrong-address", False),
    (501, NeedsConfiguration, "wrong-address", False),
    (408, TryLater, "busy", False),
    (425, TryLater, "busy", False),
    (429, TryLater, "busy", False),
    (503, TryLater, "busy", False),
    (409, NeverAccepted, "refused", False),
    (413, NeverAccepted, "too-large", False),
    (415, NeverAccepted, "format", False),
    (422, NeverAccepted, "refused", False),
    (507, TryLater, "out-of-resources", False),
    *((status, TryLater, "server-error", True) for status in (500, 502, 504, 599)),
    (999, TryLater, "unknown-status", True),
]


@pytest.mark.parametrize("row", _STATUSES, ids=lambda row: str(row[0]))
def test_each_http_status_has_its_meaning(peer, still, row):
    status, kind, code, unsure = row
    peer.behave = _answers(status, b"<html>words of a server</html>", "text/html", Location="http://10.9.9.9/x")
    error, usable = _try(peer.url, still)
    assert (type(error), error.code) == (kind, code)
    assert error.status == ("" if unsure else f"HTTP {status}")
    assert f"HTTP {status}" in error.what
    assert "words of a server" not in error.what + error.action
    assert usable
    assert len(peer.posts()) == 1, "it was sent again, or followed"


def test_every_row_of_the_table_is_seen():
    rows = {next(row for row in webanswers.TABLE if row.first <= s[0] <= row.last) for s in _STATUSES if s[0] < 600}
    assert rows == set(webanswers.TABLE)


@pytest.mark.parametrize(
    "row",
    [
        (0xA700, TryLater, "out-of-resources"),
        (0xA7FF, TryLater, "out-of-resources"),
        (0x0213, TryLater, "out-of-resources"),
        (0x0110, TryLater, "processing-failure"),
        (0xA900, NeverAccepted, "refused"),
        (0xC000, NeverAccepted, "refused"),
        (0xC122, NeedsConfiguration, "no-context"),
        (0x0122, NeedsConfiguration, "sop-class"),
        (0x0124, NeedsConfiguration, "not-authorized"),
        (0x0111, NeverAccepted, "duplicate"),
        (0xB00E, NeverAccepted, "duplicate"),
        (0xB00F, TryLater, "busy"),
        (0xB000, TryLater, "unknown-status"),
        (0x4711, TryLater, "unknown-status"),
        (None, TryLater, "unknown-status"),
    ],
)
@pytest.mark.parametrize("status", [200, 202, 409])
def test_the_reason_given_for_an_object_counts_and_not_the_status(peer, still, status, row):
    reason, kind, code = row
    peer.behave = _answers(status, lambda uid: json_answer(stored={"1.2.3": None}, failed={uid: reason}))
    error, usable = _try(peer.url, still)
    assert (type(error), error.code) == (kind, code)
    assert error.status == ("failed" if reason is None else f"{reason:04X}")
    assert usable


@pytest.mark.parametrize("reason", [0x0111, 0xB00E])
def test_a_duplicate_that_left_before_is_the_same_object(peer, still, reason):
    peer.behave = _answers(409, lambda uid: json_answer(failed={uid: reason}))
    assert _try(peer.url, still, sent_before=True)[0] == StoreResult(status=f"{reason:04X}")


@pytest.mark.parametrize(
    ("reason", "words"), [(0xB000, "changed"), (0xB006, "left"), (0xB007, "unlike"), (0x1, "0001")]
)
def test_a_warning_is_stored_and_says_what_was_done(peer, still, reason, words):
    peer.behave = _answers(202, lambda uid: json_answer(stored={uid: reason}))
    result, _ = _try(peer.url, still)
    assert result.status == f"{reason:04X}"
    assert words in result.warning


# --- answers that do not say it --------------------------------------------------------------------------

_SILENT = {
    "nothing": b"",
    "another object": json_answer(stored={"1.2.3": None}),
    "empty lists": b'{"00081198":{"vr":"SQ"},"00081199":{"vr":"SQ"}}',
    "a number as a list": b'{"00081199":{"Value":5},"00081198":{"Value":true}}',
    "null lists": b'{"00081199":{"vr":"SQ","Value":null}}',
    "a list of numbers": b'{"00081199":{"Value":[1,2,null,"x",{"00081155":7},{"00081155":{"Value":[]}}]}}',
    "a web page": b"<html><body>signed in</body></html>",
    "noise": bytes(range(256)) * 10,
    "half of it": json_answer(stored={"1.2.3": None})[:30],
    "a number": b"17",
    "depths": b"[" * 200_000,
    "a packed answer": gzip.compress(json_answer(stored={"1.2.3": None})),
}


@pytest.mark.parametrize("what", _SILENT)
def test_a_success_that_does_not_name_the_object_is_none(peer, still, what):
    peer.behave = _answers(200, _SILENT[what])
    error, _ = _try(peer.url, still)
    assert (type(error), error.code, error.status) == (TryLater, "unconfirmed", "")
    assert len(peer.searches()) == 1


def test_a_success_that_names_nothing_counts_when_the_archive_has_the_object(peer, still):
    def behave(request, asked):
        if asked.method != "POST":
            return False
        request.take(asked)
        return request.answer(200)

    peer.behave = behave
    assert _try(peer.url, still)[0] == FOUND


_XML = (
    '<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
    '<DicomAttribute tag="{tag}" vr="SQ"><Item number="1">'
    '<DicomAttribute tag="00081155" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>'
    '<DicomAttribute tag="{reason}" vr="US"><Value number="1">{value}</Value></DicomAttribute>'
    "</Item></DicomAttribute></NativeDicomModel>"
)


@pytest.mark.parametrize("kind", ["application/dicom+xml", "text/plain"])
def test_an_archive_that_answers_in_xml_is_understood(peer, still, kind):
    def says(**words):
        return _answers(200, lambda uid: _XML.format(uid=uid, **words).encode(), kind)

    peer.behave = says(tag="00081199", reason="00081196", value="")
    assert _try(peer.url, still)[0] == StoreResult(status="HTTP 200")
    peer.behave = says(tag="00081199", reason="00081196", value="45056")
    assert _try(peer.url, still)[0].status == "B000"
    peer.behave = says(tag="00081198", reason="00081197", value="43264")
    assert _try(peer.url, still)[0].code == "refused"


def test_xml_that_defines_words_of_its_own_is_not_read(peer, still):
    def says(uid):
        words = _XML.format(uid="&u;", tag="00081199", reason="00081196", value="")
        return words.replace("?>", f'?><!DOCTYPE x [<!ENTITY u "{uid}">]>').encode()

    peer.behave = _answers(200, says)
    assert _try(peer.url, still)[0].code == "unconfirmed"


def test_an_answer_without_end_is_not_listened_to(peer, still):
    peer.behave = _answers(200, bytes(3_000_000))
    error, usable = _try(peer.url, still)
    assert (error.code, usable) == ("endless", False)


def test_how_long_it_wants_to_be_left_alone_is_kept(peer, still):
    date = "Thu, 26 Nov 2026 02:00:{:02d} GMT"
    for words, seconds in (
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": date.format(50), "Date": date.format(20)}, 30),
        ({"Retry-After": date.format(10), "Date": date.format(20)}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "9" * 40}, 0),
        ({"Retry-After": "-1"}, 0),
        ({"Retry-After": f"Thu, 26 Nov 2026 02:00:50 +{'9' * 20}", "Date": date.format(20)}, 0),
        ({}, 0),
    ):

        def behave(request, asked, words=words):
            request.take(asked)
            request.send_response_only(503)
            for name, value in words.items():
                request.send_header(name, value)
            request.send_header("Content-Length", "0")
            request.end_headers()

        peer.behave = behave
        assert _try(peer.url, still)[0].retry_after_s == seconds, words


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
def test_a_line_that_breaks_leaves_the_object_in_doubt(peer, tmp_path, behave, code):
    file = items.sample(tmp_path, pixels=bytes(16_000_000 if behave is _stuck else 1_000_000))
    peer.behave = behave
    error, usable = _try(peer.url, file, timeouts=QUICK if code == "timeout" else None)
    assert (type(error), error.code, usable) == (TryLater, code, False)
    assert not error.nothing_left
    assert error.status == ""


def test_a_line_on_which_nothing_moves_is_given_up_long_before_the_object_s_time_is_over(peer, tmp_path):
    def pause(request, asked):
        request.peer.gone.wait(3)
        request.take(asked)
        request.answer(200, json_answer(stored=dict.fromkeys(asked.uids)))

    peer.behave = pause
    file = items.sample(tmp_path, pixels=bytes(16_000_000))
    with _channel(_to(peer.url), timeouts=Timeouts(stall=0.3)) as channel, pytest.raises(TryLater) as caught:
        _store(channel, file)
    assert caught.value.code == "timeout"


def test_an_answer_that_comes_before_the_whole_object_left_is_heard(peer, tmp_path):
    def refuse(request, _):
        request.rfile.read(1000)
        request.answer(413)
        request.close_connection = True
        request.rfile.read(15_000_000)

    peer.behave = refuse
    error, _ = _try(peer.url, items.sample(tmp_path, pixels=bytes(16_000_000)))
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
            error, usable = _try(url, still, timeouts=QUICK if code == "silent" else None)
            assert (type(error), error.code, usable) == (TryLater, code, False)
            assert error.nothing_left


# --- in doubt --------------------------------------------------------------------------------------------


def test_an_object_in_doubt_is_looked_for_before_it_goes_again(peer, still):
    peer.behave = _drop_after
    assert _try(peer.url, still)[0].code == "dropped"
    peer.behave = None
    assert _try(peer.url, still, sent_before=True)[0] == FOUND
    assert len(peer.posts()) == 1
    [search] = peer.searches()
    assert search.path == "/dicom-web/instances"
    assert search.query["SOPInstanceUID"] == [still.stem]


def test_what_is_not_found_goes_again(peer, still):
    peer.behave = _drop_before
    assert _try(peer.url, still)[0].code == "dropped"
    peer.behave = None
    assert _try(peer.url, still, sent_before=True)[0].status == "HTTP 200"
    assert len(peer.posts()) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 413, 415, 422, 501, 204])
def test_an_archive_without_that_search_gets_the_same_bytes_again(peer, still, status):
    def no_search(request, asked):
        return request.answer(status) if asked.method == "GET" else False

    peer.behave = no_search
    assert _try(peer.url, still, sent_before=True)[0].status == "HTTP 200"
    assert peer.has[still.stem] == still.read_bytes()


def test_an_archive_that_answers_a_search_with_other_objects_has_not_got_this_one(peer, still):
    other = json.dumps([{"00080018": {"vr": "UI", "Value": ["1.2.3"]}}]).encode()
    peer.behave = lambda request, asked: request.answer(200, other) if asked.method == "GET" else False
    assert _try(peer.url, still, sent_before=True)[0].status == "HTTP 200"


@pytest.mark.parametrize(
    ("status", "code"), [(401, "not-authorized"), (503, "busy"), (500, "server-error"), (200, "garbage")]
)
def test_a_search_that_fails_keeps_the_object_in_doubt(peer, still, status, code):
    peer.behave = lambda request, asked: request.answer(status, b"{}") if asked.method == "GET" else False
    error, _ = _try(peer.url, still, sent_before=True)
    assert (error.code, error.status) == (code, "")
    assert peer.posts() == []


# --- what an archive says it has -------------------------------------------------------------------------


def test_an_archive_is_asked_what_it_has_of_a_study(orthanc_web, tmp_path):
    url = f"http://127.0.0.1:{orthanc_web.http_port}/dicom-web"
    file = items.sample(tmp_path)
    with _channel(_to(url)) as channel:
        _store(channel, file)
    study = json.loads(orthanc_web.get("/studies?expand"))
    mine = next(s for s in study if _has_instance(orthanc_web, s["ID"], file.stem))["MainDicomTags"][
        "StudyInstanceUID"
    ]
    with QidoFinder(_to(url)) as finder:
        assert finder.find(mine, [file.stem, "1.2.3"]) == {file.stem}
        assert finder.find("1.2.3.4", [file.stem]) == frozenset()


def _has_instance(orthanc, study, uid):
    found = json.loads(orthanc.get(f"/studies/{study}/instances"))
    return uid in {instance["MainDicomTags"]["SOPInstanceUID"] for instance in found}


def test_a_long_list_is_read_page_by_page(peer):
    peer.has = {f"1.2.{number}": b"" for number in range(1100)}

    def behave(request, asked):  # with fewer on a page than were asked for
        start = int(asked.query["offset"][0])
        page = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in sorted(peer.has)[start : start + 300]]
        return request.answer(200, json.dumps(page).encode())

    peer.behave = behave
    wanted = sorted(peer.has)
    with QidoFinder(_to(peer.url)) as finder:
        assert finder.find("2.25.1", [*wanted, "1.3"]) == set(wanted)
    assert [asked.query["offset"] for asked in peer.searches()] == [["0"], ["300"], ["600"], ["900"], ["1100"]]


def test_an_archive_that_knows_no_pages_is_not_asked_for_ever(peer):
    page = json.dumps([{"00080018": {"vr": "UI", "Value": ["1.2.1"]}}]).encode()
    peer.behave = lambda request, _: request.answer(200, page)
    with QidoFinder(_to(peer.url)) as finder:
        assert finder.find("2.25.1", ["1.2.1", "1.2.2"]) == {"1.2.1"}
    assert len(peer.searches()) == 2


def test_an_object_in_another_study_is_not_found(peer):
    peer.has = {"1.2.1": b""}
    peer.study = "2.25.99"
    with QidoFinder(_to(peer.url)) as finder:
        assert finder.find("2.25.1", ["1.2.1"]) == frozenset()
        assert finder.find("2.25.99", ["1.2.1"]) == {"1.2.1"}


def test_an_object_that_is_listed_but_cannot_be_had_is_not_found(peer, still):
    lost = {"00080018": {"vr": "UI", "Value": [still.stem]}, "00080056": {"vr": "CS", "Value": ["UNAVAILABLE"]}}
    page = json.dumps([lost]).encode()
    peer.behave = lambda request, asked: request.answer(200, page) if asked.method == "GET" else False
    with QidoFinder(_to(peer.url)) as finder:
        assert finder.find("2.25.1", [still.stem]) == frozenset()
    assert _try(peer.url, still, sent_before=True)[0].status == "HTTP 200"
    assert peer.has[still.stem] == still.read_bytes()


def test_an_archive_that_does_not_say_what_it_has_is_no_archive_without_it(peer):
    peer.behave = lambda request, _: request.answer(404)
    with QidoFinder(_to(peer.url)) as finder, pytest.raises(NeedsConfiguration):
        finder.find("2.25.1", ["1.2.1"])


# --- who we are, and who it is ---------------------------------------------------------------------------

SECRET = "tok3n-that-nobody-may-see"


def test_a_token_is_read_anew_for_each_request_and_shown_to_nobody(peer, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    token = tmp_path / "token"
    token.write_text(f"{SECRET}\n")
    with _channel(_to(peer.url, token_file=token)) as channel:
        _store(channel, items.sample(tmp_path))
        token.write_text("another")
        _store(channel, items.sample(tmp_path))
        peer.behave = _answers(403, SECRET.encode())
        with pytest.raises(NeedsConfiguration) as caught:
            _store(channel, items.sample(tmp_path))
        token.write_text(f"{SECRET} with spaces")
        with pytest.raises(TryLater) as unusable:
            _store(channel, items.sample(tmp_path))
        token.unlink()
        with pytest.raises(TryLater) as gone:
            _store(channel, items.sample(tmp_path))
    assert [asked.headers["authorization"] for asked in peer.posts()] == [
        f"Bearer {SECRET}", "Bearer another", "Bearer another",
    ]  # fmt: skip
    assert unusable.value.code == gone.value.code == "secret-file"
    assert unusable.value.nothing_left
    said = "".join(f"{e.value.what}{e.value.action}{e.value!r}" for e in (caught, unusable, gone))
    assert SECRET not in said + caplog.text
    assert "another" not in said + caplog.text
    assert not [record for record in caplog.records if record.name.startswith("http")], "addresses name objects"


def test_a_name_and_a_password_sign_on(tmp_path, still):
    password = tmp_path / "password"
    password.write_text("secret")
    folder = tmp_path / "orthanc"
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"box": "secret"}}
    with Orthanc(folder, Plugins=[DICOM_WEB], DicomWeb={"Enable": True}, **users) as peer:
        url = f"http://127.0.0.1:{peer.http_port}/dicom-web"
        assert _try(url, still)[0].code == "not-authorized"
        assert _try(url, still, user="box", password_file=password)[0].status == "HTTP 200"
        assert reach(_to(url), our_ae="X", deadline_s=5).code == "not-authorized"
        assert reach(_to(url, user="box", password_file=password), our_ae="X", deadline_s=5).ok


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("clinic"))


def test_https_with_certificates_on_both_sides(clinic, tmp_path):
    box, file = clinic.issue("box"), items.sample(tmp_path, pixels=bytes(3_000_000))
    with FaultWeb(secured=clinic.server(clinic.issue(days=(-1, 20)))) as peer:
        assert _try(peer.url, file, tls=clinic.tls(box))[0].status == "HTTP 200"
        assert peer.has[file.stem] == file.read_bytes()
        answer = reach(_to(peer.url, tls=clinic.tls(box)), our_ae="X", deadline_s=5)
        assert answer.ok
        assert answer.proven_until is not None


def test_each_problem_of_a_certificate_has_its_code_over_the_web_too(clinic, tmp_path_factory, still):
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    good = clinic.issue()
    ours = clinic.tls(clinic.issue("box"))
    for shown, tls, code in (
        (clinic.issue(days=(-9, -1)), ours, "tls-expired"),
        (clinic.issue(days=(1, 9)), ours, "tls-not-yet-valid"),
        (stranger.issue(), ours, "tls-unknown-ca"),
        (good, None, "tls-unknown-ca"),
        (clinic.issue("pacs.clinic.example"), ours, "tls-wrong-name"),
        (good, clinic.tls(), "tls-client-certificate-refused"),
        (good, clinic.tls(stranger.issue("box")), "tls-client-certificate-refused"),
        (good, replace(ours, key=good.key), "tls-file"),
    ):
        with FaultWeb(secured=clinic.server(shown)) as peer:
            try:
                error, _ = _try(peer.url, still, tls=tls)
            except DeliveryError as unusable:
                error = unusable
            assert error.code == code
            assert error.nothing_left or code == "tls-file"
            assert peer.posts() == []
    older = clinic.server(good)  # TLS 1.2 has one word for a missing certificate and for no common cipher
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with FaultWeb(secured=older) as peer:
        assert _try(peer.url, still, tls=clinic.tls())[0].code == "tls-client-certificate-refused"
    with FaultWeb() as plain:
        error, _ = _try(plain.url.replace("http:", "https:"), still, tls=ours)
        assert error.code == "tls-plain-peer"


def test_an_archive_is_tested_from_the_box(peer):
    assert reach(_to(peer.url), our_ae="X", deadline_s=2).ok
    peer.behave = lambda request, _: request.answer(404)
    assert reach(_to(peer.url), our_ae="X", deadline_s=2).code == "wrong-address"
    nobody = reach(_to(f"http://127.0.0.1:{free_port()}"), our_ae="X", deadline_s=2)
    assert (nobody.ok, nobody.code) == (False, "unreachable")


# --- memory ----------------------------------------------------------------------------------------------

_SENDER = """
import json, sys
from pathlib import Path

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

how, url, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])
SOP, SYNTAX = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.2.1"
from gateway.config.settings import Destination
from gateway.net.store import Wanted
from gateway.net.stow import StowChannel
wanted = [Wanted(sop_class_uid=SOP, transfer_syntax_uid=SYNTAX, lossy=False)]
with StowChannel(Destination(name="pacs", kind="stow", url=url), wanted=wanted) as channel:
    before = memory("VmRSS")
    if how == "ours":
        channel.store(file, sop_class_uid=SOP, sop_instance_uid=file.stem, transfer_syntax_uid=SYNTAX)
    else:
        import httpx2
        kind = 'multipart/related; type="application/dicom"; boundary=abc'
        head = b"--abc\\r\\nContent-Type: application/dicom\\r\\n\\r\\n"
        body = head + file.read_bytes() + b"\\r\\n--abc--\\r\\n"
        assert httpx2.post(url + "/studies", content=body, headers={"Content-Type": kind}, timeout=60).is_success
print(json.dumps({"growth": memory("VmHWM") - before}))
"""


def _growth(how, url, file):
    done = subprocess.run(
        [sys.executable, "-c", _SENDER, how, url, file],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        text=True,
        timeout=240,
    )
    return int(json.loads(done.stdout)["growth"])


def test_a_very_big_object_goes_over_the_web_in_little_memory(orthanc_web, tmp_path):
    url = f"http://127.0.0.1:{orthanc_web.http_port}/dicom-web"
    size = 300_000_000
    file = items.sample(tmp_path, pixels=bytes(size - size % 256))
    ours = _growth("ours", url, file)
    assert file.stem in orthanc_web.sop_instance_uids()
    smaller = items.sample(tmp_path, pixels=bytes(100_000_000 - 100_000_000 % 256))
    whole = _growth("whole", url, smaller)
    print(f"memory growth: ours {ours / 1e6:.1f} MB of 300, in one piece {whole / 1e6:.0f} MB of 100")
    assert ours < 30_000_000
    assert whole > 60_000_000, "the measure does not see what it is to see"


def test_an_address_that_nobody_can_read_is_not_followed_either(peer, still):
    peer.behave = _answers(307, Location=f"//xn--{'z' * 300}/")
    error, usable = _try(peer.url, still)
    assert (type(error), error.code, usable) == (TryLater, "garbage", False)


def test_nothing_of_ours_is_followed_to_another_host(peer, still):
    with FaultWeb() as other:
        for status in (301, 302, 303, 307, 308):
            peer.behave = _answers(status, Location=f"{other.url}/studies")
            assert _try(peer.url, still)[0].code == "moved"
        assert other.asked == []
