"""The screen of a box whose data cannot be opened."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gateway.clock import FakeClock
from gateway.machine.telling import tell
from gateway.panel.closed import Box, create_app
from gateway.panel.words import Languages

DAMAGED = {
    "opened": False,
    "guard": "none",
    "code": "data-damaged",
    "what": "The part of the disk that holds patients' pictures cannot be read.",
    "safe": "The box changes nothing on it: much may be saved. No picture can be taken.",
    "action": "Call service, and leave the box as it is.",
}


LOCKED = {
    "code": "start-pin",
    "what": "This box asks for its start PIN before it opens the data.",
    "safe": "What is on its disk stays as it is. No picture can be taken.",
    "action": "Type the start PIN, or the recovery code.",
}
OURS = {"origin": "http://127.0.0.1:8080", "content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def box(tmp_path: Path) -> Box:
    image = tmp_path / "image"
    image.write_text("VERSION=0.9.0\nPROFILE=product\nSERVICE=Huber & Sons, +39 0471 000000\n", encoding="utf-8")
    for name in ("says", "requests"):
        (tmp_path / name).mkdir()
    return Box(says=tmp_path / "says", requests=tmp_path / "requests", image=image)


@pytest.fixture
def screen(box: Box) -> Iterator[TestClient]:
    app = create_app(box, languages=Languages(), clock=FakeClock())
    with TestClient(app, base_url="http://127.0.0.1:8080") as client:
        yield client


def test_it_says_what_happened_what_to_do_and_whom_to_call(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", DAMAGED)
    answer = screen.get("/")
    assert answer.status_code == 503
    text = answer.text.replace("&#x27;", "'")
    for words in (DAMAGED["what"], DAMAGED["safe"], DAMAGED["action"], "data-damaged"):
        assert str(words) in text
    assert "Huber &amp; Sons, +39 0471 000000" in text


@pytest.mark.parametrize("address", ["/exam/1", "/more", "/static/panel.js"])
def test_every_address_shows_the_same_page(screen: TestClient, box: Box, address: str) -> None:
    tell(box.says, "data", DAMAGED)
    assert screen.get(address).text == screen.get("/").text


@pytest.mark.parametrize("path", ["exams", "exams/1/stills", "exams/1/clips", "settings/change"])
def test_nothing_can_be_worked_on_and_nothing_is_acknowledged(screen: TestClient, box: Box, path: str) -> None:
    tell(box.says, "data", DAMAGED)
    answer = screen.post(f"/api/v1/{path}", json={"request_id": "1"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "data-damaged"


@pytest.mark.parametrize("said", [None, {"opened": True, "code": ""}])
def test_where_root_said_nothing_wrong_the_page_still_says_that_there_are_no_data(
    screen: TestClient, box: Box, said: dict[str, object] | None
) -> None:
    if said:
        tell(box.says, "data", said)
    assert screen.get("/api/v1/health").json()["code"] == "data-closed"
    assert "The box cannot open its data." in screen.get("/").text


def test_a_file_that_is_no_word_of_root_is_no_trouble(screen: TestClient, box: Box) -> None:
    (box.says / "data.json").write_text(json.dumps(["<script>"]))
    assert screen.get("/api/v1/health").json()["code"] == "data-closed"


def test_what_is_said_is_shown_as_text(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", {**DAMAGED, "what": "<script>1</script>"})
    assert "<script>" not in screen.get("/").text


def test_every_language_of_the_box_is_on_the_page(screen: TestClient) -> None:
    text = screen.get("/").text
    assert [text.count(f'<section lang="{tag}">') for tag in ("en", "de", "it", "zh-Hans")] == [1, 1, 1, 1]
    assert "Die Box kann ihre Daten nicht öffnen." in text


def test_an_image_that_names_no_service_names_none(tmp_path: Path) -> None:
    assert Box(image=tmp_path / "nothing").service() == ""
    (tmp_path / "image").write_text("VERSION=0.9.0\n")
    assert Box(image=tmp_path / "image").service() == ""


# --- what a person can open --------------------------------------------------------------------------------------


def asked_of_root(box: Box) -> dict[str, str] | None:
    request = box.requests / "data"
    return dict(json.loads(request.read_bytes())) if request.exists() else None


def test_a_pin_is_typed_key_by_key_without_a_script_and_handed_to_root(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", LOCKED)
    assert "<script" not in screen.get("/").text
    typed = ""
    for key in "48151623":
        answer = screen.post("/unlock", data={"secret": typed, "add": key}, headers=OURS)
        typed += key
        assert f'value="{typed}"' in answer.text
        assert "refresh" not in answer.text  # what was typed would be lost
    assert asked_of_root(box) is None
    answer = screen.post("/unlock", data={"secret": typed}, headers=OURS)
    assert answer.status_code == 503
    assert typed not in answer.text
    wanted = asked_of_root(box) or {}
    assert (wanted["do"], wanted["secret"]) == ("unlock", typed)
    assert wanted["number"]


def test_what_was_typed_wrong_is_cleared(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", LOCKED)
    answer = screen.post("/unlock", data={"secret": "4815", "clear": "1"}, headers=OURS)
    assert "4815" not in answer.text
    assert asked_of_root(box) is None


@pytest.mark.parametrize("code", ["data-damaged", "data-missing", "data-closed"])
def test_nothing_can_be_typed_where_nothing_would_open_the_data(screen: TestClient, box: Box, code: str) -> None:
    tell(box.says, "data", {**LOCKED, "code": code})
    assert "<form" not in screen.get("/").text


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://elsewhere.example"}, {"origin": "null"}, {**OURS, "host": "elsewhere.example"}],
)
def test_another_page_hands_root_nothing(screen: TestClient, box: Box, headers: dict[str, str]) -> None:
    tell(box.says, "data", LOCKED)
    assert screen.post("/unlock", content="secret=48151623", headers=headers).status_code == 503
    assert asked_of_root(box) is None


def test_what_is_too_long_to_be_a_secret_is_none(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", LOCKED)
    screen.post("/unlock", content="secret=" + "4" * 5000, headers=OURS)
    assert asked_of_root(box) is None


# --- repair ------------------------------------------------------------------------------------------------------

CODE = "0123-4567-89AB-CDEF-0123-4567-89AB-CDEF"


def repair_asked(box: Box) -> dict[str, str] | None:
    request = box.requests / "repair"
    return dict(json.loads(request.read_bytes())) if request.exists() else None


def number_on(screen: TestClient) -> str:
    found = re.search(r'class="number">(\d{6})<', screen.get("/erase").text)
    assert found
    return found[1]


def typed_at(screen: TestClient, path: str, text: str) -> str:
    typed = ""
    for key in text:
        typed = screen.post(path, data={"secret": typed, "add": key}, headers=OURS) and typed + key
    return screen.post(path, data={"secret": typed}, headers=OURS).text


def test_a_box_whose_pin_and_code_are_lost_is_erased_by_who_types_the_number(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", LOCKED)
    assert 'href="/erase"' in screen.get("/").text
    number = number_on(screen)
    text = screen.get("/erase").text
    assert "nobody can count the pictures" in text
    number = number_on(screen)
    assert repair_asked(box) is None
    assert "refresh" in typed_at(screen, "/erase", number)
    assert (repair_asked(box) or {})["do"] == "destroy"


def test_another_number_erases_nothing_and_the_page_shows_a_new_one(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", DAMAGED)
    first = number_on(screen)
    wrong = "000000" if first != "000000" else "111111"
    assert 'class="number">' in typed_at(screen, "/erase", wrong)
    typed_at(screen, "/erase", first)
    assert repair_asked(box) is None


def test_a_number_is_no_number_before_it_was_shown(screen: TestClient, box: Box) -> None:
    for typed in ("", "0", "000000"):
        screen.post("/erase", data={"secret": typed}, headers=OURS)
    assert repair_asked(box) is None


def test_the_pictures_of_a_damaged_disk_are_rescued_with_the_recovery_code(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", DAMAGED)
    assert 'href="/rescue"' in screen.get("/").text
    assert CODE not in typed_at(screen, "/rescue", CODE)
    wanted = repair_asked(box) or {}
    assert (wanted["do"], wanted["secret"]) == ("rescue", CODE)
    refused = {"code": "key-refused", "what": "This key does not open the data.", "safe": "", "action": "Again."}
    tell(box.says, "repair", {"number": wanted["number"], "refused": refused})
    assert "This key does not open the data." in screen.get("/rescue").text
    assert screen.get("/api/v1/health").json()["code"] == "data-damaged"


@pytest.mark.parametrize("path", ["/erase", "/rescue"])
def test_another_page_repairs_nothing(screen: TestClient, box: Box, path: str) -> None:
    secret = number_on(screen) if path == "/erase" else CODE
    screen.post(path, data={"secret": secret}, headers={**OURS, "origin": "http://elsewhere.example"})
    assert repair_asked(box) is None


def test_what_goes_on_is_shown_again_and_again_and_nothing_else_is_offered(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", {"opened": True, "code": ""})
    tell(
        box.says,
        "repair",
        {**LOCKED, "code": "erasing", "what": "This box is being erased.", "doing": "destroy"},
    )
    text = screen.get("/").text
    assert "Diese Box wird gelöscht." in text
    assert 'content="2;url=/"' in text
    assert "href=" not in text


def test_while_a_new_version_proves_itself_nothing_is_offered_and_the_page_says_so(
    screen: TestClient, box: Box
) -> None:
    tell(box.says, "data", DAMAGED)
    number = number_on(screen)
    tell(box.says, "update", {"proving": True})
    for path in ("/", "/erase", "/rescue"):
        text = screen.get(path).text
        assert "href=" not in text
        assert "The box is proving its new version. This takes a few minutes: ask again then." in text
        assert "Die Box erprobt ihre neue Version." in text
    typed_at(screen, "/erase", number)
    typed_at(screen, "/rescue", CODE)
    assert repair_asked(box) is None
    tell(box.says, "update", {"proving": False})
    assert 'href="/erase"' in screen.get("/").text


def test_a_disk_that_is_not_there_is_neither_erased_nor_rescued(screen: TestClient, box: Box) -> None:
    tell(box.says, "data", {**DAMAGED, "code": "data-missing"})
    assert "href=" not in screen.get("/").text
