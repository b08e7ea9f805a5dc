"""Pictures that a box carries out onto sticks: a PC reads them with plain tools; what is called whole is so.

Opening and mounting need device-mapper: they are seen in tests/appliance.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.machine import durable
from gateway.machine.encryption.closed import DataClosed
from gateway.machine.programs import ProgramFailed
from gateway.machine.repair import pieces, rescue
from gateway.machine.repair.pieces import Pieces, StickFailed, StickGone
from gateway.machine.repair.rescue import MountedSticks, Rescue, RescuedInPart
from tests.rescued import read_on_a_pc

CODE = "0123-4567-89AB-CDEF-0123-4567-89AB-CDEF"
PATIENT = b"MEIER^Anna"
MB = 1 << 20
FOLDER = "scopegate-rescue-4f2a"


class Folders:
    """Sticks of a few megabytes, one after the other."""

    def __init__(self, place: Path, *, each: int = 100 * MB) -> None:
        self._place = place
        self._each = each
        self._number = 1
        self.is_there = True
        self.happened: list[str] = []
        self.folder.mkdir(parents=True)

    @property
    def folder(self) -> Path:
        return self._place / str(self._number)

    def room(self) -> int:
        return self._each - sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def remount(self) -> None:
        self.happened.append(f"remount {self._number}")

    def next(self) -> None:
        self.happened.append(f"next {self._number}")
        self._number += 1
        self.folder.mkdir()

    def all(self) -> list[Path]:
        return sorted(self._place.iterdir(), key=lambda folder: int(folder.name))

    def pieces(self) -> list[Path]:
        return sorted(self._place.rglob("*.tar.gpg"))


def small_sticks(place: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Return some of which one does not take all."""
    monkeypatch.setattr(pieces, "_LEAST_BYTES", MB)
    monkeypatch.setattr(pieces, "_MARGIN_BYTES", MB // 4)
    return Folders(place / "sticks", each=2 * MB)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["65536" if word == pieces._ROUNDS else word for word in pieces._ENCRYPT]
    monkeypatch.setattr(pieces, "_ENCRYPT", words)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    place = tmp_path / "data/spool"
    for exam, size in (("3bd7cbffc7", 3 * MB), ("9a0", 2 * MB + 77), ("b00", MB)):
        (place / "exams" / exam).mkdir(parents=True)
        (place / "exams" / exam / "2.25.1.dcm").write_bytes(os.urandom(size))
        (place / "exams" / exam / "exam.json").write_bytes(PATIENT)
    (place / "audit.jsonl").write_bytes(b"")
    (place / "reserve").write_bytes(bytes(MB))
    (place / "link").symlink_to("/etc/passwd")
    (place.parent / "lost+found").mkdir()
    return place


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir(mode=0o700)
    return place


def rescued(
    spool: Path, sticks: Folders, home: Path, *, largest: int = MB, said: list[DataClosed] | None = None
) -> DataClosed:
    say: Callable[[DataClosed], None] = (said if said is not None else list[DataClosed]()).append
    pieces = Pieces(sticks, say=say, code=CODE.encode(), token="4f2a", home=home, largest=largest)
    return Rescue(data=spool.parent, pieces=pieces, say=say).run()


def read_back(sticks: Folders, place: Path) -> tuple[Path, str]:
    return read_on_a_pc(sticks.all(), CODE, place)


def files(place: Path) -> dict[str, bytes]:
    found = [path for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(place)): path.read_bytes() for path in found if path.name != "reserve"}


def test_a_piece_and_its_line_have_their_names_on_the_stick_before_the_next_one_begins(
    spool: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sticks, flushed = Folders(tmp_path / "sticks"), list[tuple[str, int, int]]()

    def flush(folder: Path) -> None:
        durable.flush(folder)
        whole, lines = len(sticks.pieces()), (sticks.folder / FOLDER / "SHA256SUMS").read_text().count("\n")
        flushed.append((folder.name, whole, lines))

    monkeypatch.setattr(pieces, "flush", flush)
    assert rescued(spool, sticks, home).code == "rescued"
    assert flushed == [(name, number, number) for number in range(1, 8) for name in (FOLDER, "1")]


@pytest.mark.parametrize("refused", ["", "sync", "systemctl"])
def test_a_stick_may_be_pulled_out_once_it_took_everything_and_was_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    ran: list[str] = []

    def run(words: Sequence[str | Path]) -> bytes:
        ran.append(" ".join(map(str, words)))
        if words[0] == refused:
            raise ProgramFailed(refused, 1, "no")
        return b""

    monkeypatch.setattr(rescue, "run", run)
    said = list[DataClosed]()
    sticks = MountedSticks(clock=FakeClock(), say=said.append, folder=tmp_path)
    state = sticks.after(RescuedInPart("but for 3 files"))
    assert (
        ran == [f"sync --file-system {tmp_path}", "systemctl stop media-usb.mount"][: 1 if refused == "sync" else 2]
    )
    assert state.code == ("rescue-stick-held" if refused else "rescued-in-part")
    assert "names what is missing" in state.safe
    assert ("may be pulled out" in state.action) == (not refused)


@pytest.mark.parametrize(
    ("refused", "there", "said"), [("", "there", None), ("mount", "there", StickFailed), ("stop", "", StickGone)]
)
def test_a_stick_is_mounted_anew_before_it_is_read_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str, there: str, said: type[DataClosed] | None
) -> None:
    """By the number of its device: another one may be in by now. One that cannot be mounted was not pulled out."""
    ran: list[str] = []

    def run(words: Sequence[str | Path]) -> bytes:
        ran.append(" ".join(map(str, words)))
        if refused in words:
            raise ProgramFailed("mount", 1, "no")
        return b""

    monkeypatch.setattr(rescue, "run", run)
    number, usual, again = tmp_path.stat().st_dev, tmp_path / "usual", tmp_path / "again"
    device = tmp_path / f"{os.major(number)}:{os.minor(number)}"
    usual.mkdir()
    if there:
        device.touch()
    sticks = MountedSticks(
        clock=FakeClock(), say=list[DataClosed]().append, folder=usual, again=again, blocks=tmp_path
    )
    with pytest.raises(said) if said else nullcontext():
        sticks.remount()
    whole = [
        f"sync --file-system {usual}",
        "systemctl stop media-usb.mount",
        f"mount --options nosuid,nodev,noexec,noatime {device} {again}",
    ]
    assert ran == whole[: 2 if refused == "stop" else 3]
    assert sticks.folder == (usual if said else again)
    if not said:
        sticks.leave()
        assert ran[3:] == [f"sync --file-system {again}", f"umount {again}"]
        assert sticks.folder == usual


def test_a_pc_with_plain_tools_reads_every_file_that_was_rescued(spool: Path, home: Path, tmp_path: Path) -> None:
    before, sticks, said = files(spool), Folders(tmp_path / "sticks"), list[DataClosed]()
    state = rescued(spool, sticks, home, said=said)
    assert state.code == "rescued"
    assert "in 7 files" in state.what
    assert said[0].what == "The pictures are being rescued: 0 of 6 MB."
    once_more = [state.what for state in said if "once more" in state.what]
    assert once_more[0] == "What is on the stick is read once more: 0 of 6 MB."
    assert len(once_more) == 7
    assert files(spool) == before
    out, words = read_back(sticks, tmp_path / "pc")
    assert files(out / "spool") == before
    assert "DAMAGED" not in words
    assert "the disk gave every file" in words


def test_nothing_on_a_stick_can_be_read_without_the_code_and_no_name_says_whose_it_is(
    spool: Path, home: Path, tmp_path: Path
) -> None:
    sticks = Folders(tmp_path / "sticks")
    rescued(spool, sticks, home)
    names = sorted(path.name for path in sticks.folder.rglob("*"))
    assert names == sorted([FOLDER, "README.txt", "SHA256SUMS", *(f"{n:04d}.tar.gpg" for n in range(1, 8))])
    for piece in sticks.pieces():
        assert PATIENT not in piece.read_bytes()
    other = ["gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", CODE[:-1] + "0", "--decrypt"]
    done = subprocess.run(
        [*other, sticks.pieces()[0]], env={**os.environ, "GNUPGHOME": str(home)}, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert done.stdout == b""


def test_a_byte_that_changed_is_noticed_and_what_lies_in_other_pieces_comes_all_the_same(
    spool: Path, home: Path, tmp_path: Path
) -> None:
    sticks = Folders(tmp_path / "sticks")
    rescued(spool, sticks, home)
    second = sticks.pieces()[1]
    raw = bytearray(second.read_bytes())
    raw[MB // 2] ^= 1
    second.write_bytes(raw)
    out, words = read_back(sticks, tmp_path / "pc")
    assert "0002.tar.gpg: FAILED" in words
    assert "DAMAGED: 0002.tar.gpg" in words
    last = "exams/9a0/2.25.1.dcm"
    assert files(out / "spool")[last] == files(spool)[last]


def test_a_piece_that_is_lost_costs_what_is_in_it_and_what_a_torn_file_hides(
    spool: Path, home: Path, tmp_path: Path
) -> None:
    sticks = Folders(tmp_path / "sticks")
    rescued(spool, sticks, home)
    sticks.pieces()[1].unlink()
    out, words = read_back(sticks, tmp_path / "pc")
    assert "0002.tar.gpg" in words
    last = "exams/b00/2.25.1.dcm"
    assert files(out / "spool")[last] == files(spool)[last]


def test_sticks_that_are_too_small_follow_one_another(
    spool: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sticks = small_sticks(tmp_path, monkeypatch)
    assert rescued(spool, sticks, home).code == "rescued"
    count = len(list((tmp_path / "sticks").iterdir()))
    assert count > 2
    wanted = [f"{what} {number}" for number in range(1, count + 1) for what in ("remount", "next")]
    assert sticks.happened == wanted[:-1]  # each is read once more before it is let go
    assert all((folder / FOLDER / "SHA256SUMS").exists() for folder in (tmp_path / "sticks").iterdir())
    out, words = read_back(sticks, tmp_path / "pc")
    assert files(out / "spool") == files(spool)
    assert "DAMAGED" not in words


@pytest.mark.parametrize("kind", [StickGone, StickFailed])
def test_a_stick_that_takes_no_more_is_said_and_no_piece_is_called_whole(
    spool: Path, home: Path, tmp_path: Path, kind: type[DataClosed], monkeypatch: pytest.MonkeyPatch
) -> None:
    sticks, before = Folders(tmp_path / "sticks"), files(spool)
    fsync, calls = os.fsync, [0]

    def refuses(file: int) -> None:
        calls[0] += 1
        if calls[0] > 4:
            sticks.is_there = kind is StickFailed
            raise OSError(5, "Input/output error")
        fsync(file)

    monkeypatch.setattr(os, "fsync", refuses)
    with pytest.raises(kind):
        rescued(spool, sticks, home)
    assert len(sticks.pieces()) < 7
    assert [path.name for path in sticks.folder.rglob("*.part")]
    assert files(spool) == before


def test_a_stick_that_is_pulled_out_between_two_pieces_is_not_taken_for_a_full_one(
    spool: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sticks = Folders(tmp_path / "sticks")

    def room() -> int:
        sticks.is_there = False  # from the second piece on
        return 100 * MB

    monkeypatch.setattr(sticks, "room", room)
    with pytest.raises(StickGone):
        rescued(spool, sticks, home)
    assert len(sticks.pieces()) == 1
    assert len(sticks.all()) == 1


def test_what_a_repair_found_and_nobody_knows_the_name_of_comes_as_well(
    spool: Path, home: Path, tmp_path: Path
) -> None:
    (spool.parent / "lost+found/#4711").write_bytes(b"a picture")
    shutil.rmtree(spool)
    sticks = Folders(tmp_path / "sticks")
    assert rescued(spool, sticks, home).code == "rescued-in-part"
    out, words = read_back(sticks, tmp_path / "pc")
    assert (out / "lost+found/#4711").read_bytes() == b"a picture"
    assert "spool" in words.splitlines()


def test_a_full_stick_of_which_nobody_knew_is_said(spool: Path, home: Path, tmp_path: Path) -> None:
    """The device of a file system that is full: what gpg writes fails."""
    sticks = Folders(tmp_path / "sticks")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", sticks.folder], check=True)
    try:
        with pytest.raises(StickFailed):
            rescued(spool, sticks, home, largest=8 * MB)
    finally:
        subprocess.run(["umount", sticks.folder], check=True)


def test_a_stick_that_gives_back_other_bytes_than_it_took_is_found_out(
    spool: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says that it is larger than it is."""
    sticks, advise = Folders(tmp_path / "sticks"), os.posix_fadvise

    def forgets(file: int, offset: int, size: int, advice: int) -> None:
        advise(file, offset, size, advice)
        part = next(sticks.folder.rglob("*.part"))
        with part.open("r+b") as out:
            out.seek(MB // 2)
            out.write(bytes(4096))

    monkeypatch.setattr(os, "posix_fadvise", forgets)
    with pytest.raises(StickFailed):
        rescued(spool, sticks, home)
    assert sticks.pieces() == []


def test_a_full_stick_that_cannot_be_mounted_again_is_not_called_pulled_out(
    spool: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sticks = small_sticks(tmp_path, monkeypatch)

    def remount() -> None:
        sticks.is_there = False  # nothing is mounted any more
        raise StickFailed

    monkeypatch.setattr(sticks, "remount", remount)
    with pytest.raises(StickFailed):
        rescued(spool, sticks, home)
    assert len(sticks.all()) == 1


@pytest.mark.parametrize("over", ["0001.tar.gpg", "SHA256SUMS", "names"])
def test_a_stick_that_writes_over_what_came_first_is_found_out_before_it_is_let_go(
    spool: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: str
) -> None:
    """A counterfeit one, which wraps around: each piece was right when it was new."""
    sticks, whole = Folders(tmp_path / "sticks"), list[int]()

    def wraps() -> None:
        whole.append(len(sticks.pieces()))
        if over == "names":
            (sticks.folder / FOLDER).rename(sticks.folder / "FSCK0000.REC")
        else:
            path = sticks.folder / FOLDER / over
            path.write_bytes(os.urandom(path.stat().st_size))

    monkeypatch.setattr(sticks, "remount", wraps)
    with pytest.raises(StickFailed):
        rescued(spool, sticks, home)
    assert whole == [7]


def test_what_the_disk_does_not_give_is_named_and_the_rest_comes(
    spool: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, read = spool / "exams/3bd7cbffc7/2.25.1.dcm", rescue._Whole.read

    def fails(self: rescue._Whole, size: int = -1) -> bytes:
        if self._file.name == str(bad) and self._at >= MB:
            self._file.close()  # seeking in it is an error from now on
            monkeypatch.setattr(self, "_file", _Broken())
        return read(self, size)

    monkeypatch.setattr(rescue._Whole, "read", fails)
    sticks = Folders(tmp_path / "sticks")
    state = rescued(spool, sticks, home)
    assert (state.code, "for 1 files" in state.what) == ("rescued-in-part", True)
    out, words = read_back(sticks, tmp_path / "pc")
    found, before = files(out / "spool"), files(spool)
    name = "exams/3bd7cbffc7/2.25.1.dcm"
    assert f"spool/{name}" in words
    assert found[name] == before[name][:MB].ljust(3 * MB, b"\0")
    assert {**found, name: b""} == {**before, name: b""}


class _Broken:
    """A file whose disk gives an error."""

    name = "broken"

    def seek(self, at: int) -> int:
        raise OSError(5, f"Input/output error at {at}")


def test_the_tools_are_there() -> None:
    assert all(shutil.which(tool) for tool in ("gpg", "tar", "sha256sum"))
