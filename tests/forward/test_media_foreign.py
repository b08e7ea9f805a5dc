"""A medium on which somebody else's files, links and pipes lie: none is touched, and none is taken for ours."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.dicom import dicomdir
from gateway.errors import (
    MediaError,
    MediaForeign,
)
from gateway.forward.media.contents import Contents
from gateway.spool.spool import Spool
from tests.forward.bench import sealed_exam
from tests.forward.media_bench import holds, items, listed, write


def test_what_else_lies_on_the_stick_stays(spool: Spool, stick: Path) -> None:
    (stick / "README.TXT").write_text("mine")
    (stick / "DICOM" / "SG000000").mkdir(parents=True)
    (stick / "DICOM" / "SG000000" / "I0000001").write_bytes(b"somebody's")
    (stick / "DICOM" / "I0000002").write_bytes(b"somebody's")
    wanted = items(spool, sealed_exam(spool))
    write(stick, wanted)

    assert holds(stick, wanted)
    assert (stick / "README.TXT").read_text() == "mine"
    assert (stick / "DICOM" / "SG000000" / "I0000001").read_bytes() == b"somebody's"
    assert (stick / "DICOM" / "I0000002").read_bytes() == b"somebody's"


@pytest.mark.parametrize("content", [b"", b"DICM", bytes(128) + b"DICM" + bytes(400)])
def test_a_medium_with_another_systems_directory_is_left_as_it_is(
    spool: Spool, stick: Path, content: bytes
) -> None:
    (stick / "DICOMDIR").write_bytes(content)
    with pytest.raises(MediaForeign):
        write(stick, items(spool, sealed_exam(spool)))

    assert [path.name for path in stick.iterdir()] == ["DICOMDIR"]
    assert (stick / "DICOMDIR").read_bytes() == content


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a link into the box", "a link to nothing"])
def test_a_directory_that_is_no_file_is_another_systems(
    spool: Spool, stick: Path, tmp_path: Path, kind: str
) -> None:
    path = stick / "DICOMDIR"
    make = {
        "a pipe": lambda: os.mkfifo(path),
        "a folder": path.mkdir,
        "a link into the box": lambda: path.symlink_to("/dev/zero"),
        "a link to nothing": lambda: path.symlink_to(tmp_path / "nothing"),
    }
    make[kind]()
    with pytest.raises(MediaForeign):
        write(stick, items(spool, sealed_exam(spool)))


@pytest.mark.parametrize("level", ["I0000001", "SG000000"])
@pytest.mark.parametrize("named", [True, False])
def test_an_object_that_only_a_link_leads_to_is_not_on_the_medium(
    spool: Spool, stick: Path, tmp_path: Path, level: str, *, named: bool
) -> None:
    wanted = items(spool, sealed_exam(spool))
    write(stick, wanted)
    path = next(stick.rglob(level))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    if not named:
        (stick / "DICOMDIR").unlink()
    try:
        write(stick, wanted)
    except MediaForeign:
        return
    assert holds(stick, wanted)
    assert not any(file.resolve().is_relative_to(tmp_path / "elsewhere") for file in listed(stick).values())


@pytest.mark.parametrize("name", ["../box/secret", "/etc/passwd", "DICOM/../../secret"])
def test_a_directory_cannot_name_what_is_not_on_the_medium(
    spool: Spool, stick: Path, tmp_path: Path, name: str
) -> None:
    wanted = items(spool, sealed_exam(spool))
    write(stick, wanted)
    (tmp_path / "secret").write_bytes(b"x")
    found = dicomdir.decode((stick / "DICOMDIR").read_bytes())
    foreign = replace(found.entries[0], file_id=tuple(name.split("/")) if name[0] != "/" else (name,))
    (stick / "DICOMDIR").write_bytes(dicomdir.encode(replace(found, entries=(foreign,))))

    assert Contents(stick, FakeClock()).directory.entries == ()


@pytest.mark.parametrize("name", ["I0000005", "DICOMDIR.part", "README.TXT.part"])
def test_a_pipe_on_a_stick_holds_nobody(spool: Spool, stick: Path, name: str) -> None:
    folder = stick / "DICOM" / "SG000000" if name.startswith("I") else stick
    folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / name)
    wanted = items(spool, sealed_exam(spool))
    try:
        write(stick, wanted)
    except MediaError:
        assert not (stick / "DICOMDIR").exists()
    else:
        assert holds(stick, wanted)


def test_a_stick_whose_names_are_used_up_is_another_systems(spool: Spool, stick: Path) -> None:
    (stick / "DICOM" / "SG009999").mkdir(parents=True)
    (stick / "DICOM" / "SG009999" / "I9999999").write_bytes(b"somebody's")
    with pytest.raises(MediaForeign):
        write(stick, items(spool, sealed_exam(spool)))


@pytest.mark.parametrize("name", ["DICOM", "DICOM/SG000000", "JPEG"])
def test_a_link_on_a_stick_does_not_lead_patients_data_elsewhere(
    spool: Spool, stick: Path, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (stick / name).parent.mkdir(exist_ok=True)
    (stick / name).symlink_to(elsewhere)
    with pytest.raises(MediaForeign):
        write(stick, items(spool, sealed_exam(spool)), jpeg=True)

    assert not list(elsewhere.iterdir())
