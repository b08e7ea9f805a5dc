"""Which slot a Raspberry Pi starts: what RAUC asks and sets, and how a start knows where it came from."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOX = ROOT / "image-build" / "tree" / "box" / "usr" / "lib"
SLOT = BOX / "dracut" / "modules.d" / "80scopegate" / "scopegate-slot"


class Pi:
    """The partition of autoboot.txt, as a new image has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "autoboot.txt").write_text((ROOT / "image-build" / "pi" / "autoboot.txt").read_text())

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "SCOPEGATE_PI": str(self.folder)}
        words = (str(BOX / "scopegate" / "pi-slots"), *words)
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    def says(self, *words: str) -> str:
        done = self.ask(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def test_a_new_image_starts_from_its_first_slot(pi: Pi) -> None:
    assert pi.says("get-primary") == "a"
    assert (pi.says("get-state", "a"), pi.says("get-state", "b")) == ("good", "good")


def test_the_chosen_slot_is_the_one_that_the_firmware_reads(pi: Pi) -> None:
    pi.says("set-primary", "b")
    assert pi.says("get-primary") == "b"
    text = (pi.folder / "autoboot.txt").read_text()
    assert text == "[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n"
    assert len(text) < 512  # of which the firmware reads no more
    pi.says("set-primary", "a")
    assert (pi.folder / "autoboot.txt").read_text() == (ROOT / "image-build/pi/autoboot.txt").read_text()


def test_a_slot_that_turned_out_bad_gives_way_to_the_other(pi: Pi) -> None:
    pi.says("set-primary", "b")
    pi.says("set-state", "b", "bad")
    assert (pi.says("get-state", "b"), pi.says("get-primary")) == ("bad", "a")
    pi.says("set-state", "b", "good")
    assert pi.says("get-state", "b") == "good"


def test_the_last_slot_that_may_start_stays(pi: Pi) -> None:
    pi.says("set-state", "b", "bad")
    pi.says("set-state", "a", "bad")
    assert pi.says("get-primary") == "a"


@pytest.mark.parametrize("words", [("set-primary", "c"), ("set-state", "a", "odd"), ("get-state",), ("erase",), ()])
def test_what_it_does_not_know_changes_nothing(pi: Pi, words: tuple[str, ...]) -> None:
    before = (pi.folder / "autoboot.txt").read_text()
    assert pi.ask(*words).returncode == 2
    assert [path.name for path in pi.folder.iterdir()] == ["autoboot.txt"]
    assert (pi.folder / "autoboot.txt").read_text() == before


def started_from(tmp_path: Path, partition: int) -> str:
    """Return the slot that a start finds out, whose firmware read this partition."""
    told = tmp_path / "tree" / "chosen" / "bootloader"
    told.mkdir(parents=True)
    (told / "partition").write_bytes(partition.to_bytes(4, "big"))
    script = SLOT.read_text()
    for there, here in (
        ("/proc/device-tree", tmp_path / "tree"),
        ("/usr/lib/scopegate/layout", BOX / "scopegate" / "layout"),
        ("/run/", tmp_path / "run"),
    ):
        assert there in script
        script = script.replace(there, f"{here}/" if there.endswith("/") else str(here))
    (tmp_path / "run").mkdir()
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    return (
        (tmp_path / "run" / "scopegate-slot").read_text().strip() if done.returncode == 0 else done.stderr.strip()
    )


def test_a_start_of_a_pi_knows_its_slot_by_the_device_tree(tmp_path: Path) -> None:
    assert started_from(tmp_path / "first", 2) == "a"
    assert started_from(tmp_path / "second", 3) == "b"
    assert "none of this box" in started_from(tmp_path / "third", 1)
