"""Media under foreign eyes (DCMTK, dciodvfy), on real file systems that are small, read-only or pulled out."""

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.config.settings import Address, Destination, Settings, Station
from gateway.errors import MediaFull, MediaGone, MediaReadOnly
from gateway.forward import service
from gateway.forward.media import export as media
from gateway.forward.media.progress import Progress
from gateway.model import DeliveryState, Equipment, Exam, Patient, RequestState
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from gateway.threads import Supervisor
from tests.box import until
from tests.dicom_checks import findings, missing_tools, problems
from tests.dicom_samples import MODALITIES, SCRIPTS
from tests.forward.bench import (
    Disk,
    clip,
    deliveries,
    let_go,
    open_exam,
    ordered,
    sealed_exam,
    still,
    typed,
    wrap_all,
)
from tests.forward.media_bench import holds, items, listed, sha256
from tests.loopback.peers import free_port

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {missing_tools()}")
NAME = "usb"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = open_spool(tmp_path / "data", clock=Clock(), destinations=(NAME,))
    yield opened
    opened.close()


class Stick:
    """A file system of its own that can be plugged in, made read-only, and pulled out while it is in use."""

    def __init__(self, place: Path, kilobytes: int = 65_536) -> None:
        self.place = place
        self._size = kilobytes
        place.mkdir(exist_ok=True)

    def plug(self) -> None:
        _run("mount", "-t", "tmpfs", "-o", f"size={self._size}k", "tmpfs", str(self.place))

    def read_only(self) -> None:
        _run("mount", "-o", "remount,ro", str(self.place))

    def pull(self) -> None:
        """Take it away at once, whoever uses it."""
        _run("umount", "-l", str(self.place))


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr.strip()}")


@contextmanager
def plugged(place: Path, kilobytes: int = 65_536) -> Iterator[Stick]:
    stick = Stick(place, kilobytes)
    stick.plug()
    try:
        yield stick
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def in_every_script(spool: Spool) -> list[Exam]:
    """Exams of patients whose orders came in every character set, and of one who was typed."""
    subjects = [
        ordered(script, x00100020=f"P-{n}".encode(), x0020000D=f"1.2.3.{n}".encode())
        for n, script in enumerate(SCRIPTS)
    ]
    subjects.append(typed(Patient(name="Typed^Person", id="T-1", issuer="CLINIC")))
    exams = []
    for subject in subjects:
        exam = open_exam(spool, subject)
        still(spool, exam)
        still(spool, exam, source="second")
        clip(spool, exam)
        exams.append(let_go(spool, exam))
    exam = open_exam(spool, typed(Patient(name="Every^Kind", id="T-2", issuer="CLINIC")))
    for kind, modality in MODALITIES.items():
        equipment = Equipment(modality=modality, object=kind)
        for samples in (1, 3):
            still(
                spool, exam, equipment=equipment, samples=samples, codec="jpeg" if samples == 1 else "uncompressed"
            )
        clip(spool, exam, equipment=equipment)
    exams.append(let_go(spool, exam))
    wrap_all(spool, NAME)
    return exams


@pytest.fixture
def medium(spool: Spool, tmp_path: Path) -> Path:
    folder = tmp_path / "medium"
    folder.mkdir()
    media.export(spool, [exam.id for exam in in_every_script(spool)], folder, by="test", jpeg=True)
    return folder


def dcmtk(*words: str, folder: Path) -> tuple[bytes, list[str]]:
    """Run a tool of DCMTK; return what it says and its warnings."""
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=60)
    noise = [line for line in done.stderr.decode("latin-1").splitlines() if line[:2] in {"W:", "E:", "F:"}]
    assert done.returncode == 0, (words, noise)
    return done.stdout, noise


# --- validators ------------------------------------------------------------------------------------------------


def test_the_validators_find_no_error_on_the_directory_and_on_any_file(medium: Path) -> None:
    assert findings(medium / "DICOMDIR") == []
    for word in ("dcmftest", "dcmdump"):
        assert dcmtk(word, "DICOMDIR", folder=medium)[1] == []
    files = list(listed(medium).values())
    assert len(files) == 3 * (len(SCRIPTS) + 1 + len(MODALITIES))
    for file in files:
        assert problems(file) == []


def test_dciodvfy_would_see_a_broken_directory(medium: Path) -> None:
    path = medium / "DICOMDIR"
    raw = path.read_bytes()
    for old, new in (
        (b"\x10\x00\x20\x00LO", b"\x10\x00\x22\x00LO"),
        (b"IMAGE ", b"IMAGES"),
        (b"\x08\x00\x60\x00CS\x02\x00US", b"\x08\x00\x60\x00CS\x02\x00  "),
    ):
        assert old in raw
        path.write_bytes(raw.replace(old, new))
        assert findings(path), old


def test_dcmtk_makes_the_same_records_of_the_same_files(medium: Path, tmp_path: Path) -> None:
    """dcmmkdir with the profile STD-GEN-USB-JPEG: the same records with the same bytes, apart from the issuer."""
    copy = tmp_path / "copy"
    shutil.copytree(medium, copy)
    (copy / "DICOMDIR").unlink()
    _, noise = dcmtk("dcmmkdir", "-Pfl", "+r", "+id", ".", "DICOM", folder=copy)
    assert noise == []

    every_kind = 1 + 1 + 2 * len(MODALITIES) + 3 * len(MODALITIES)
    assert len(records(medium)) == 5 * (1 + 1 + 3 + 3) + every_kind
    assert records(medium) == records(copy)


def records(folder: Path) -> list[list[str]]:
    """Each record's elements as dcmdump prints them, without what says where it lies."""
    text = dcmtk("dcmdump", "-q", "+L", "+P", "0004,1220", "DICOMDIR", folder=folder)[0].decode("latin-1")
    parts = re.split(r"\(fffe,e000\).*\n", text)[1:]
    found = [re.findall(r"^ *(\([0-9a-f]{4},[0-9a-f]{4}\) .*?) *#", part, re.MULTILINE) for part in parts]
    return sorted([line for line in lines if _compared(line, lines)] for lines in found)


def _compared(line: str, record: list[str]) -> bool:
    """Leave out offsets, the issuer, and the character set of IMAGE records, which have no text."""
    of_image = any("CS [IMAGE]" in each for each in record)
    left_out = ("(0004,1400)", "(0004,1420)", "(0010,0021)", "(fffe", *(["(0008,0005)"] if of_image else []))
    return not line.startswith(left_out)


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path, spool: Spool) -> Callable[..., subprocess.CompletedProcess[str]]:
    config = tmp_path / "scopegate.toml"
    tables = {"station": {"data_dir": str(spool.layout.root), "runtime_dir": str(tmp_path / "run")}}
    lines = [
        f"[{name}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in t.items()) for name, t in tables.items()
    ]
    lines.append(f'[[destination]]\nname = "{NAME}"\nkind = "media"\nfolder = "{tmp_path}/usb"')
    config.write_text("\n".join(lines) + "\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", "export", "--config", str(config), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_the_command_writes_exams_checks_them_and_says_when_the_medium_can_go(
    command: Callable[..., subprocess.CompletedProcess[str]], spool: Spool, tmp_path: Path
) -> None:
    exams = [sealed_exam(spool, NAME, stills=2), sealed_exam(spool, NAME, clips=1)]
    folder = tmp_path / "folder"
    folder.mkdir()
    done = command("--exam", exams[0].id, "--exam", exams[1].id, "--to", str(folder), "--jpeg")

    assert done.returncode == 0, done.stderr
    assert "Copied and checked: 4 objects of 2 exams" in done.stdout
    assert "can be removed now" in done.stdout
    assert holds(folder, items(spool, *exams))
    assert len(list((folder / "JPEG").rglob("*.JPG"))) == 4


def test_the_command_says_in_words_what_does_not_work(
    command: Callable[..., subprocess.CompletedProcess[str]], spool: Spool, tmp_path: Path
) -> None:
    exam, waiting = sealed_exam(spool, NAME), open_exam(spool)
    (tmp_path / "usb").mkdir()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "DICOMDIR").write_bytes(b"another system's")
    for words, status, code in (
        (("--exam", exam.id, "--to", str(tmp_path / "nothing")), 1, "media-absent"),
        (("--exam", exam.id, "--to", str(tmp_path / "usb")), 1, "media-not-mounted"),
        (("--exam", exam.id, "--to", str(tmp_path / "usb" / "below")), 1, "media-not-mounted"),
        (("--exam", exam.id, "--to", str(foreign)), 1, "media-foreign"),
        (("--exam", waiting.id, "--to", str(tmp_path)), 1, "not-sealed"),
        (("--exam", "nothing", "--to", str(tmp_path)), 1, "not-found"),
        (("--exam", exam.id, "--to", str(spool.layout.exam(exam.id))), 1, "bad-value"),
        (("--exam", exam.id), 2, "--to"),
        (("--to", str(tmp_path)), 2, "--exam"),
    ):
        done = command(*words)
        assert done.returncode == status, (words, done.stderr)
        assert code in done.stderr
        assert "removed now" not in done.stdout
    assert not list((tmp_path / "usb").iterdir())


def test_the_command_ends_with_1_when_pictures_are_missing_on_the_medium(
    command: Callable[..., subprocess.CompletedProcess[str]], spool: Spool, tmp_path: Path
) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    bad = still(spool, exam)
    let_go(spool, exam)
    spool.layout.media(exam.id, bad.media).write_bytes(b"no picture")
    wrap_all(spool, NAME)
    (tmp_path / "folder").mkdir()
    done = command("--exam", exam.id, "--to", str(tmp_path / "folder"))

    assert done.returncode == 1
    assert "NOT copied: 1 captures" in done.stdout


# --- real file systems -----------------------------------------------------------------------------------------


def test_a_stick_too_small_for_an_exam_says_so_and_the_box_keeps_everything(spool: Spool, tmp_path: Path) -> None:
    exam = sealed_exam(spool, NAME, stills=3)
    before = {path: sha256(path) for path in spool.layout.root.rglob("*.dcm")}
    with plugged(tmp_path / "usb", kilobytes=64) as stick, pytest.raises(MediaFull):
        media.export(spool, [exam.id], stick.place, by="test")

    assert {path: sha256(path) for path in spool.layout.root.rglob("*.dcm")} == before


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as other, suppress(OSError):
        while True:
            other.write(bytes(4096))


def test_a_stick_that_fills_up_in_the_middle_lists_what_it_listed_before(spool: Spool, tmp_path: Path) -> None:
    """Somebody else writes to it at the same time, so the look before the first byte was right and is no help."""
    first, second = sealed_exam(spool, NAME), sealed_exam(spool, NAME, stills=4)
    with plugged(tmp_path / "usb", kilobytes=4096) as stick:
        media.export(spool, [first.id], stick.place, by="test")

        def somebody(progress: Progress) -> None:
            if progress.bytes_done == 0:
                fill(stick.place / "other")

        with pytest.raises(MediaFull):
            media.export(spool, [second.id], stick.place, by="test", report=somebody)
        assert holds(stick.place, items(spool, first))

        (stick.place / "other").unlink()
        media.export(spool, [second.id], stick.place, by="test")
        assert holds(stick.place, items(spool, first, second))


def test_a_read_only_stick_says_so(spool: Spool, tmp_path: Path) -> None:
    exam = sealed_exam(spool, NAME)
    with plugged(tmp_path / "usb") as stick:
        stick.read_only()
        with pytest.raises(MediaReadOnly):
            media.export(spool, [exam.id], stick.place, by="test")


class PulledBefore(Disk):
    """A stick that is pulled out before one of the file operations."""

    def __init__(self, stick: Stick, operation: int) -> None:
        super().__init__()
        self._stick = stick
        self._left = operation

    def _may(self, what: str, name: str) -> None:
        if self._left == 0:
            self._stick.pull()
        self._left -= 1
        super()._may(what, name)

    def _mkdir(self, path: Path) -> None:
        self._may("mkdir", path.name)
        super()._mkdir(path)


def test_a_stick_pulled_before_any_step_is_missed_and_nothing_lands_on_the_boxs_own_disk(
    spool: Spool, tmp_path: Path
) -> None:
    exam = sealed_exam(spool, NAME, stills=2)
    for operation in range(100):
        with plugged(tmp_path / "usb") as stick:
            disk = PulledBefore(stick, operation)
            try:
                media.export(spool, [exam.id], stick.place, by="test", files=disk)
            except MediaGone:
                assert not list(stick.place.iterdir()), "its folder on the box stays empty"
                continue
            assert holds(stick.place, items(spool, exam)), "it was still there"
            break
    assert operation == len(disk.log)


# --- the delivery ----------------------------------------------------------------------------------------------


@contextmanager
def forwarding(folder: Path, stick: Path) -> Iterator[Callable[[], dict[str, object]]]:
    """Run the forward process with one media destination; yields a look at its live state."""
    settings = Settings(
        station=Station(
            data_dir=folder / "data",
            runtime_dir=folder / "run",
            listen=Address(host="127.0.0.1", port=free_port()),
        ),
        destinations=(Destination(name=NAME, kind="media", folder=stick),),
    )
    supervisor = Supervisor()
    thread = threading.Thread(target=lambda: service.run(settings, clock=Clock(), supervisor=supervisor))
    thread.start()

    def said() -> dict[str, object]:
        path = folder / "run" / "forward.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        return next(iter(found.get("destinations", [])), {})

    try:
        yield said
    finally:
        supervisor.stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_exams_wait_for_the_stick_and_are_sent_when_it_was_plugged_in_and_read_back(
    spool: Spool, tmp_path: Path
) -> None:
    exam = sealed_exam(spool, NAME, stills=2, clips=1)
    stick = Stick(tmp_path / "usb")
    with forwarding(tmp_path, stick.place) as said:
        until("the stick to be missed", lambda: said().get("state") == "absent")
        assert {(d.state, d.code) for d in deliveries(spool, NAME)} <= {
            (DeliveryState.QUEUED, "media-absent"),
            (DeliveryState.QUEUED, ""),
        }
        with plugged(stick.place):
            until(
                "everything to be sent", lambda: {d.state for d in deliveries(spool, NAME)} == {DeliveryState.SENT}
            )
            assert holds(stick.place, items(spool, exam))
            assert findings(stick.place / "DICOMDIR") == []
            until("nothing to be wrong", lambda: said().get("state") == "ok")


def test_an_export_that_was_asked_for_is_made_beside_the_queue_and_says_how_it_ended(
    spool: Spool, tmp_path: Path
) -> None:
    exam = sealed_exam(spool, "pacs", stills=2)
    with plugged(tmp_path / "usb") as stick, forwarding(tmp_path, stick.place):
        asked = {"exams": [exam.id], "destination": NAME, "jpeg": True}
        request = spool.requests.ask(media.EXPORT, asked, deadline_s=60)
        until("the export", lambda: spool.requests.get(request).state in {RequestState.DONE, RequestState.FAILED})

        found = spool.requests.get(request)
        assert found.state is RequestState.DONE, found.answer
        assert (found.answer["objects"], found.answer["left_out"]) == (2, 0)
        assert holds(stick.place, items(spool, exam))
        assert "pacs" in {d.destination for d in spool.deliveries.list()}
