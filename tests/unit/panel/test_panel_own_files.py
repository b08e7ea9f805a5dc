"""Secrets and profiles that a change left behind are cleared away, and never one that a configuration names."""

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.config.bundle import Bundle, packed
from gateway.config.changes import Put
from gateway.errors import BadValue
from gateway.panel.own_files import OwnFiles
from tests.unit.panel.conftest import Bench

WRITTEN = """\
[[source]]
name = "ultrasound"
device = "pattern:ultrasound"

[[destination]]
name = "cloud"
kind = "stow"
url = "https://pacs.example/dicom"
"""
PROFILE = b"title = 'Mine'\n"


@pytest.fixture
def box(bench: Bench) -> Bench:
    config(bench).write_text(WRITTEN)
    return bench


def of(bench: Bench) -> Any:
    return bench.watching.app.state.configuring


def config(bench: Bench) -> Path:
    return Path(bench.settings.station.data_dir) / "scopegate.toml"


def left(bench: Bench) -> set[str]:
    """Return what lies in both folders once everything in them is older than an hour and was looked through."""
    files: OwnFiles = of(bench).own_files
    then = bench.clock.now().utc.timestamp() - 2 * 3600
    for path in files_of(bench):
        os.utime(path, (then, then))
    files.clear()
    return {path.name for path in files_of(bench)}


def files_of(bench: Bench) -> list[Path]:
    return [path for folder in of(bench).own_files.folders if folder.is_dir() for path in folder.iterdir()]


def token(bench: Bench, secret: bytes) -> str:
    return str(of(bench).keep_secret(secret))


def name_it(bench: Bench, file: str) -> None:
    configuring = of(bench)
    revision = configuring.state().revision
    change = Put(place=("destination", 0, "token_file"), value=file)
    configuring.write(configuring.tried([change], revision), revision)


def test_a_secret_of_a_change_that_was_given_up_goes_after_an_hour(box):
    token(box, b"given-up")
    of(box).own_files.clear()
    assert len(files_of(box)) == 1  # somebody may be about to use it
    assert left(box) == set()


def test_what_the_file_names_or_one_before_it_names_stays(box):
    first, second = token(box, b"first"), token(box, b"second")
    name_it(box, first)
    name_it(box, second)
    assert left(box) == {Path(first).name, Path(second).name}  # taking the change back needs the first
    for number in range(12):
        configuring = of(box)
        revision = configuring.state().revision
        change = Put(place=("retention", "keep_days"), value=40 + number)
        configuring.write(configuring.tried([change], revision), revision)
    assert left(box) == {Path(second).name}


def test_a_profile_of_a_file_that_was_only_looked_at_goes(box):
    text = WRITTEN.replace('"pattern:ultrasound"', '"pattern:ultrasound"\nprofile = "profiles/mine.toml"')
    raw = packed(Bundle(text=text.encode(), profiles={"profiles/mine.toml": PROFILE}))
    configuring = of(box)
    trial = configuring.tried_file(raw)
    assert len(files_of(box)) == 1
    assert left(box) == set()
    with pytest.raises(BadValue, match="cleared away"):
        configuring.write(trial, configuring.state().revision)
    trial = configuring.tried_file(raw)
    configuring.write(trial, configuring.state().revision)
    assert len(left(box)) == 1


def test_what_a_power_cut_left_half_written_goes_and_what_others_put_there_stays(box):
    folder, _ = of(box).own_files.folders
    folder.mkdir()
    (folder / ("0" * 32 + ".part")).write_bytes(b"ha")
    (folder / "of-an-engineer.txt").write_bytes(b"mine")
    assert left(box) == {"of-an-engineer.txt"}


def test_nothing_goes_while_a_configuration_cannot_be_read(box):
    kept = Path(token(box, b"secret")).name
    config(box).rename(config(box).with_suffix(".away"))
    assert left(box) == {kept}
    config(box).with_suffix(".away").rename(config(box))
    config(box).with_name("scopegate.toml.3").mkdir()  # no file, and nobody knows what it named
    assert left(box) == {kept}
    config(box).with_name("scopegate.toml.3").rmdir()
    assert left(box) == set()
