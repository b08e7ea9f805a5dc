"""docs/recovery.md as it stands: its commands, run by a shell on what a dead box left, find every picture.

Nothing of the product runs here but what makes the data folder: the tools are a PC's.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import imagecodecs
import numpy as np
import pydicom
import pytest

from gateway.clock import Clock
from gateway.model import Equipment
from gateway.spool.opening import open_spool
from tests.dicom_samples import CODECS, MODALITIES, picture
from tests.forward.bench import clip, films, let_go, open_exam, ordered, still, wrap_all
from tests.loopback.peers import StoreScp

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/recovery.md").read_text()
TOOLS = ("dcmdjpls", "dcmdump", "dcmj2pnm", "dcml2pnm", "dcmmkdir", "dump2dcm", "storescu", "sha256sum", "python3")
missing = [tool for tool in TOOLS if not shutil.which(tool)]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}")


def commands(archive: StoreScp, box: Path) -> str:
    """The page's commands in their order, with this box and this archive in them."""
    blocks = re.findall(r"<!-- tested -->\n```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 8
    text = "\n".join(blocks)
    for old, new in (
        ("BOX=/mnt/var/lib/scopegate", f"BOX={box}"),
        ("-aec PACS 10.0.0.6 104", f"-aec {archive.ae_title} 127.0.0.1 {archive.port}"),
        ("storescu", "/usr/bin/storescu"),
        ("split.py", "../../split.py"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def script() -> str:
    (found,) = re.findall(r"\n\n```python\n(import struct.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


class DeadBox:
    """A data folder with a released exam, and an open one of which no DICOM file was made."""

    def __init__(self, folder: Path) -> None:
        spool = open_spool(folder, clock=Clock(), destinations=("pacs",))
        released = open_exam(spool)
        for codec in CODECS:
            still(spool, released, codec=codec)
        clip(spool, released)
        for kind in ("endoscopic", "photographic"):
            clip(spool, released, equipment=Equipment(modality=MODALITIES[kind], object=kind))
        self.film = clip(spool, released, frames=20, clip_as="h264").sop_instance_uid
        self.released = let_go(spool, released)
        assert films(spool).step()
        wrap_all(spool)
        opened = open_exam(spool, ordered("gb18030"))
        self.stills = {
            (codec, samples): still(spool, opened, rows=48, columns=51, codec=codec, samples=samples)
            for codec in CODECS
            for samples in (1, 3)
        }
        self.clip = clip(spool, opened, frames=4)
        self.sealed = {each.sop_instance_uid: each for each in spool.objects.of_exam(self.released.id)}
        self.folder = folder
        spool.close()


def shown(film: Path) -> int:
    """Return how many pictures another program's decoder finds."""
    with av.open(str(film)) as opened:
        return sum(1 for _ in opened.decode(video=0))


@pytest.fixture
def box(tmp_path: Path) -> DeadBox:
    return DeadBox(tmp_path / "box")


@pytest.fixture
def pc(
    tmp_path: Path, box: DeadBox, archive_of_everything: StoreScp
) -> Callable[[], subprocess.CompletedProcess[str]]:
    """A PC, which follows the page."""
    work = tmp_path / "pc"
    work.mkdir()
    (work / "split.py").write_text(script())

    def follow() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-eu", "-c", commands(archive_of_everything, box.folder)],
            cwd=work,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=120,
        )

    return follow


def test_every_picture_of_a_dead_box_is_found_by_the_commands_of_the_page(
    pc: Callable[[], subprocess.CompletedProcess[str]],
    box: DeadBox,
    archive_of_everything: StoreScp,
    tmp_path: Path,
) -> None:
    before = {path: path.read_bytes() for path in sorted(box.folder.rglob("*")) if path.is_file()}
    done = pc()

    assert done.returncode == 0, done.stderr
    assert "DAMAGED" not in done.stdout
    assert "Kanari^Vögelchen" in done.stdout
    assert {path: path.read_bytes() for path in sorted(box.folder.rglob("*")) if path.is_file()} == before
    pictures = {path.name for path in (tmp_path / "pc/copy/pictures").iterdir()}
    stills = [uid for uid, each in box.sealed.items() if each.frames == 1]
    assert len(box.sealed) == len(CODECS) + 4
    assert all(any(name.startswith(uid) for name in pictures) for uid in set(box.sealed) - {box.film})
    (film,) = (tmp_path / "pc/copy/pictures/mp4").glob("*.1.raw")
    assert shown(film) == 20
    assert len(stills) == len(CODECS)
    for uid in box.sealed:
        assert pydicom.dcmread(archive_of_everything.file(uid)).SOPInstanceUID == uid
    records = pydicom.dcmread(tmp_path / "pc/copy/medium/DICOMDIR").DirectoryRecordSequence
    listed = {r.ReferencedSOPInstanceUIDInFile for r in records if r.DirectoryRecordType == "IMAGE"}
    assert listed == set(box.sealed) - {box.film}


def test_the_pictures_that_were_not_sealed_come_out_pixel_for_pixel(
    pc: Callable[[], subprocess.CompletedProcess[str]], box: DeadBox, tmp_path: Path
) -> None:
    assert pc().returncode == 0
    copy = tmp_path / "pc/copy"
    for (codec, samples), record in box.stills.items():
        if codec == "jpeg":  # is one already
            assert (copy / "exams" / record.exam / record.media).suffix == ".jpg"
            continue
        (file,) = (copy / "pictures").glob(f"{record.sop_instance_uid}.p*")
        found = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(found if samples == 1 else found[..., ::-1], picture(48, 51, samples)), codec
    frames = sorted((copy / "exams" / box.clip.exam).glob("*.frames-*.jpg"))
    assert len(frames) == 4
    for frame in frames:
        assert imagecodecs.jpeg8_decode(frame.read_bytes()).shape == (16, 16, 3)


def test_a_damaged_file_is_named_by_the_commands_of_the_page(
    pc: Callable[[], subprocess.CompletedProcess[str]], box: DeadBox
) -> None:
    victim = box.folder / "exams" / box.released.id / f"{next(iter(box.sealed))}.dcm"
    content = bytearray(victim.read_bytes())
    content[200] ^= 1
    victim.write_bytes(content)
    done = pc()

    assert f"{victim.name}: FAILED" in done.stdout
    assert f"DAMAGED: {box.released.id}/" in done.stdout
