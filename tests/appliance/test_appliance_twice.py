"""Whoever builds an image from the same commit gets the same bytes, and others from anything else."""

import mmap
import os
import subprocess
from pathlib import Path

import pytest

from tests.appliance.secure import with_tools

ROOT = Path(__file__).resolve().parents[2]
BUILD_S = 1800


@pytest.fixture(scope="module")
def again(pytestconfig: pytest.Config) -> Path:
    """The folder of an image that was built anew, in another folder and from packages fetched anew."""
    if not pytestconfig.getoption("--again"):
        pytest.skip("scripts/appliance-tests --anew builds the image once more")
    return Path(pytestconfig.getoption("--again"))


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of files that are not the same, or not in both folders."""
    names = {path.name for folder in (one, other) for path in folder.iterdir()}
    return sorted(
        name for name in names if subprocess.run(["cmp", "-s", one / name, other / name], check=False).returncode
    )


def unsigned(image: Path, folder: Path) -> bytes:
    """Return the boot file as it was before somebody signed it."""
    folder.mkdir()
    (folder / "start.efi").write_bytes((image / "start.efi").read_bytes())
    with_tools(image, folder, "sbattach", "--remove", "start.efi")
    return (folder / "start.efi").read_bytes()


def test_an_image_built_anew_elsewhere_is_the_same_but_for_its_signature(
    image: Path, again: Path, tmp_path: Path
) -> None:
    assert again != image
    assert (again / "roothash").read_text() == (image / "roothash").read_text()
    # A signature has its time; the boot file lies in the other two.
    assert set(differences(image, again)) <= {"start.efi", "esp.img", "disk.img"}
    assert unsigned(image, tmp_path / "one") == unsigned(again, tmp_path / "other")
    signature = offsets(image / "start.efi", again / "start.efi")
    assert signature
    for name in ("esp.img", "disk.img"):
        begin = place_of(image / "start.efi", image / name)
        assert offsets(image / name, again / name) == {begin + each for each in signature}, name


def offsets(one: Path, other: Path) -> set[int]:
    """Return which bytes of two files of one length differ."""
    assert one.stat().st_size == other.stat().st_size
    told = subprocess.run(["cmp", "-l", one, other], capture_output=True, text=True, check=False).stdout
    return {int(line.split()[0]) - 1 for line in told.splitlines()}


def place_of(file: Path, image: Path) -> int:
    """Return where in an image a file begins."""
    with (
        file.open("rb") as part,
        image.open("rb") as whole,
        mmap.mmap(whole.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(part.read(1 << 16))


def test_an_image_of_another_date_is_another(image: Path, again: Path) -> None:
    done = subprocess.run(
        [
            ROOT / "image-build" / "build",
            "--dir",
            again.parent,
            "--profile",
            "test",
            "--keys",
            max(image.parent.glob("keys-*"), key=lambda each: each.stat().st_mtime),  # the same
            "image",
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=BUILD_S,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600"},
    )
    other = Path(done.stdout.strip())
    assert (other / "roothash").read_text() != (image / "roothash").read_text()
    assert {"disk.img", "root.erofs", "start.efi"} <= set(differences(image, other))
