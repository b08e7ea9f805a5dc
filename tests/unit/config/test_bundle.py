"""Settings as one file: what goes out, what never does, and what is refused when it comes in."""

import zipfile
from io import BytesIO

import pytest

from gateway.config.bundle import incoming, outgoing, packed, unpacked
from gateway.config.changes import document_of
from gateway.errors import NoSettingsFile

WRITTEN = """\
# the clinic's
[[source]]
name = "endo"
device = "pattern:bars"
profile = "mine.toml"

[[destination]]
name = "cloud"
kind = "stow"
url = "https://archive.example/dicom-web"
user = "box"
password_file = "/var/lib/scopegate/secrets/0123"
"""


def zipped(packing=zipfile.ZIP_DEFLATED, **files):
    target = BytesIO()
    with zipfile.ZipFile(target, "w", packing) as archive:
        for name, raw in files.items():
            archive.writestr(name.replace("__", "/"), raw)
    return target.getvalue()


@pytest.fixture
def out(tmp_path):
    (tmp_path / "mine.toml").write_text("# a profile\n")
    return outgoing(WRITTEN, tmp_path)


def test_what_goes_out_has_the_profile_and_no_secret(out):
    raw = packed(out)
    assert unpacked(raw) == out
    assert out.profiles == {"profiles/mine.toml": b"# a profile\n"}
    text = out.text.decode()
    assert "secrets" not in text
    assert "user" not in text
    assert "# the clinic's" in text
    assert packed(out) == raw  # the same settings are the same file


def test_on_the_box_that_it_came_from_nothing_differs(out):
    here = document_of(WRITTEN)
    back = incoming(out, here, keep={"profiles/mine.toml": "mine.toml"})
    assert document_of(back) == here


def test_another_box_keeps_its_own_secrets_and_takes_nobody_elses(out):
    here = {"destination": [{"name": "cloud", "url": "https://evil.example", "user": "x", "password_file": "/y"}]}
    back = document_of(incoming(out, here, keep={"profiles/mine.toml": "/data/profiles/mine.toml"}))
    assert back["destination"][0].keys() == {"name", "kind", "url"}
    assert back["source"][0]["profile"] == "/data/profiles/mine.toml"


def test_an_archive_bomb_is_refused_before_it_is_unpacked():
    bomb = zipped(**{"scopegate.toml": b"#" * 50_000_000})
    assert len(bomb) < 64_000
    with pytest.raises(NoSettingsFile):
        unpacked(bomb)


def test_a_header_that_lies_about_its_size_moves_no_limit():
    raw = bytearray(zipped(**{"scopegate.toml": b"#" * 2_000_000}))
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (10).to_bytes(4, "little")  # uncompressed size (APPNOTE 4.3.12)
    with pytest.raises(NoSettingsFile):
        unpacked(bytes(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no zip at all",
        zipped(**{"other.toml": b""}),
        zipped(**{"scopegate.toml": b"", "..__..__etc__passwd": b"x"}),
        zipped(**{"scopegate.toml": b"", "__etc__passwd": b"x"}),
        zipped(**{"scopegate.toml": b"", "profiles__..toml": b"x"}),
        zipped(**{"scopegate.toml": b"", "profiles__sub__a.toml": b"x"}),
        zipped(**{"scopegate.toml": b"", **{f"profiles__p{n}.toml": b"" for n in range(40)}}),
        zipped(**{"scopegate.toml": b"x = 1"})[:-30],
        zipped(zipfile.ZIP_LZMA, **{"scopegate.toml": b"x = 1"}),
        zipped(zipfile.ZIP_BZIP2, **{"scopegate.toml": b"x = 1"}),
    ],
)
def test_what_no_box_wrote_is_refused(raw):
    with pytest.raises(NoSettingsFile):
        unpacked(raw)


def test_a_profile_that_is_named_and_not_there_is_refused(out):
    with pytest.raises(NoSettingsFile):
        incoming(out, {}, keep={})
