"""What a web archive says it has of a study."""

import json

import pytest

from gateway.errors import NeedsConfiguration
from gateway.net.qido import QidoFinder
from tests.loopback.peers import items
from tests.loopback.stowing import channel_to, send_one, store, to


def test_an_archive_is_asked_what_it_has_of_a_study(orthanc_web, tmp_path):
    url = f"http://127.0.0.1:{orthanc_web.http_port}/dicom-web"
    file = items.sample(tmp_path)
    with channel_to(to(url)) as channel:
        store(channel, file)
    study = json.loads(orthanc_web.get("/studies?expand"))
    mine = next(s for s in study if _has_instance(orthanc_web, s["ID"], file.stem))["MainDicomTags"][
        "StudyInstanceUID"
    ]
    with QidoFinder(to(url)) as finder:
        assert finder.find(mine, [file.stem, "1.2.3"]) == {file.stem}
        assert finder.find("1.2.3.4", [file.stem]) == frozenset()


def _has_instance(orthanc, study, uid):
    found = json.loads(orthanc.get(f"/studies/{study}/instances"))
    return uid in {instance["MainDicomTags"]["SOPInstanceUID"] for instance in found}


def test_a_long_list_is_read_page_by_page(web_archive):
    web_archive.has = {f"1.2.{number}": b"" for number in range(1100)}

    def behave(request, asked):  # with fewer on a page than were asked for
        start = int(asked.query["offset"][0])
        page = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in sorted(web_archive.has)[start : start + 300]]
        return request.answer(200, json.dumps(page).encode())

    web_archive.behave = behave
    wanted = sorted(web_archive.has)
    with QidoFinder(to(web_archive.url)) as finder:
        assert finder.find("2.25.1", [*wanted, "1.3"]) == set(wanted)
    assert [asked.query["offset"] for asked in web_archive.searches()] == [
        ["0"],
        ["300"],
        ["600"],
        ["900"],
        ["1100"],
    ]


def test_an_archive_that_knows_no_pages_is_not_asked_for_ever(web_archive):
    page = json.dumps([{"00080018": {"vr": "UI", "Value": ["1.2.1"]}}]).encode()
    web_archive.behave = lambda request, _: request.answer(200, page)
    with QidoFinder(to(web_archive.url)) as finder:
        assert finder.find("2.25.1", ["1.2.1", "1.2.2"]) == {"1.2.1"}
    assert len(web_archive.searches()) == 2


def test_an_object_in_another_study_is_not_found(web_archive):
    web_archive.has = {"1.2.1": b""}
    web_archive.study = "2.25.99"
    with QidoFinder(to(web_archive.url)) as finder:
        assert finder.find("2.25.1", ["1.2.1"]) == frozenset()
        assert finder.find("2.25.99", ["1.2.1"]) == {"1.2.1"}


def test_an_object_that_is_listed_but_cannot_be_had_is_not_found(web_archive, still):
    lost = {"00080018": {"vr": "UI", "Value": [still.stem]}, "00080056": {"vr": "CS", "Value": ["UNAVAILABLE"]}}
    page = json.dumps([lost]).encode()
    web_archive.behave = lambda request, asked: request.answer(200, page) if asked.method == "GET" else False
    with QidoFinder(to(web_archive.url)) as finder:
        assert finder.find("2.25.1", [still.stem]) == frozenset()
    assert send_one(web_archive.url, still, sent_before=True)[0].status == "HTTP 200"
    assert web_archive.has[still.stem] == still.read_bytes()


def test_an_archive_that_does_not_say_what_it_has_is_no_archive_without_it(web_archive):
    web_archive.behave = lambda request, _: request.answer(404)
    with QidoFinder(to(web_archive.url)) as finder, pytest.raises(NeedsConfiguration):
        finder.find("2.25.1", ["1.2.1"])
