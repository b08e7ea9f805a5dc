"""Who looks at an exam from the network stands in the audit once; who takes a picture's file away, each time."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.requests import Request

from gateway.panel.people import looks
from gateway.panel.people.roles import CALLER, Caller, Door, Role
from gateway.panel.people.sessions import COOKIE
from gateway.spool.audit import Audit
from gateway.spool.files import Files
from tests.forward.bench import clip, films, let_go, open_exam
from tests.unit.panel.conftest import Bench, seal
from tests.unit.panel.test_panel_lan import socket

NAME = "Rossi^Aldo"


def signed_in(bench: Bench) -> dict[str, str]:
    """Return the cookie of another session of the same reviewer."""
    desk = bench.watching.app.state.desk
    person = desk.people.named(NAME) or desk.people.add(name=NAME, role=Role.REVIEWER, pin="402918")
    return {"cookie": f"{COOKIE[Door.LAN]}={desk.sessions.begin(person.id, Door.LAN)}"}


@pytest.fixture
def lan(bench: Bench) -> Iterator[httpx2.Client]:
    """A reviewer's browser."""
    with bench.elsewhere() as client:
        client.headers.update(signed_in(bench))
        yield client


def noted(bench: Bench, what: str) -> list[dict[str, object]]:
    lines = (json.loads(line) for line in bench.spool.layout.audit.read_text().splitlines())
    return [
        {key: value for key, value in line.items() if key not in {"utc", "line", "before"}}
        for line in lines
        if line["what"] == what
    ]


def looked(bench: Bench) -> list[object]:
    return [line["exam"] for line in noted(bench, "exam-looked-at")]


def taken(bench: Bench) -> list[object]:
    return [line["form"] for line in noted(bench, "capture-downloaded")]


def get(client: httpx2.Client, address: str, *, status: int = 200, **headers: str) -> httpx2.Response:
    answer = client.get(address, headers={key.replace("_", "-"): value for key, value in headers.items()})
    assert answer.status_code == status, answer.text
    return answer


# --- looking -------------------------------------------------------------------------------------------------


def test_looking_at_an_exam_from_the_network_is_one_line_of_a_session(bench: Bench, lan: httpx2.Client) -> None:
    exam = bench.open_exam()
    uids = [bench.still(exam) for _ in range(3)]
    for _ in range(2):
        get(lan, f"/exam/{exam}")
        for uid in uids:
            get(lan, f"/picture/{uid}")
            get(lan, f"/api/v1/captures/{uid}/thumbnail")
            get(lan, f"/api/v1/captures/{uid}/image?width=640")
    assert noted(bench, "exam-looked-at") == [
        {
            "what": "exam-looked-at",
            "by": "panel",
            "person": NAME,
            "exam": exam,
            "door": "lan",
            "address": "10.0.0.7",
        }
    ]
    assert "MEIER" not in bench.spool.layout.audit.read_text()
    lan.headers.update(signed_in(bench))
    get(lan, f"/exam/{exam}")
    assert looked(bench) == [exam, exam]


@pytest.mark.parametrize(
    "address",
    [
        "/exam/{exam}",
        "/live/{exam}",
        "/picture/{uid}",
        "/api/v1/exams/{exam}",
        "/api/v1/captures/{uid}/thumbnail",
        "/api/v1/captures/{uid}/image",
        "/api/v1/captures/{uid}/frames/1",
    ],
)
def test_whatever_shows_an_exam_first_is_noted_and_at_the_box_nothing_is(
    bench: Bench, lan: httpx2.Client, address: str
) -> None:
    exam = bench.open_exam()
    address = address.format(exam=exam, uid=bench.still(exam))
    get(bench.client, address)
    assert looked(bench) == []
    get(lan, address)
    assert looked(bench) == [exam]


def test_a_clip_that_is_played_is_looked_at(bench: Bench, lan: httpx2.Client) -> None:
    exam = bench.open_exam()
    clip = bench.post(f"/exams/{exam}/clips", {}, status=201)["clip"]
    bench.post(f"/clips/{clip}/stop")
    get(lan, f"/play/{clip}")
    assert looked(bench) == [exam]


def test_the_live_picture_is_the_exam_that_is_open(bench: Bench) -> None:
    exam = bench.open_exam()
    with socket(bench, "/api/v1/preview/ultrasound", signed_in(bench)) as viewer:
        viewer.receive_bytes()
    assert looked(bench) == [exam]


def test_what_is_not_there_is_not_looked_at(bench: Bench, lan: httpx2.Client) -> None:
    bench.open_exam()
    for address in ("/exam/MEIER", "/picture/MEIER", "/api/v1/exams/MEIER", "/api/v1/captures/MEIER/dicom"):
        get(lan, address, status=404)
    assert looked(bench) == taken(bench) == []


def test_what_is_remembered_has_an_end_and_what_was_forgotten_is_said_again(
    bench: Bench, lan: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "_MOST", 2)
    exams = []
    for _ in range(3):
        exams.append(bench.open_exam())
        bench.post(f"/exams/{exams[-1]}/finish")
    for exam in (*exams, exams[2], exams[0]):
        get(lan, f"/exam/{exam}")
    assert looked(bench) == [*exams, exams[0]]


# --- taking away ---------------------------------------------------------------------------------------------


def test_each_download_is_a_line_with_who_what_and_in_which_form(bench: Bench, lan: httpx2.Client) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    get(lan, f"/api/v1/captures/{uid}/media")
    seal(bench, exam, uid)
    for form in ("media", "dicom", "dicom"):
        get(lan, f"/api/v1/captures/{uid}/{form}")
    assert taken(bench) == ["media", "media", "dicom", "dicom"]
    assert noted(bench, "capture-downloaded")[-1] == {
        "what": "capture-downloaded",
        "by": "panel",
        "person": NAME,
        "exam": exam,
        "capture": uid,
        "form": "dicom",
        "door": "lan",
        "address": "10.0.0.7",
    }
    assert looked(bench) == []


def test_at_the_box_a_download_is_a_line_too(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    seal(bench, exam, uid)
    get(bench.client, f"/api/v1/captures/{uid}/dicom")
    (line,) = noted(bench, "capture-downloaded")
    assert "person" not in line
    assert (line["capture"], line["door"], line["address"]) == (uid, "front", "")


def test_the_hundred_parts_of_a_download_are_one_line(bench: Bench, lan: httpx2.Client) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    whole = seal(bench, exam, uid)
    address = f"/api/v1/captures/{uid}/dicom"
    parts = [get(lan, address, status=206, range=f"bytes={at}-{at + 9}").content for at in range(0, 1000, 10)]
    assert b"".join(parts) == whole[:1000]
    assert taken(bench) == ["dicom"]
    get(lan, address)
    assert taken(bench) == ["dicom", "dicom"]


def test_asking_how_large_a_file_is_takes_nothing_away(bench: Bench, lan: httpx2.Client) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    assert lan.head(f"/api/v1/captures/{uid}/media").status_code == 200
    assert taken(bench) == []


def test_a_film_that_a_page_plays_is_looked_at_and_one_that_is_fetched_is_taken(
    bench: Bench, lan: httpx2.Client
) -> None:
    opened = open_exam(bench.spool)
    uid = clip(bench.spool, opened, frames=20, clip_as="h264", size=(96, 128)).sop_instance_uid
    let_go(bench.spool, opened)
    films(bench.spool).step()
    address = f"/api/v1/captures/{uid}/video"
    for client in (bench.client, lan):
        get(client, address, status=206, range="bytes=0-", sec_fetch_dest="video", sec_fetch_site="same-origin")
    assert (looked(bench), taken(bench)) == ([opened.id], [])
    get(lan, address)
    get(lan, address.replace("video", "dicom"), sec_fetch_dest="video")
    assert (looked(bench), taken(bench)) == ([opened.id], ["video", "dicom"])


# --- a full disk ---------------------------------------------------------------------------------------------


class Full(Files):
    """A disk that takes nothing until somebody makes room."""

    room = False

    def _create(self, path: Path, *, keep: bool = False) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "full")
        return super()._create(path, keep=keep)


def test_a_full_box_shows_its_pictures_and_notes_who_looks_when_it_can(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    exam = bench.open_exam()
    capture = bench.spool.captures.get(bench.still(exam)).capture
    disk = Full()
    said = looks.Looks(Audit(path=bench.spool.layout.audit, files=disk, clock=bench.clock))
    caller = Caller(door=Door.LAN, roles=frozenset({Role.REVIEWER}), person=NAME, address="10.0.0.7")
    request = Request({"type": "http", "method": "GET", "headers": [], CALLER: caller})
    said.at(request, exam)
    said.taken(request, capture, "dicom")
    assert (looked(bench), taken(bench)) == ([], [])
    assert caplog.text.count("audit_not_written") == 2
    disk.room = True
    said.at(request, exam)
    assert looked(bench) == [exam]
