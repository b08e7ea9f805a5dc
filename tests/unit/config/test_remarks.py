"""What `scopegate config check` adds to a file without mistakes: pictures that would fill the disk for good."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.config.remarks import remarks
from gateway.config.settings import Destination, Settings, Source

PACS = {"name": "pacs", "ae_title": "PACS", "host": "10.0.0.5", "port": 104}


def said(**more: object) -> str:
    """Return what is remarked of a configuration with this destination, as who has its file reads it."""
    return " ".join(map(str, remarks(Settings(destinations=(Destination(**{**PACS, **more}),)))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "more",
    [
        {"commitment": True},
        {"query": True, "trust_query": True},
        {"commitment": True, "fallback": "key-stills", "required": False, "name": "b"},
        {"commitment": True, "fallback": "key-stills", "types": ("still",), "name": "b"},  # no clip goes there
    ],
)
def test_nothing_is_remarked_where_the_archive_that_must_have_a_picture_vouches_for_it(
    more: dict[str, object],
) -> None:
    pacs = Destination(**{**PACS, "commitment": True})  # type: ignore[arg-type]
    other = Destination(**{**PACS, **more})  # type: ignore[arg-type]
    assert list(remarks(Settings(destinations=(pacs, other)))) == []


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({}, "In the file: commitment, or query with trust_query, or required = false."),
        (
            {"query": True},
            "say Yes to “It is asked to confirm what it stored”, or to “It is asked what it has” and",
        ),
        (
            {"kind": "stow", "url": "https://pacs.example/dicom-web"},
            "In the file: query with trust_query, or required = false.",
        ),
        ({"kind": "media", "folder": Path("/media/usb")}, "“Pictures stay here until it has them” if an archive"),
    ],
)
def test_a_required_destination_that_never_vouches_keeps_the_disk_full(
    more: dict[str, object], remedy: str
) -> None:
    assert "pacs must have pictures before they leave this box's disk, and never vouches" in said(**more)
    assert remedy in said(**more)


def test_stills_in_place_of_a_clip_keep_the_clip_on_the_box() -> None:
    assert "these clips never leave" in said(commitment=True, fallback="key-stills")


def test_without_a_required_destination_nothing_ever_goes() -> None:
    assert said(required=False).startswith("There is no archive that must have pictures")


def test_a_box_that_is_its_own_archive_is_told_nothing() -> None:
    assert list(remarks(Settings())) == []


def test_the_check_of_a_file_prints_the_remarks_below_its_verdict(tmp_path: Path) -> None:
    file = tmp_path / "scopegate.toml"
    file.write_text('[[destination]]\nname = "pacs"\nae_title = "PACS"\nhost = "10.0.0.5"\nport = 104\n')
    done = CliRunner().invoke(app, ["config", "check", str(file)])
    assert done.exit_code == 0
    verdict, note = done.output.splitlines()
    assert verdict == f"{file}: no mistakes found."
    assert note.startswith("note: pacs must have pictures before they leave this box's disk, and never vouches")
    assert note.endswith("In the file: commitment, or query with trust_query, or required = false.")


def test_the_check_of_a_file_names_the_mistakes_of_its_profiles_and_profiles_that_are_none(tmp_path: Path) -> None:
    file, profile = tmp_path / "scopegate.toml", tmp_path / "tower.toml"
    profile.write_text('turn = 45\nrange = "tv"\n')
    names = {"tower": "tower.toml", "cart": "pal", "other": "pal-composite"}
    file.write_text(
        "".join(f'[[source]]\nname = "{n}"\ndevice = "pattern:bars"\nprofile = "{p}"\n' for n, p in names.items())
    )
    done = CliRunner().invoke(app, ["config", "check", str(file)])
    assert done.exit_code == 2
    turn, levels, name, verdict = done.output.splitlines()
    assert turn == f"{file}: source tower: {profile}: turn must be one of 0, 90, 180, 270"
    assert levels == f"{file}: source tower: {profile}: range must be one of limited, full"
    assert name.startswith(f"{file}: source cart: There is no device profile 'pal': there are ")
    assert verdict == "The box starts, but gives no picture of these sources."


@pytest.mark.parametrize(
    ("device", "remarked"),
    [
        ("v4l2:/dev/video0", True),
        ("v4l2:/dev/v4l/by-path/platform-usb-0:1.4:1.0-video-index0", False),
        ("v4l2:usb:1-1.4", False),
        ("pattern:bars", False),
    ],
)
def test_a_grabber_that_is_named_by_a_number_may_become_another_one(device: str, *, remarked: bool) -> None:
    found = list(remarks(Settings(sources=(Source(name="us", device=device),))))
    assert len(found) == remarked
    assert all("us takes its pictures from /dev/video0" in each.says for each in found)
