# ruff: noqa: E501 - a table of mistakes reads best with one on each line
"""A configuration with mistakes is refused whole, each mistake with its line, key and reason."""

import os
import re
import stat
import tomllib
from pathlib import Path

import pytest

from gateway.config.reader import check, read
from gateway.errors import ConfigurationError
from tests.unit.config.tables import DESTINATION, GRABBER, MEDIA, PEER, SOURCE, STEPS, TRIGGER, WORKLIST

# --- what is refused, each with its line -------------------------------------------------------------------

# (what precedes it, the wrong line, the key named, words of the reason)
WRONG = [
    ("", "config_version = 2", "config_version", "not in this version"),
    ("", 'config_version = "1"', "config_version", "must be 1"),
    ("", "pannel = 3", "pannel", "did you mean panel?"),
    ("", 'ae_title = "X"', "ae_title", r"belongs below \[station\], \[\[worklist\]\], \[\[procedure_step\]\], \[\[destination\]\]"),
    ("", "[statoin]", "statoin", "unknown table; did you mean station?"),
    ("", "[[station]]", "station", r"must be written as \[station\]"),
    ("", "[source]", "source", r"must be written as \[\[source\]\]"),
    ("", "destination = 4", "destination", r"\[\[destination\]\]"),
    ("", "[[procedure_step]]", "procedure_step", "name is missing"),
    (STEPS, "tls = {}", "procedure_step.tls", "ca is missing"),
    (STEPS + "[[procedure_step]]\n", 'name = "RIS"', "procedure_step.name", r'another \[\[procedure_step\]\] is called "RIS" already'),
    ("[release]\n", "reopen_hours = 721", "release.reopen_hours", "from 0 to 720"),
    ("[station]\n", 'aetitle = "X"', "station.aetitle", "unknown key; did you mean ae_title?"),
    ("[station]\n", "name = 7", "station.name", "must be text in quotes, not 7"),
    ("[station]\n", 'name = ""', "station.name", "must not be empty"),
    ("[station]\n", 'name = "ULTRASOUND-ROOM-2"', "station.name", "has 17 characters; DICOM allows 16"),
    ("[station]\n", 'name = "Röntgen"', "station.name", "ASCII"),
    ("[station]\n", 'ae_title = "SEVENTEEN-LETTERS"', "station.ae_title", "at most 16"),
    ("[station]\n", "ae_title = 'A\\B'", "station.ae_title", "backslash"),
    ("[station]\n", 'ae_title = "  "', "station.ae_title", "must not be empty"),
    ("[station]\n", 'ae_title = " X"', "station.ae_title", "space"),
    ("[station]\n", 'ae_title = "Ä"', "station.ae_title", "ASCII"),
    ("[station]\n", 'listen = "11112"', "station.listen", "host:port"),
    ("[station]\n", 'listen = "0.0.0.0:99999"', "station.listen", "65535"),
    ("[station]\n", 'listen = "[fe80::1%eth0]:104"', "station.listen", "must not name a port of this box"),
    ("[station]\n", 'listen = "0.0.0.300:104"', "station.listen", "host name or an IP"),
    ("[station]\n", "institution = 'A\\B'", "station.institution", "backslash"),
    ("[station]\n", f'issuer = "{"X" * 65}"', "station.issuer", "65 characters"),
    ("[station]\n", 'data_dir = ""', "station.data_dir", "must be a folder"),
    ("[station]\n", 'data_dir = "/dev/null"', "station.data_dir", "not a folder"),
    ("[station]\n", f'runtime_dir = "/{"x" * 100}"', "station.runtime_dir", "107 bytes"),
    ("[station]\n", 'tls = { ca = "x" }', "station.tls.ca", "x cannot be read: No such file"),
    ("[station]\n", 'tls = { ca = "system" }', "station.tls", "certificate is missing"),
    ("[station]\n", "tls = { check_name = false }", "station.tls.check_name", "unknown key"),
    ("[station]\n", "tls = true", "station.tls", "must be a table with ca, certificate, key, not true"),
    ("[station]\n", 'temporary_id = "EMERG-{date}{time}"', "station.temporary_id", "random4"),
    (SOURCE, "idle_end_minutes = 10", "source.idle_end_minutes", "more than idle_minutes, or 0"),
    (SOURCE, "idle_minutes = 30", "source.idle_minutes", "after 30 minutes and be asked about after 30"),
    (SOURCE + "idle_minutes = 20\n", "idle_end_minutes = 15", "source.idle_end_minutes", "after 15 minutes and be asked about after 20"),
    ("[panel]\n", 'practice_of = "8080"', "panel.practice_of", "host:port"),
    ("[panel]\n", 'operators = "Huber"', "panel.operators", "list in brackets"),
    ("[panel]\n", 'operators = ["Huber", "Huber"]', "panel.operators", "twice"),
    ("[panel]\n", 'operators = [" "]', "panel.operators", "1 to 64"),
    ("[panel]\n", 'operators = ["A=B"]', "panel.operators", "backslash and ="),
    ("[panel]\n", 'operators = ["A^B^C^D^E^F"]', "panel.operators", "backslash and ="),
    ("[station]\n", 'typed_id = "{date}"', "station.typed_id", "random4"),
    ("[station]\n", f'typed_id = "{"X" * 61}{{random4}}"', "station.typed_id", "65 characters"),
    ("[station]\n", 'temporary_id = "{random4}{patient}"', "station.temporary_id", "{patient} is not a field"),
    ("[station]\n", 'temporary_id = "{random4!r}"', "station.temporary_id", "is not a field"),
    ("[station]\n", 'temporary_id = "{random4"', "station.temporary_id", "brace"),
    ("[station]\n", 'temporary_id = "A^B-{random4}"', "station.temporary_id", "ASCII without"),
    ("[station]\n", f'temporary_id = "{"X" * 61}{{random4}}"', "station.temporary_id", "65 characters"),
    ("[panel]\n", 'listen = "0.0.0.0:8080"', "panel.listen", "nobody signs in there"),
    ("[panel]\n", 'listen = "box.clinic.example:8080"', "panel.listen", "nobody signs in there"),
    ("[panel]\n", 'listen = "127.0.0.1:11112"\n[station]\nlisten = "0.0.0.0:11112"', "panel.listen", "must move"),
    ("[station]\n", 'listen = "0.0.0.0:8080"', "station.listen", "must move"),
    ("[panel]\ntheme = 'light'\n[station]\n", 'listen = "127.0.0.1:8080"', "station.listen", "must move"),
    ("[panel]\n", 'listen = "127.0.0.1:11112"', "panel.listen", "must move"),
    ("[metrics]\n", 'listen = "0.0.0.0:8080"', "metrics.listen", "is the address of .panel. listen"),
    ("[metrics]\n", 'listen = "127.0.0.1:11112"', "metrics.listen", "is the address of .station. listen"),
    ("[panel]\n", 'lan = { listen = "0.0.0.0:8443" }', "panel.lan", "certificate is missing"),
    ("[panel]\n", "lan = true", "panel.lan", "must be a table with listen, certificate, key, capture, not true"),
    ("[panel]\n", 'lan = { certificate = "x", key = "x" }', "panel.lan.certificate", "x cannot be read: No such file"),
    ("[release]\n", 'when = "never"', "release.when", '"finish", "at-once"'),
    ("[release]\n", 'when = "finnish"', "release.when", "did you mean finish?"),
    ("[release]\n", "temporary = true", "release.temporary", "must be text"),
    (SOURCE, 'profile = "en do"', "source.profile", "name of a device profile"),
    (SOURCE, 'profile = "missing.toml"', "source.profile", "there is no file"),
    (SOURCE, 'modality = "us"', "source.modality", "DICOM modality"),
    (SOURCE, 'object = "doppler"', "source.object", '"secondary-capture", "ultrasound", '),
    (SOURCE, 'object = "ultrasound"', "source.object", '"ultrasound" needs modality = "US"'),
    (SOURCE + 'object = "endoscopic"\n', 'modality = "US"', "source.modality", 'must be "ES" for object "endoscopic"'),
    (SOURCE + 'object = "photographic"\n', 'modality = "ES"', "source.modality", 'must be "XC"'),
    (SOURCE, 'still = "jpeg2000"', "source.still", 'must be one of "auto", "jpeg-lossless"'),
    (SOURCE, "jpeg_quality = 101", "source.jpeg_quality", "from 1 to 100, not 101"),
    (SOURCE, "jpeg_quality = 90.0", "source.jpeg_quality", "whole number"),
    (SOURCE, "ring_mb = true", "source.ring_mb", "not true"),
    (SOURCE, 'clip_fields = "one"', "source.clip_fields", 'into a device profile: profile = "FILE.toml"'),
    (SOURCE, "crop = [0, 0, 1920]", "source.crop", "in pixels, not a list"),
    (SOURCE, "crop = [0, 0, 1920, 0]", "source.crop", "from 1 to"),
    (SOURCE, 'aspect = "wide"', "source.aspect", 'must be one of "square", "keep"'),
    (SOURCE, "model = 1979-05-27", "source.model", "must be text"),
    ('[[source]]\nname = "us"\n', 'device = "v4l2:video0"', "source.device", 'must be "v4l2:/dev/v4l/by-path'),
    ('[[source]]\nname = "us"\n', 'device = "v4l2:usb:1-1.4:534d"', "source.device", "port, vendor, product"),
    (GRABBER, "input = 1", "source.input", "text"),
    (GRABBER, f'input = "{"x" * 32}"', "source.input", "name or the number of an input"),
    (GRABBER, 'standard = "pal"', "source.standard", 'must be one of "auto", "PAL"'),
    (GRABBER, "size = [1920]", "source.size", r"\[columns, lines\]"),
    (GRABBER, "size = [1920, 8]", "source.size", r"\[columns, lines\]"),
    (GRABBER, "rate = 241", "source.rate", "from 0 to 240"),
    (GRABBER, 'format = "YUYV"', "source.format", "list in brackets"),
    (GRABBER, 'format = ["YUVY"]', "source.format", "did you mean"),
    (SOURCE, "size = [1920, 1080]", "source.size", "asked of a grabber only"),
    (GRABBER, '[[source]]\nname = "b"\ndevice = "v4l2:/dev/video0"', "source.device", "takes its pictures already"),
    ('[[source]]\nname = "us"\n', 'device = "file:missing.mp4"', "source.device", "cannot be read: No such file"),
    ('[[source]]\nname = "us"\n', 'device = "pattern:snow"', "source.device", "pattern:bars"),
    ('[[source]]\nname = "us"\n', 'device = "/dev/video0"', "source.device", "pattern:bars"),
    ('[[source]]\ndevice = "pattern:bars"\n', 'name = "my source"', "source.name", "letters, digits"),
    ("", '[[source]] # no device\nname = "us"', "source", "device is missing"),
    (SOURCE, '[[source]]\nname = "x"\ndevice = "pattern:bars"\nstill = ["auto"]', "source.still", "not a list"),
    (SOURCE + DESTINATION, 'sources = ["us", "uss"]', "destination.sources", "no .* called .uss.; did you mean us?"),
    (DESTINATION, 'sources = ["us"]', "destination.sources", "no .* called .us."),
    (DESTINATION, 'sources = "us"', "destination.sources", "list"),
    (DESTINATION, 'types = ["still", "still"]', "destination.types", "twice"),
    (DESTINATION, 'types = ["video"]', "destination.types", '"still", "clip"'),
    (DESTINATION, "longest_clip_s = -1", "destination.longest_clip_s", "0 to 3600"),
    (SOURCE + TRIGGER, 'still = "rts"', "trigger.still", "one of the lines .cts., .dsr., .cd., .ri."),
    (SOURCE + TRIGGER + 'still = "cts"\n', 'clip = "cts"', "trigger.clip", "same byte or line as still"),
    (SOURCE + TRIGGER, 'still = "byte:0x100"', "trigger.still", "byte:0x00"),
    (SOURCE + TRIGGER, 'still = "byte:256"', "trigger.still", "byte:0x00"),
    (SOURCE + TRIGGER + 'still = "byte:83"\n', 'clip = "byte:0x53"', "trigger.clip", "same byte or line as still"),
    (SOURCE, '[[trigger]]\nkind = "serial"\ndevice = "/dev/x"\nsource = "us"', "trigger", "neither a still nor a clip"),
    (SOURCE, '[[trigger]]\nkind = "gpio"\nsource = "us"\nstill = "pin:4"', "trigger", "device is missing"),
    (
        SOURCE + TRIGGER + 'still = "byte:1"\n[[trigger]]\nkind = "serial"\nsource = "us"\nclip = "byte:2"\n',
        'device = "/dev/ttyUSB0"',
        "trigger.device",
        "another",
    ),
    (SOURCE + '[[trigger]]\nkind = "serial"\ndevice = "/dev/x"\nstill = "byte:1"\n', 'source = "uss"', "trigger.source", "no .* called .uss.; did you mean us?"),
    (WORKLIST, "days_back = -1", "worklist.days_back", "from 0 to 365"),
    (WORKLIST, "days_ahead = 366", "worklist.days_ahead", "from 0 to 365"),
    (WORKLIST, 'fallback_charset = "latin1"', "worklist.fallback_charset", "DICOM character set"),
    (WORKLIST, 'fallback_charset = "ISO_IR 1000"', "worklist.fallback_charset", "did you mean ISO_IR 100?"),
    (WORKLIST, "fallback_charset = 'GB18030\\ISO 2022 IR 87'", "worklist.fallback_charset", "DICOM character set"),
    (WORKLIST, "tls = {}", "worklist.tls", "ca is missing"),
    (WORKLIST, 'tls = { ca = "system", cert = "x" }', "worklist.tls.cert", "unknown key"),
    (WORKLIST, 'tls = { ca = "/dev/null" }', "worklist.tls.ca", "is not a file"),
    (WORKLIST, 'tls = { ca = "scopegate.toml" }', "worklist.tls.ca", "holds no certificate in PEM form"),
    (WORKLIST, 'tls = { ca = "system", key = "scopegate.toml" }', "worklist.tls", "certificate is missing"),
    (WORKLIST, 'tls = { ca = "system", check_name = 0 }', "worklist.tls.check_name", "must be true or false"),
    (WORKLIST, '[[worklist]]\nname = "RIS"\nae_title = "B"\nhost = "b"\nport = 1', "worklist.name", "called .RIS. already"),
    ('[[worklist]]\nname = "r"\nae_title = "R"\nhost = "h"\n', "port = 0", "worklist.port", "from 1 to 65535"),
    ('[[worklist]]\nname = "r"\nae_title = "R"\nport = 1\n', 'host = "not a host"', "worklist.host", "host name"),
    (DESTINATION, 'folder = "/media/usb"', "destination.folder", 'of kind "media" only'),
    (MEDIA, 'host = "10.0.0.6"', "destination.host", 'of kind "dicom" only'),
    (MEDIA, 'ae_title = "PACS"', "destination.ae_title", 'of kind "dicom" only'),
    (MEDIA, "port = 104", "destination.port", 'of kind "dicom" only'),
    (MEDIA, 'transfer_syntaxes = ["1.2.840.10008.1.2"]', "destination.transfer_syntaxes", 'of kind "dicom", "stow" only'),
    ("", '[[destination]]\nname = "usb"\nkind = "media"', "destination", "folder is missing"),
    ('[[destination]]\nname = "usb"\nkind = "media"\n', 'folder = "usb"', "destination.folder", "full path"),
    ('[[destination]]\nname = "usb"\nkind = "media"\n', 'folder = "/"', "destination.folder", "full path"),
    ('[[destination]]\nname = "usb"\nkind = "media"\n', 'folder = "/var/lib/scopegate/usb"', "destination.folder", "data_dir"),
    ('[[destination]]\nname = "usb"\nkind = "media"\n', 'folder = "/media/../var/lib/scopegate/x"', "destination.folder", "full path"),
    ('[[destination]]\nname = "usb"\nkind = "media"\n', 'folder = "/var/lib"', "destination.folder", "data_dir"),
    (MEDIA + '[[destination]]\nname = "b"\nkind = "media"\n', 'folder = "/media/usb"', "destination.folder", 'of "usb" already'),
    ('[[destination]]\nname = "x"\n', 'kind = "stwo"', "destination.kind", 'must be one of "dicom", "stow", "media"'),
    (DESTINATION, "commitment = true", "destination.commitment", "could never report back"),
    (DESTINATION, 'commitment = { host = "localhost" }', "destination.commitment", "true, false or { ae_title, host, port }"),
    (DESTINATION, 'commitment = "yes"', "destination.commitment", "true or false"),
    (DESTINATION, 'query = { ae_title = "Q", host = "q", port = 0 }', "destination.query", "port cannot be used: must be a whole number"),
    (DESTINATION, "commitment_hours = 0", "destination.commitment_hours", "from 1 to 720"),
    (DESTINATION, "commitment_wait_s = 16", "destination.commitment_wait_s", "from 0 to 15"),
    (DESTINATION, "trust_query = true", "destination.trust_query", "set query as well"),
    (DESTINATION, 'required = "yes"', "destination.required", "true or false"),
    (DESTINATION, 'transfer_syntaxes = "1.2.840.10008.1.2"', "destination.transfer_syntaxes", "must be a list"),
    (DESTINATION, 'transfer_syntaxes = ["1.2.3"]', "destination.transfer_syntaxes", '"1.2.3" is not a transfer syntax'),
    (DESTINATION, 'transfer_syntaxes = ["1.2.840.10008.1.2.4.103"]', "destination.transfer_syntaxes", "not in this version"),
    (DESTINATION, 'transfer_syntaxes = ["1.2.840.10008.1.2", "1.2.840.10008.1.2"]', "destination.transfer_syntaxes", "twice"),
    (DESTINATION, "max_object_mb = 0", "destination.max_object_mb", "from 1 to"),
    (DESTINATION, 'url = "https://example.invalid"', "destination.url", 'of kind "stow" only'),
    (DESTINATION, "[destination.tls]", "destination.tls", "ca is missing"),
    (DESTINATION, '[destination.tls]\nca = "system"\ncertificate = "x"', "destination.tls.certificate", "cannot be read"),
    (DESTINATION, "[[destination]]\n" + PEER.format("pacs").replace("10.", "11."), "destination.name", "already"),
    (DESTINATION, "[[destination]]\n" + PEER.format("other"), "destination", 'the same archive as "pacs"'),
    ('[[destination]]\nname = "x"\nae_title = "X"\nhost = "localhost"\n', "port = 11112", "destination.port", "own listener"),
    ('[audit]\nhost = "audit"\ntls = { ca = "system" }\n', "port = 0", "audit.port", "from 1"),
    ('[audit]\nhost = "audit"\n', "tls = { check_name = false }", "audit.tls", "ca is missing"),
    ("[retention]\n", "keep_days = -1", "retention.keep_days", "from 0"),
    ("[retention]\n", "rejected_days = 1e3", "retention.rejected_days", "whole number"),
    ("[retention]\n", "rejected_days = 0", "retention.rejected_days", "from 1"),
    (SOURCE, 'station_ae_title = "ENDO1"', "source.station_ae_title", '"ENDO1" is not in this version'),
    ("[retention]\n", "reserve_mb = 1", "retention.reserve_mb", "from 64"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "line", "key", "reason"), WRONG, ids=[f"{w[2]}: {w[1][:40]!r}" for w in WRONG])
def test_a_mistake_is_named_with_its_line_key_and_reason(problems, before, line, key, reason):
    for shift in ("", "\n# a comment\n\n"):
        text = f"{shift}{before}{line}\n"
        found = [p for p in problems(text) if p.key == key and re.search(reason, p.reason)]
        assert found, problems(text)
        first = (shift + before).count("\n") + 1
        last = first + line.count("\n")
        assert first <= found[0].line <= last


# A mark `#<` says what must be reported on its line: key, words of the reason; nothing else may be.
ALL_AT_ONCE = """
config_version = 9 #< config_version: not in this version
stray = 1 #< stray: unknown key
[station] # every value below is wrong by itself
name = "ULTRASOUND-ROOM-2" #< station.name: 17 characters
ae_title = 'A\\B' #< station.ae_title: backslash
"listen" = "nowhere" #< station.listen: host:port
temporary_id = "EMERG-{time}" #< station.temporary_id: random4
instituton = "Clinic" #< station.instituton: did you mean institution
data_dir = '''
/dev/null'''
[panel]
listen = "0.0.0.0:80" #< panel.listen: nobody signs in there
[release]
when = "later" #< release.when: must be one of "finish", "at-once"
[[source]]
name = "us"
device = "file:missing.mp4" #< source.device: cannot be read
model = '''two lines, one a key = 3
are not printable'''
[[source]] #< source: device is missing
name = "us" #< source.name: called "us" already
crop = [ #< source.crop: must be a whole number
  0, 0,
  9, true,
]
still = 4 #< source.still: must be text
[[trigger]]
kind = "serial"
device = "ttyUSB0" #< trigger.device: full path
source = "usb" #< trigger.source: did you mean us
still = "byte:0x1FF" #< trigger.still: byte:0x00
clip = "key:F1" #< trigger.clip: one of the lines
[[trigger]] #< trigger: device is missing
kind = "pedal" #< trigger.kind: must be
source = "us"
[[sign]] #< sign: lamp is missing
kind = "gpio"
device = "/dev/gpiochip0"
[[procedure_step]] #< procedure_step: port is missing
name = "ris"
ae_title = "RIS"
host = "10.0.0.5"
[[worklist]] #< worklist: port is missing
name = "ris"
ae_title = "" #< worklist.ae_title: must not be empty
host = "10.0.0.5.6" #< worklist.host: host name
days_back = 9999 #< worklist.days_back: from 0 to 365
fallback_charset = "latin1" #< worklist.fallback_charset: character set
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "10.0.0.6"
port = 1e4 #< destination.port: whole number
required = 1 #< destination.required: true or false
[[destination]]
name = "PACS" #< destination.name: already
kind = "tape" #< destination.kind: must be
url = "https://example.invalid/"
[[destination]]
name = "other"
ae_title = "O"
host = "::1"
port = 4242
tls = { ca = "system", key = "b" } #< destination.tls.key: cannot be read
commitment = { ae_title = "X" } #< destination.commitment: true, false or
transfer_syntaxes = ["1.2", #< destination.transfer_syntaxes: not a transfer syntax
  "1.2.840.10008.1.2"]
[retention]
reserve_mb = -1 #< retention.reserve_mb: from 64
[retentoin] #< retentoin: unknown table; did you mean retention
"""


def test_a_media_destination_needs_a_folder_and_nothing_of_an_archive(settings):
    (destination,) = settings(MEDIA + "required = false\n").destinations
    assert (destination.kind, destination.folder, destination.required) == ("media", Path("/media/usb"), False)


def test_every_mistake_of_one_file_is_reported_at_once_each_at_its_line(problems):
    text = ALL_AT_ONCE
    tomllib.loads(text)
    marked = [
        (line, *mark.split(": ", 1))
        for line, words in enumerate(text.split("\n"), 1)
        for mark in words.split("#< ")[1:]
    ]
    marked.append((text[: text.index("data_dir")].count("\n") + 1, "station.data_dir", "not a folder"))
    marked.append((text[: text.index("model")].count("\n") + 1, "source.model", "control characters"))
    found = problems(text)
    assert [(p.line, p.key) for p in found] == sorted((line, key) for line, key, _ in marked)
    for problem, (_, _, reason) in zip(found, sorted(marked), strict=True):
        assert re.search(reason, problem.reason), problem


def test_commitment_needs_a_listener_that_the_archive_can_reach(problems):
    reasons = [p.reason for p in problems(DESTINATION + "commitment = true\n")]
    assert any("10.0.0.6 could never report back" in reason for reason in reasons)
    reachable = '[station]\nlisten = "0.0.0.0:11112"\n'
    assert not any("report back" in p.reason for p in problems(reachable + DESTINATION + "commitment = true\n"))


# --- files that are no configuration -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[station]\nname = \n", 2),
        ("[station]\nname = 'X'\n[station]\n", 3),
        ("a = 1\n\na = 2\n", 3),
        ('a = """\n\n', 1),
        ("a = [1,\n2,\n", 2),
        (b"a = 1\nb = '\xe4'\n", 2),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(problems, text, line):
    [problem] = problems(text)
    assert problem.line == line
    assert problem.key in {"syntax", "file"}
    assert problem.reason


def test_absurd_files_are_refused_and_not_swallowed(problems):
    for text in ("a = " + "[" * 100_000, f"a = {'9' * 5000}", "#" * 1_000_001, "a = 1\0"):
        [problem] = problems(text)
        assert problem.reason


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    assert "No such file" in check(tmp_path / "none.toml")[0].reason
    assert "directory" in check(tmp_path)[0].reason
    hidden = tmp_path / "hidden.toml"
    hidden.write_text("")
    hidden.chmod(0)
    if os.geteuid() == 0:
        assert stat.S_IMODE(hidden.stat().st_mode) == 0  # root reads it all the same
    else:
        assert "Permission denied" in check(hidden)[0].reason


def test_a_refused_file_starts_nothing_and_its_text_names_file_line_and_key(tmp_path):
    path = tmp_path / "scopegate.toml"
    path.write_text("[station]\nnam = 'X'\n[panel]\nlisten = 'x'\n")
    with pytest.raises(ConfigurationError) as caught:
        read(path, {})
    text = str(caught.value)
    assert f"{path}:2: station.nam: unknown key; did you mean name?" in text
    assert f"{path}:4: panel.listen: " in text


def test_a_pipe_or_a_device_in_place_of_a_video_file_is_refused_at_once(problems, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/zero", "."):
        (found,) = problems(f'config_version = 1\n[[source]]\nname = "us"\ndevice = "file:{name}"\n')
        assert "is not a file" in str(found)
