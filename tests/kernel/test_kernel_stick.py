"""A stick that is plugged in is mounted by its unit, gets what waits for it, and may be pulled out at any time."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box import until
from tests.kernel import fat
from tests.kernel.films import film
from tests.kernel.gadgets import Stick, plugged
from tests.kernel.installed import SLOW_S, Installed, run

FILM = Path("/opt/scopegate/film.avi")  # the services have a /tmp of their own
PLACE = Path("/media/usb")
MEGABYTES = 32


@pytest.fixture(scope="module")
def image() -> Path:
    made = Path("/opt/scopegate/stick.img")
    fat.make(made, MEGABYTES)
    return made


@pytest.fixture(scope="module")
def box() -> Iterator[Installed]:
    film(FILM)
    made = Installed(
        [{"name": "us", "device": f"file:{FILM}", "modality": "US"}],
        [{"name": "stick", "kind": "media", "folder": str(PLACE), "required": False}],
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()


def mounted() -> list[str]:
    """Return type and options of what is mounted there; empty while nothing is."""
    found = subprocess.run(
        ["findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", str(PLACE)],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split()


def test_a_stick_is_mounted_as_a_strangers_and_is_gone_when_it_is_pulled_out(image: Path) -> None:
    for _ in range(2):
        with plugged(Stick(image)):
            kind, options = until("the stick to be mounted", mounted)
            assert kind == "vfat"
            assert {"rw", "nosuid", "nodev", "noexec"} <= set(options.split(","))
            assert (PLACE.group(), PLACE.stat().st_mode & 0o777) == ("scopegate", 0o770)
        until("the stick to be gone", lambda: not mounted())


def test_a_file_system_that_nobody_checks_for_strangers_is_not_mounted(tmp_path: Path) -> None:
    image = tmp_path / "ext4.img"
    with image.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    run("mkfs.ext4", "-q", str(image))
    with plugged(Stick(image, serial="STICK2")):
        until("the stick's disk", lambda: "ext4" in run("lsblk", "--noheadings", "--output", "FSTYPE"))
        run("udevadm", "settle")
        assert run("systemctl", "list-jobs", "--no-legend", "media-usb.mount") == ""
        assert not mounted()


def test_what_waits_for_the_stick_is_written_on_it_once_it_is_plugged_in(box: Installed, image: Path) -> None:
    exam = box.open_typed()
    uid = box.still(exam)["sop_instance_uid"]
    box.finish(exam)
    until("the picture to wait", lambda: [d["state"] for d in box.deliveries(exam)] == ["queued"], SLOW_S)
    with plugged(Stick(image)):
        until("the picture to be on it", lambda: [d["state"] for d in box.deliveries(exam)] == ["sent"], SLOW_S)
        listed = (PLACE / "DICOMDIR").read_bytes()
        assert uid.encode() in listed
    until("the stick to be gone", lambda: not mounted())
    with plugged(Stick(image)):  # it was pulled out without a word
        until("the stick to be mounted", mounted)
        assert (PLACE / "DICOMDIR").read_bytes() == listed
