"""The long run of the appliance's tests goes on where it ended; what did not pass on this image does not count."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPTION = """\
def pytest_addoption(parser):
    parser.addoption("--appliance")
"""
STORY = """\
import os
def test_the_first_chapter():
    print("a first chapter")
def test_the_second_chapter():
    assert "broken" not in os.environ
"""
OTHER = "def test_of_another_box(): print('another box')\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(OPTION)
    (tmp_path / "test_story.py").write_text(STORY)
    (tmp_path / "test_other.py").write_text(OTHER)
    for name in ("image", "next-image"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "roothash").write_text(name)
    return tmp_path


def run(place: Path, *words: str, image: str = "image", **environment: str) -> str:
    """Return what a run printed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.appliance.parts",
        "-p",
        "no:cacheprovider",
        "-s",
        "-c",
        "/dev/null",
    ]
    return subprocess.run(
        [
            *command,
            "--rootdir",
            str(place),
            "--parts",
            str(place / "parts"),
            "--appliance",
            str(place / image),
            *words,
            str(place),
        ],
        cwd=place,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_what_passed_is_not_run_again_and_adds_up(place: Path) -> None:
    first = run(place, broken="yes")
    assert "1 failed, 2 passed" in first
    assert "in all 1 modules, 1 tests passed" in first
    again = run(place)
    assert "a first chapter" in again  # a story is told from its beginning
    assert "another box" not in again
    assert "2 passed, 1 deselected" in again
    assert "in all 2 modules, 3 tests passed" in again
    assert "3 deselected" in run(place)


def test_what_passed_on_another_image_does_not_count(place: Path) -> None:
    assert "3 passed" in run(place)
    assert "3 passed" in run(place, image="next-image")


def test_a_module_of_which_some_tests_were_left_out_does_not_count(place: Path) -> None:
    assert "in all 0 modules" in run(place, "-k", "first_chapter")
    assert "3 passed" in run(place)
