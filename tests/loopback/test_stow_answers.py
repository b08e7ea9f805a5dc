"""What each answer of a web archive means for the object that was sent."""

import gzip

import pytest

from gateway.errors import NeedsConfiguration, NeverAccepted, TryLater
from gateway.net import webanswers
from gateway.net.store import StoreResult
from tests.loopback.peers import FaultWeb
from tests.loopback.peers.web import json_answer
from tests.loopback.stowing import FOUND, answering, send_one

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
def test_each_http_status_has_its_meaning(web_archive, still, row):
    status, kind, code, unsure = row
    web_archive.behave = answering(
        status, b"<html>words of a server</html>", "text/html", Location="http://10.9.9.9/x"
    )
    error, usable = send_one(web_archive.url, still)
    assert (type(error), error.code) == (kind, code)
    assert error.status == ("" if unsure else f"HTTP {status}")
    assert f"HTTP {status}" in error.what
    assert "words of a server" not in error.what + error.action
    assert usable
    assert len(web_archive.posts()) == 1, "it was sent again, or followed"


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
def test_the_reason_given_for_an_object_counts_and_not_the_status(web_archive, still, status, row):
    reason, kind, code = row
    web_archive.behave = answering(status, lambda uid: json_answer(stored={"1.2.3": None}, failed={uid: reason}))
    error, usable = send_one(web_archive.url, still)
    assert (type(error), error.code) == (kind, code)
    assert error.status == ("failed" if reason is None else f"{reason:04X}")
    assert usable


@pytest.mark.parametrize("reason", [0x0111, 0xB00E])
def test_a_duplicate_that_left_before_is_the_same_object(web_archive, still, reason):
    web_archive.behave = answering(409, lambda uid: json_answer(failed={uid: reason}))
    assert send_one(web_archive.url, still, sent_before=True)[0] == StoreResult(status=f"{reason:04X}")


@pytest.mark.parametrize(
    ("reason", "words"), [(0xB000, "changed"), (0xB006, "left"), (0xB007, "unlike"), (0x1, "0001")]
)
def test_a_warning_is_stored_and_says_what_was_done(web_archive, still, reason, words):
    web_archive.behave = answering(202, lambda uid: json_answer(stored={uid: reason}))
    result, _ = send_one(web_archive.url, still)
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
def test_a_success_that_does_not_name_the_object_is_none(web_archive, still, what):
    web_archive.behave = answering(200, _SILENT[what])
    error, _ = send_one(web_archive.url, still)
    assert (type(error), error.code, error.status) == (TryLater, "unconfirmed", "")
    assert len(web_archive.searches()) == 1


def test_a_success_that_names_nothing_counts_when_the_archive_has_the_object(web_archive, still):
    def behave(request, asked):
        if asked.method != "POST":
            return False
        request.take(asked)
        return request.answer(200)

    web_archive.behave = behave
    assert send_one(web_archive.url, still)[0] == FOUND


_XML = (
    '<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
    '<DicomAttribute tag="{tag}" vr="SQ"><Item number="1">'
    '<DicomAttribute tag="00081155" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>'
    '<DicomAttribute tag="{reason}" vr="US"><Value number="1">{value}</Value></DicomAttribute>'
    "</Item></DicomAttribute></NativeDicomModel>"
)


@pytest.mark.parametrize("kind", ["application/dicom+xml", "text/plain"])
def test_an_archive_that_answers_in_xml_is_understood(web_archive, still, kind):
    def says(**words):
        return answering(200, lambda uid: _XML.format(uid=uid, **words).encode(), kind)

    web_archive.behave = says(tag="00081199", reason="00081196", value="")
    assert send_one(web_archive.url, still)[0] == StoreResult(status="HTTP 200")
    web_archive.behave = says(tag="00081199", reason="00081196", value="45056")
    assert send_one(web_archive.url, still)[0].status == "B000"
    web_archive.behave = says(tag="00081198", reason="00081197", value="43264")
    assert send_one(web_archive.url, still)[0].code == "refused"


def test_xml_that_defines_words_of_its_own_is_not_read(web_archive, still):
    def says(uid):
        words = _XML.format(uid="&u;", tag="00081199", reason="00081196", value="")
        return words.replace("?>", f'?><!DOCTYPE x [<!ENTITY u "{uid}">]>').encode()

    web_archive.behave = answering(200, says)
    assert send_one(web_archive.url, still)[0].code == "unconfirmed"


def test_an_answer_without_end_is_not_listened_to(web_archive, still):
    web_archive.behave = answering(200, bytes(3_000_000))
    error, usable = send_one(web_archive.url, still)
    assert (error.code, usable) == ("endless", False)


def test_how_long_it_wants_to_be_left_alone_is_kept(web_archive, still):
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

        web_archive.behave = behave
        assert send_one(web_archive.url, still)[0].retry_after_s == seconds, words


# --- answers that lead elsewhere -------------------------------------------------------------------------


def test_an_address_that_nobody_can_read_is_not_followed_either(web_archive, still):
    web_archive.behave = answering(307, Location=f"//xn--{'z' * 300}/")
    error, usable = send_one(web_archive.url, still)
    assert (type(error), error.code, usable) == (TryLater, "garbage", False)


def test_nothing_of_ours_is_followed_to_another_host(web_archive, still):
    with FaultWeb() as other:
        for status in (301, 302, 303, 307, 308):
            web_archive.behave = answering(status, Location=f"{other.url}/studies")
            assert send_one(web_archive.url, still)[0].code == "moved"
        assert other.asked == []
