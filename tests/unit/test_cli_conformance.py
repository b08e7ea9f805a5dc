"""`scopegate conformance` says what the configured box offers, to whom, and nothing of what is not configured."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.model import KEY_OBJECTS

BARE = "[station]\nae_title = 'ENDO2'\n"
WORKLIST = '[[worklist]]\nname = "ris"\nae_title = "RIS"\nhost = "10.0.0.5"\nport = 104\nmodality = "ES"\n'
STEPS = WORKLIST.replace("worklist", "procedure_step").replace('modality = "ES"\n', "")
SOURCE = '[[source]]\nname = "us"\ndevice = "pattern:bars"\n'
ARCHIVE = '[[destination]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
COMMITMENT = 'commitment = { ae_title = "SC", host = "127.0.0.1", port = 105 }\n'
CLOUD = '[[destination]]\nname = "cloud"\nkind = "stow"\nurl = "https://pacs.example/dicom-web"\n'
STICK = '[[destination]]\nname = "stick"\nkind = "media"\nfolder = "/media/usb"\n'


@pytest.fixture
def statement(tmp_path: Path):
    def of(*parts: str) -> list[str]:
        file = tmp_path / "scopegate.toml"
        file.write_text("".join(parts))
        result = CliRunner().invoke(app, ["conformance", "--config", str(file)])
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    return of


def rows(lines: list[str], word: str) -> list[str]:
    return [line for line in lines if word in line]


def test_a_box_that_knows_nobody_states_its_echo_and_nothing_else(statement):
    lines = statement(BARE)
    services = lines[lines.index("## Services") + 3 : lines.index("## Associations") - 1]
    assert [row.split(" | ")[0] for row in services] == ["| Verification"]
    assert rows(lines, "AE title") == ["| AE title | ENDO2 |"]
    assert not rows(lines, "## Answers")


def test_every_service_that_is_configured_is_stated_with_who_gives_it(statement):
    lines = statement(BARE, SOURCE, WORKLIST, STEPS, ARCHIVE, COMMITMENT, "query = true\n", CLOUD, STICK)
    for uid, who in {
        "1.2.840.10008.5.1.4.31 ": "ris (RIS) | 10.0.0.5:104",
        "1.2.840.10008.3.1.2.3.3 ": "ris (RIS) | 10.0.0.5:104",
        "1.2.840.10008.5.1.4.1.1.7 ": "pacs (PACS) | 127.0.0.1:104",
        "1.2.840.10008.5.1.4.1.1.7.4 ": "pacs (PACS) | 127.0.0.1:104",
        "1.2.840.10008.1.20.1 | SCU |": "pacs (SC) | 127.0.0.1:105",
        "1.2.840.10008.5.1.4.1.2.2.1 ": "pacs (PACS) | 127.0.0.1:104",
    }.items():
        (row,) = rows(lines, uid)
        assert who in row
    assert rows(lines, "| cloud |") == [
        "| cloud | STOW-RS, QIDO-RS (PS3.18 10.5, 10.6) | https://pacs.example/dicom-web |"
    ]
    assert rows(lines, "| stick |") == [
        "| stick | STD-GEN-USB-JPEG (PS3.11 J), augmented by H.264 clips | /media/usb |"
    ]
    assert len(rows(lines, "## Answers")) == 3
    assert rows(lines, "| Modality | ES |")


def test_the_classes_are_those_of_the_sources_that_go_to_an_archive(statement):
    sources = "".join(
        f"[[source]]\nname = '{name}'\ndevice = 'pattern:bars'\nmodality = '{modality}'\nobject = '{kind}'\n"
        for name, modality, kind in (("us", "US", "ultrasound"), ("scope", "ES", "endoscopic"))
    )
    lines = statement(
        BARE, sources, ARCHIVE, "sources = ['scope']\n", ARCHIVE.replace("pacs", "all").replace("104", "105")
    )
    stated = [row.split(" | ")[1:5:3] for row in rows(lines, "1.2.840.10008.5.1.4.1.1.")]
    scope = ["1.2.840.10008.5.1.4.1.1.77.1.1", "1.2.840.10008.5.1.4.1.1.77.1.1.1"]
    ultrasound = ["1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1"]
    lists = KEY_OBJECTS
    assert stated == [[uid, "127.0.0.1:104"] for uid in [*scope, lists]] + [
        [uid, "127.0.0.1:105"] for uid in [*ultrasound, *scope, lists]
    ]


@pytest.mark.parametrize(
    ("device", "still", "stated"),
    [
        ("pattern:bars", "auto", "JPEG Lossless SV1, Explicit VR Little Endian, Implicit VR Little Endian"),
        (
            "v4l2:usb:1-1.4",
            "auto",
            "JPEG Lossless SV1, JPEG Baseline, Explicit VR Little Endian, Implicit VR Little Endian",
        ),
        ("v4l2:usb:1-1.4", "jpeg-ls", "JPEG-LS Lossless, Explicit VR Little Endian, Implicit VR Little Endian"),
        ("pattern:bars", "uncompressed", "Explicit VR Little Endian, Implicit VR Little Endian"),
        ("pattern:bars", "jpeg", "JPEG Baseline"),
    ],
)
def test_stills_are_stated_in_the_form_that_their_source_gives_them(statement, device, still, stated):
    source = f"[[source]]\nname = 'us'\ndevice = '{device}'\nstill = '{still}'\n"
    (row,) = rows(statement(BARE, source, ARCHIVE), "1.2.840.10008.5.1.4.1.1.7 ")
    assert row.endswith(f"| {stated} |")
    (row,) = rows(statement(BARE, source, ARCHIVE, "fallback = 'key-stills'\n"), "1.2.840.10008.5.1.4.1.1.7 ")
    assert "JPEG Lossless SV1" in row, "as which the key stills of a clip go"


def test_contexts_are_those_that_the_sender_makes(statement):
    (still,) = rows(statement(BARE, SOURCE, ARCHIVE), "1.2.840.10008.5.1.4.1.1.7 ")
    assert still.endswith("| JPEG Lossless SV1, Explicit VR Little Endian, Implicit VR Little Endian |")
    (clip,) = rows(statement(BARE, SOURCE, ARCHIVE), "1.2.840.10008.5.1.4.1.1.7.4 ")
    assert clip.endswith("| JPEG Baseline, H.264 High Profile level 4.1 |")
    jpeg = "[[source]]\nname = 'us'\ndevice = 'pattern:bars'\nclip = 'jpeg'\n"
    (clip,) = rows(statement(BARE, jpeg, ARCHIVE), "1.2.840.10008.5.1.4.1.1.7.4 ")
    assert clip.endswith("| JPEG Baseline |")
    override = 'transfer_syntaxes = ["1.2.840.10008.1.2"]\n'
    for row in rows(statement(BARE, SOURCE, ARCHIVE, override), "1.2.840.10008.5.1.4.1.1.7"):
        assert row.endswith("| Implicit VR Little Endian |")


def test_a_class_that_never_goes_to_an_archive_is_not_stated_for_it(statement):
    assert not rows(statement(BARE, SOURCE, ARCHIVE, 'types = ["still"]\n'), "1.2.840.10008.5.1.4.1.1.7.4")
    assert not rows(statement(BARE, SOURCE, ARCHIVE, 'types = ["clip"]\n'), "1.2.840.10008.5.1.4.1.1.7 ")
    both = statement(BARE, SOURCE, ARCHIVE, 'types = ["clip"]\nfallback = "key-stills"\n')
    assert rows(both, "1.2.840.10008.5.1.4.1.1.7 ")
