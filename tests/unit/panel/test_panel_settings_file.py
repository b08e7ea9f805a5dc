"""Settings as one file: out and in, over the API and on a stick; what is no such file changes nothing."""

import base64
import threading
import tomllib
import zipfile
from io import BytesIO

import pytest

from gateway.clock import Clock
from gateway.config.bundle import Bundle, packed
from gateway.config.settings import Destination
from gateway.forward.media.settings_files import SettingsFiles
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.settings_desk import WRITTEN, asked, config, put, revision, sent, with_settings


@pytest.fixture
def configured(bench: Bench) -> Bench:
    return with_settings(bench)


def test_settings_go_out_and_come_in_and_the_difference_is_shown_before(configured: Bench) -> None:
    answer = configured.client.get("/api/v1/settings/export")
    assert answer.headers["content-type"] == "application/zip"
    asked(configured, "change", put("station", "institution", value="Other")).raise_for_status()
    tried = configured.client.post("/api/v1/settings/import/check", json={"file": sent(answer.content)}).json()
    assert [each["steps"] for each in tried["differences"]] == [["station", "institution"]]
    body = {"file": sent(answer.content), "revision": revision(configured)}
    configured.client.post("/api/v1/settings/import", json=body).raise_for_status()
    assert tomllib.loads(config(configured).read_text()) == tomllib.loads(WRITTEN)


def test_what_comes_in_moves_neither_data_nor_listener_and_names_no_file(configured: Bench) -> None:
    evil = WRITTEN.replace('name = "US-ROOM-2"', 'name = "OTHER"\ndata_dir = "/tmp/elsewhere"')
    evil += '\n[panel]\nlisten = "127.0.0.1:9"\n'
    raw = packed(Bundle(text=evil.encode(), profiles={}))
    tried = configured.client.post("/api/v1/settings/import/check", json={"file": sent(raw)}).json()
    assert [each["steps"] for each in tried["differences"]] == [["station", "name"]]
    evil = evil.replace('"pattern:ultrasound"', '"file:/etc/passwd"')
    raw = packed(Bundle(text=evil.encode(), profiles={}))
    body = {"file": sent(raw), "revision": revision(configured)}
    assert configured.client.post("/api/v1/settings/import", json=body).status_code == 422
    assert config(configured).read_text() == WRITTEN


OURS = '\n[audit]\nhost = "audit.clinic.example"\ntls = { ca = "system" }\n'
OTHERS = '\n[audit]\nhost = "elsewhere.example"\nport = 7000\n\n[audit.tls]\nca = "system"\ncheck_name = false\n'


def came(bench: Bench, text: str) -> dict[str, object]:
    """Have a file of settings taken in; return the audit table of the box afterwards."""
    file = sent(packed(Bundle(text=text.encode(), profiles={})))
    body = {"file": file, "revision": revision(bench)}
    bench.client.post("/api/v1/settings/import", json=body).raise_for_status()
    return tomllib.loads(config(bench).read_text()).get("audit", {})


@pytest.mark.parametrize("theirs", ["", OTHERS])
def test_no_file_turns_the_audit_repository_of_a_box_off_or_to_another_one(configured: Bench, theirs: str) -> None:
    config(configured).write_text(WRITTEN + OURS)
    text = WRITTEN.replace('modality = "US"', 'modality = "ES"') + theirs
    raw = packed(Bundle(text=text.encode(), profiles={}))
    tried = configured.client.post("/api/v1/settings/import/check", json={"file": sent(raw)}).json()
    assert [each["steps"] for each in tried["differences"]] == [["source", "ultrasound", "modality"]]
    assert came(configured, text) == {"host": "audit.clinic.example", "tls": {"ca": "system"}}
    assert "its audit repository if it has one" in configured.client.get("/settings/file").text


def test_a_box_without_audit_repository_gets_that_of_the_file_and_the_difference_says_so(configured: Bench) -> None:
    raw = packed(Bundle(text=(WRITTEN + OTHERS).encode(), profiles={}))
    tried = configured.client.post("/api/v1/settings/import/check", json={"file": sent(raw)}).json()
    assert {each["words"]["about"] for each in tried["differences"]} == {"Audit repository"}
    assert "elsewhere.example" in [each["words"]["new"] for each in tried["differences"]]
    assert came(configured, WRITTEN + OTHERS)["host"] == "elsewhere.example"


def test_an_audit_table_that_is_none_is_refused(configured: Bench) -> None:
    config(configured).write_text(WRITTEN + OURS)
    for wrong in ("audit = 5\n" + WRITTEN, WRITTEN + '[[audit]]\nhost = "elsewhere.example"\n'):
        body = {"file": sent(packed(Bundle(text=wrong.encode(), profiles={}))), "revision": revision(configured)}
        assert configured.client.post("/api/v1/settings/import", json=body).status_code == 422
    assert config(configured).read_text() == WRITTEN + OURS


def test_a_bomb_and_what_is_no_file_of_settings_change_nothing(configured: Bench) -> None:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scopegate.toml", b"#" * 30_000_000)
    for file in (sent(target.getvalue()), sent(b"nothing"), "no base64", ""):
        body = {"file": file, "revision": revision(configured)}
        answer = configured.client.post("/api/v1/settings/import", json=body)
        assert answer.status_code == 422
    assert config(configured).read_text() == WRITTEN


@pytest.mark.parametrize("profile", [b"/etc/shadow", b"\xff\xfe", b"# \n" * 30_000])
def test_a_file_whose_device_profile_is_none_changes_nothing(configured: Bench, profile: bytes) -> None:
    text = WRITTEN.replace("[[source]]", '[[source]]\nprofile = "profiles/a.toml"', 1)
    raw = packed(Bundle(text=text.encode(), profiles={"profiles/a.toml": profile}))
    answer = configured.client.post("/api/v1/settings/import/check", json={"file": sent(raw)})
    assert (answer.status_code, answer.json()["code"]) == (422, "no-settings-file")


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 3000) + "=1",
        "\n".join(f"a.b.k{number}=1" for number in range(12_000)),
        "[[source]]\n" * 8000,
        "#\n" * 400_000,
    ],
)
def test_what_would_take_minutes_to_read_is_refused_at_once(configured: Bench, text: str) -> None:
    raw = packed(Bundle(text=text.encode(), profiles={}))
    answer = configured.client.post("/api/v1/settings/import/check", json={"file": sent(raw)})
    assert (answer.status_code, answer.json()["code"]) == (409, "settings-foreign")


def test_nothing_is_taken_in_during_an_exam(configured: Bench) -> None:
    raw = configured.client.get("/api/v1/settings/export").content
    configured.open_exam()
    for path in ("import", "import/check"):
        body = {"file": sent(raw)} | ({"revision": revision(configured)} if path == "import" else {})
        answer = configured.client.post(f"/api/v1/settings/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "exam-open")


def test_no_archive_has_to_be_set_up_before_settings_go_onto_a_stick(configured: Bench) -> None:
    page = configured.client.get("/settings/file").raise_for_status().text
    assert page.count('data-stick="export"') == page.count('data-stick="import"') == 1
    assert "data-destination" not in page


def test_settings_go_onto_a_stick_and_come_from_it_through_the_process_that_has_it(tmp_path) -> None:
    stick = Destination(name="usb", kind="media", folder=tmp_path, required=False)
    with folder_in_memory() as folder, running(folder, stick, clock=Clock(), stick=30) as bench:
        with_settings(bench)
        forward = SettingsFiles(
            spool=bench.spool, destinations=[], place=lambda found, _: found.folder, stick=stick
        )
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(0.01):
                forward.step()

        working = threading.Thread(target=work)
        working.start()
        try:
            out = bench.client.post("/api/v1/settings/stick/export", json={}).raise_for_status().json()
            assert [each.name for each in tmp_path.iterdir()] == [out["file"]] == ["scopegate-US-ROOM-2.zip"]
            back = bench.client.post("/api/v1/settings/stick/import", json={}).json()
            assert base64.b64decode(back["content"]) == bench.client.get("/api/v1/settings/export").content
            missing = bench.client.post("/api/v1/settings/stick/import", json={"destination": "pacs"})
            assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
            (tmp_path / out["file"]).unlink()
            empty = bench.client.post("/api/v1/settings/stick/import", json={})
            assert (empty.status_code, empty.json()["code"]) == (422, "no-settings-file")
        finally:
            stop.set()
            working.join()
