"""Of every file of an image it is said where it comes from and what it may be used for."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.secure import with_tools

CONTENTS = Path(__file__).resolve().parents[2] / "image-build" / "parts" / "contents.py"
STATUS = """\
Package: small
Status: install ok installed
Section: {section}
Architecture: all
Version: 1.0-2
"""
KEPT = """\
[product]
licences = ["Apache-2.0"]
[packages]
not_of_main = []
[wheels]
accepted = ["MIT"]
[wheels.said]
[made]
"""


@pytest.fixture(scope="module")
def tree(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the image's root."""
    folder = tmp_path_factory.mktemp("root")
    subprocess.run(["cp", "--sparse=always", image / "root.erofs", folder], check=True)
    with_tools(image, folder, "fsck.erofs", "--extract=tree", "root.erofs")
    yield folder / "tree"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bill(image: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((image / "bom.cdx.json").read_text())
    return told


@pytest.fixture(scope="module")
def owners(image: Path) -> dict[str, str]:
    return dict(line.split("\t") for line in (image / "files.txt").read_text().splitlines())


def test_every_file_of_the_root_has_a_component(tree: Path, owners: dict[str, str], bill: dict[str, Any]) -> None:
    found = {f"/{path.relative_to(tree)}" for path in tree.rglob("*") if path.is_symlink() or not path.is_dir()}
    own = {f"/usr/share/doc/scopegate/{name}" for name in ("bom.cdx.json", "licences.txt")}
    assert len(found) > 10_000
    assert found - own == set(owners)
    named = {each["name"] for each in bill["components"]} | {bill["metadata"]["component"]["name"]}
    assert set(owners.values()) <= named


def test_the_bill_says_what_somebody_looks_for(owners: dict[str, str], bill: dict[str, Any]) -> None:
    components = {each["name"]: each for each in bill["components"]}
    assert owners["/usr/bin/python3"] == "python3-minimal"
    (pydicom,) = {owner for path, owner in owners.items() if path.endswith("site-packages/pydicom/dataset.py")}
    assert components[pydicom]["hashes"][0]["alg"] == "SHA-256"
    assert components[pydicom]["licenses"] == [{"expression": "MIT"}]
    assert components["chromium"]["purl"].startswith("pkg:deb/debian/chromium@")
    assert any(name.startswith("linux-image-") for name in components)
    assert {"erofs-utils", "systemd-ukify"} <= {each["name"] for each in bill["metadata"]["tools"]["components"]}


def test_each_licence_can_be_read_in_the_image(tree: Path, bill: dict[str, Any]) -> None:
    texts = [
        told["value"]
        for component in bill["components"]
        for told in component["properties"]
        if told["name"] == "scopegate:licence"
    ]
    assert len(texts) == len(bill["components"])
    assert [text for text in texts if not (tree / text[1:]).is_file()] == []
    assert (tree / "usr/share/doc/scopegate/licences.txt").is_file()


class Small:
    """A tree with one package and nothing else."""

    def __init__(self, image: Path, folder: Path) -> None:
        self._image = image
        self.folder = folder
        self.tree = folder / "tree"
        copyright_file = self.tree / "usr/share/doc/small/copyright"
        copyright_file.parent.mkdir(parents=True)
        copyright_file.write_text("Do what you like.\n")
        info = folder / "facts/dpkg/info"
        info.mkdir(parents=True)
        (info / "small.list").write_text("/usr/share/doc/small/copyright\n")
        (folder / "facts/licences.toml").write_text(KEPT)
        for name in ("wheels", "product"):
            (folder / "facts" / name).touch()
        shutil.copy(CONTENTS, folder)
        self.say_section("libs")

    def say_section(self, section: str) -> None:
        (self.folder / "facts/dpkg/status").write_text(STATUS.format(section=section))

    def refusal(self) -> str:
        """Return why this tree is refused; empty when it is not."""
        told = ["--version", "1", "--suite", "trixie", "--date", "1767225600"]
        try:
            with_tools(self._image, self.folder, "python3", "contents.py", "tree", "facts", "/", ".", *told)
        except subprocess.CalledProcessError as error:
            return str(error.stderr.decode())
        return ""


@pytest.fixture
def small(image: Path, tmp_path: Path) -> Small:
    return Small(image, tmp_path)


def test_a_tree_of_which_everything_is_known_is_taken(small: Small) -> None:
    assert small.refusal() == ""
    assert "small 1.0-2" in (small.folder / "licences.txt").read_text()


def test_a_file_from_nowhere_ends_the_build(small: Small) -> None:
    (small.tree / "stray").touch()
    assert "1 files of the image come from nowhere" in small.refusal()


def test_a_package_that_is_not_free_ends_the_build(small: Small) -> None:
    small.say_section("non-free/libs")
    assert "small is of non-free/libs" in small.refusal()


def test_a_package_without_its_licence_ends_the_build(small: Small) -> None:
    (small.tree / "usr/share/doc/small/copyright").unlink()
    assert "no copyright file" in small.refusal()


@pytest.mark.parametrize(
    ("licence", "refusal"), [("License: freeware", "does not name"), ("License-Expression: AGPL-3.0-only", "AGPL")]
)
def test_a_wheel_whose_licence_nobody_looked_at_ends_the_build(small: Small, licence: str, refusal: str) -> None:
    folder = small.tree / "opt/scopegate/.venv/lib/python3.13/site-packages/wheel-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: wheel\nVersion: 1\n{licence}\n")
    (folder / "RECORD").write_text("wheel-1.dist-info/METADATA,,\nwheel-1.dist-info/RECORD,,\n")
    assert refusal in small.refusal()
