"""Settings onto a stick and from it: what lies there afterwards, and what is refused."""

import base64
import os
from pathlib import Path

import pytest

from gateway.config.settings import Destination
from gateway.errors import MediaAbsent
from gateway.forward.media.settings_files import IN, LARGEST, OUT, SettingsFiles
from gateway.model import RequestState
from gateway.panel.calls import settings_stick
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool

RAW = b"PK a file of settings"


@pytest.fixture
def sticks(spool: Spool, stick: Path) -> SettingsFiles:
    known = Destination(name="stick", kind="media", folder=stick)
    return SettingsFiles(spool=spool, destinations=[known], place=lambda found, _: found.folder)


def asked(spool: Spool, sticks: SettingsFiles, kind: str, **arguments: str) -> Request:
    identifier = spool.requests.ask(kind, {"destination": "stick", **arguments}, deadline_s=60)
    assert sticks.step()
    return spool.requests.get(identifier)


def out(spool: Spool, sticks: SettingsFiles, name: str = "scopegate-US-2.zip") -> Request:
    return asked(spool, sticks, OUT, name=name, content=base64.b64encode(RAW).decode())


def test_panel_and_forward_mean_the_same_requests() -> None:
    assert (settings_stick.OUT, settings_stick.IN) == (OUT, IN)
    assert LARGEST * 4 / 3 < 64 * 1024 - 500  # the panel's largest body


def test_what_goes_onto_a_stick_comes_back_to_the_byte(spool: Spool, sticks: SettingsFiles, stick: Path) -> None:
    assert out(spool, sticks).answer == {"file": "scopegate-US-2.zip"}
    assert (stick / "scopegate-US-2.zip").read_bytes() == RAW
    found = asked(spool, sticks, IN)
    assert base64.b64decode(found.answer["content"]) == RAW


def test_the_newest_file_of_settings_is_read(spool: Spool, sticks: SettingsFiles, stick: Path) -> None:
    for age, name in ((50, "scopegate-old.zip"), (10, "scopegate-new.zip"), (0, "holidays.zip")):
        (stick / name).write_bytes(name.encode())
        os.utime(stick / name, (1_000_000 - age, 1_000_000 - age))
    assert asked(spool, sticks, IN).answer["file"] == "scopegate-new.zip"


def test_nothing_but_a_file_of_settings_of_its_size_is_read(
    spool: Spool, sticks: SettingsFiles, stick: Path
) -> None:
    (stick / "scopegate-link.zip").symlink_to("/etc/passwd")
    (stick / "scopegate-folder.zip").mkdir()
    assert asked(spool, sticks, IN).answer["code"] == "no-settings-file"
    (stick / "scopegate-large.zip").write_bytes(bytes(LARGEST + 1))
    found = asked(spool, sticks, IN)
    assert (found.state, found.answer["code"]) == (RequestState.FAILED, "no-settings-file")


@pytest.mark.parametrize("name", ["../scopegate-x.zip", "scopegate-/x.zip", "DICOMDIR", "scopegate-x.toml"])
def test_no_other_name_is_written(spool: Spool, sticks: SettingsFiles, stick: Path, name: str) -> None:
    assert out(spool, sticks, name).answer["code"] == "no-settings-file"
    assert not list(stick.iterdir())


def anywhere(spool: Spool, *, stick: Path, others: list[Destination]) -> SettingsFiles:
    """Return a box whose every stick is mounted at a folder; what is no folder is not mounted."""

    def place(found: Destination, _: Path) -> Path:
        if not found.folder.is_dir():
            raise MediaAbsent
        return found.folder

    own = Destination(name="", kind="media", folder=stick)
    return SettingsFiles(spool=spool, destinations=others, place=place, stick=own)


def test_any_stick_will_do_whether_an_archive_is_set_up_for_it_or_not(spool: Spool, stick: Path) -> None:
    for worker in (
        anywhere(spool, stick=stick, others=[]),
        anywhere(
            spool,
            stick=stick / "nothing",
            others=[Destination(name="usb", kind="media", folder=stick)],
        ),
    ):
        content = base64.b64encode(RAW).decode()
        wrote = asked(spool, worker, OUT, destination="", name="scopegate-US-2.zip", content=content)
        assert wrote.answer == {"file": "scopegate-US-2.zip"}
        assert base64.b64decode(asked(spool, worker, IN, destination="").answer["content"]) == RAW
        (stick / "scopegate-US-2.zip").unlink()


def test_without_any_stick_a_person_is_told_what_to_do(spool: Spool, stick: Path) -> None:
    worker = anywhere(spool, stick=stick / "nothing", others=[])
    found = asked(spool, worker, IN, destination="")
    assert (found.answer["code"], found.answer["what"]) == ("media-absent", "There is no stick in this box.")
    assert "Plug one" in found.answer["action"]


def test_a_file_that_a_browser_saved_twice_is_found_on_the_stick(
    spool: Spool, sticks: SettingsFiles, stick: Path
) -> None:
    (stick / "scopegate-US-2 (1).zip").write_bytes(RAW)
    assert base64.b64decode(asked(spool, sticks, IN).answer["content"]) == RAW


def test_without_a_stick_both_say_so(spool: Spool, stick: Path) -> None:
    worker = SettingsFiles(
        spool=spool,
        destinations=[Destination(name="stick", kind="media", folder=stick / "nothing")],
        place=lambda found, _: found.folder,
    )
    assert out(spool, worker).answer["code"] == "media-absent"
    assert asked(spool, worker, IN).answer["code"] == "media-absent"
