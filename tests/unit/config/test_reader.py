"""What a configuration may say, and what becomes of it."""

import os
import re
from pathlib import Path

import pytest

from gateway.config.settings import Address, Entity, Settings
from tests.unit.config.tables import WORKLIST

ROOT = Path(__file__).resolve().parents[3]


# --- what is accepted ------------------------------------------------------------------------------------


def test_an_empty_file_is_a_working_configuration_without_hardware(settings):
    found = settings("")
    assert found.sources == Settings().sources
    assert found.destinations == ()
    assert found.panel.listen == Address(host="127.0.0.1", port=8080)


def test_the_example_of_the_readme_is_accepted(settings):
    example = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert example
    found = settings(example[1])
    assert found.sources
    assert found.worklists
    assert found.destinations


def test_every_key_of_this_version_reaches_the_settings(settings, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"x")
    found = settings(
        """
config_version = 1
[station]
name = "US-ROOM-2"
ae_title = "SCOPE GATE"
listen = "[::]:104"
institution = "Klinik Süd"
issuer = "CLINIC"
data_dir = "spool"
runtime_dir = "/run/elsewhere"
temporary_id = "E-{random4}"
[panel]
listen = "localhost:8081"
[release]
when = "finish"
temporary = "send"
[[source]]
name = "endo"
device = "file:film.mp4"
modality = "ES"
object = "secondary-capture"
still = "auto"
clip = "auto"
jpeg_quality = 75
ring_mb = 200
profile = ""
aspect = "square"
manufacturer = "Maker"
model = "M 1"
serial_number = "007"
station_name = "ROOM"
station_ae_title = ""
department = "Endoscopy"
[[trigger]]
kind = "serial"
device = "/dev/ttyUSB0"
source = "endo"
still = "byte:0x53"
clip = "byte:67"
[[worklist]]
name = "ris"
ae_title = "RIS"
host = "ris.clinic.example"
port = 104
modality = "ES"
station_ae_title = "ENDO1"
days_back = 0
days_ahead = 7
fallback_charset = 'ISO_IR 100'
issuer = "HIS"
[[destination]]
name = "pacs"
kind = "dicom"
ae_title = "PACS"
host = "::1"
port = 4242
required = false
commitment = { ae_title = "ARCHIVE", host = "archive.clinic.example", port = 11113 }
commitment_hours = 48
commitment_wait_s = 0
query = true
trust_query = true
transfer_syntaxes = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
max_object_mb = 100
sources = ["endo"]
types = ["clip", "still"]
longest_clip_s = 60
[retention]
keep_days = 30
rejected_days = 30
reserve_mb = 1024
"""
    )
    assert found.station.listen == Address(host="::", port=104)
    assert found.station.institution == "Klinik Süd"
    assert found.station.data_dir == tmp_path / "spool"
    assert found.station.runtime_dir == Path("/run/elsewhere")
    assert found.release.temporary == "send"
    [source] = found.sources
    assert source.device == f"file:{tmp_path / 'film.mp4'}"
    assert (source.jpeg_quality, source.ring_mb, source.department) == (75, 200, "Endoscopy")
    [trigger] = found.triggers
    assert (trigger.still, trigger.clip) == ("byte:0x53", "byte:0x43")
    [worklist] = found.worklists
    assert (worklist.days_back, worklist.days_ahead, worklist.fallback_charset) == (0, 7, "ISO_IR 100")
    [destination] = found.destinations
    assert destination.transfer_syntaxes == ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
    assert not destination.required
    vouches = Entity(ae_title="ARCHIVE", host="archive.clinic.example", port=11113)
    assert (destination.commitment, destination.entity(destination.commitment)) == (vouches, vouches)
    assert (destination.commitment_hours, destination.commitment_wait_s) == (48, 0)
    itself = Entity(ae_title="PACS", host="::1", port=4242)
    assert (destination.entity(destination.query), destination.trust_query) == (itself, True)
    assert found.retention.reserve_mb == 1024


@pytest.mark.parametrize(
    "charset", ["", "ISO_IR 192", "GB18030", r"\ISO 2022 IR 87", r"ISO 2022 IR 13\ISO 2022 IR 87", "ISO_IR 144"]
)
def test_the_character_sets_of_the_standard_are_accepted(settings, charset):
    assert settings(f"{WORKLIST}fallback_charset = '{charset}'").worklists[0].fallback_charset == charset


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(problems):
    assert problems(b"\xef\xbb\xbf[station]\r\nname = 'X'\r\n") == []


def test_live_state_goes_to_the_users_folder_or_beside_the_data(settings, tmp_path):
    if os.access("/run/scopegate", os.W_OK):
        pytest.skip("this machine has /run/scopegate")
    text = f"[station]\ndata_dir = '{tmp_path}/spool'\n"
    assert settings(text, {"XDG_RUNTIME_DIR": str(tmp_path)}).station.runtime_dir == tmp_path / "scopegate"
    assert settings(text, {"XDG_RUNTIME_DIR": "/no/such"}).station.runtime_dir == tmp_path / "spool" / "run"
    assert settings(text).station.runtime_dir == tmp_path / "spool" / "run"


def test_what_is_asked_of_a_grabber_is_read(settings):
    (source,) = settings(
        '[[source]]\nname = "us"\ndevice = "v4l2:usb:1-1.4:534D:2109"\ninput = " S-Video "\nstandard = "PAL"\n'
        'size = [720, 576]\nrate = 25\nformat = ["UYVY", "YUYV"]\n'
    ).sources
    assert source.device == "v4l2:usb:1-1.4:534d:2109"
    assert (source.input, source.standard, source.size) == ("S-Video", "PAL", (720, 576))
    assert (source.rate, source.format) == (25, ("UYVY", "YUYV"))
