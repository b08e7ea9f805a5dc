"""Opening: folders, rights, a missing, damaged, older or newer index, and a disk without room."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFull, SpoolError, SpoolLocked
from gateway.model import MediaKind
from gateway.spool.database import VERSION, Database, move_aside
from gateway.spool.opening import open_spool, rebuild_index
from gateway.spool.paths import Layout
from gateway.spool.processes import locks
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS, add_frames, begin_clip, codestream_of, store, subject


@pytest.fixture
def _appliance_umask() -> object:
    old = os.umask(0o007)
    yield
    os.umask(old)


@pytest.mark.usefixtures("_appliance_umask")
def test_every_process_of_the_group_may_write_what_another_created(
    root: Path, opened: Callable[..., Spool]
) -> None:
    root.mkdir()
    root.chmod(0o2770)  # as the package creates it
    spool = opened()
    exam, _ = spool.exams.open(subject())
    store(spool, exam, 1)
    spool.audit.note("exam-opened", by="panel")
    for path in spool.layout.root.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o060 == 0o060, path.name
        assert mode & 0o007 == 0, path.name
    assert stat.S_IMODE(spool.layout.exam(exam.id).stat().st_mode) & stat.S_ISGID


def test_several_processes_may_open_a_new_data_folder_at_once(root: Path, clock: FakeClock) -> None:
    spools: list[Spool] = []
    start = threading.Barrier(3)

    def begin() -> None:
        start.wait(10)
        spools.append(open_spool(root / "deep" / "er", clock=clock))

    threads = [threading.Thread(target=begin) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(spools) == 3
    exam, _ = spools[0].exams.open(subject())
    assert all(spool.exams.open_one() == exam for spool in spools)
    for spool in spools:
        spool.close()


@pytest.mark.parametrize("damage", ["noise", "zeros", "empty", "short"])
def test_a_damaged_index_is_kept_aside_and_made_anew(
    spool: Spool, reopened: Callable[..., Spool], damage: str
) -> None:
    exam, _ = spool.exams.open(subject())
    capture = store(spool, exam, 1)
    spool.close()
    path = spool.layout.database
    content = path.read_bytes()
    torn = {"noise": b"noise" * 999, "zeros": b"\0" * len(content), "empty": b"", "short": content[:5000]}[damage]
    path.write_bytes(torn)
    again = reopened()
    assert again.exams.get(exam.id) == exam
    assert again.captures.get(capture.sop_instance_uid).capture == capture
    (aside,) = again.layout.root.glob("scopegate.db.damaged-*")
    assert damage == "empty" or aside.read_bytes() == torn  # SQLite writes its header into an empty file


def test_the_log_of_an_old_index_is_never_played_into_a_new_one(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    exam, _ = spool.exams.open(subject())
    log = spool.layout.database.with_name("scopegate.db-wal")
    stale = log.read_bytes()
    assert stale
    spool.close()
    spool.layout.database.unlink()
    log.write_bytes(stale)  # a cut came between the renames of the two
    again = reopened()
    again.database.check()
    assert again.exams.list() == [exam]


def test_an_index_of_a_newer_release_opens(spool: Spool, reopened: Callable[..., Spool]) -> None:
    exam, _ = spool.exams.open(subject())
    with spool.database.write() as connection:
        connection.execute("ALTER TABLE exam ADD COLUMN later TEXT NOT NULL DEFAULT ''")
        connection.execute("CREATE TABLE invented_later (id TEXT) STRICT")
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    again = reopened()
    assert again.exams.get(exam.id) == exam
    store(again, exam, 1)
    assert again.exams.finish(exam.id)
    assert list(spool.layout.root.glob("*damaged*")) == []


def test_a_commanded_rebuild_keeps_the_old_index_and_needs_every_role(
    spool: Spool, root: Path, clock: FakeClock
) -> None:
    exam, _ = spool.exams.open(subject())
    store(spool, exam, 1)
    spool.close()
    layout = Layout(root)
    with locks.role(layout, "panel"), pytest.raises(SpoolLocked):
        rebuild_index(root, clock=clock, destinations=())
    assert list(root.glob("*before-rebuild*")) == []
    assert rebuild_index(root, clock=clock, destinations=("pacs",)) == 1
    (aside,) = root.glob("scopegate.db.before-rebuild-*")
    with sqlite3.connect(aside) as old:
        assert old.execute("SELECT count(*) FROM exam").fetchone() == (1,)
    old.close()
    with_new = open_spool(root, clock=clock)
    assert with_new.exams.list() == [exam]
    with_new.close()


def test_an_index_and_its_companions_are_moved_together(tmp_path: Path) -> None:
    for suffix in ("", "-wal"):
        (tmp_path / f"scopegate.db{suffix}").write_bytes(b"x")
    move_aside(tmp_path / "scopegate.db", "aside")
    assert {path.name for path in tmp_path.iterdir()} == {"scopegate.db.aside", "scopegate.db-wal.aside"}


def test_a_running_process_follows_when_another_makes_the_index_anew(
    spool: Spool, opened: Callable[..., Spool]
) -> None:
    exam, _ = spool.exams.open(subject())
    store(spool, exam, 1)
    move_aside(spool.layout.database, "damaged-test")
    assert spool.exams.open_one() == exam  # until there is a new one, the old one serves
    other = opened()
    finished = other.exams.finish(exam.id)
    assert spool.exams.get(exam.id) == finished
    following, _ = spool.exams.open(subject(BORIS))
    assert other.exams.open_one() == following
    spool.close()
    assert other.exams.open_one() == following
    other.database.check()


# --- the index itself --------------------------------------------------------------------------------------------


def test_a_thread_that_ends_gives_its_connection_back(spool: Spool) -> None:
    def look() -> None:
        spool.exams.list()

    for number in range(30):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        if number == 4:
            before = len(list(Path("/proc/self/fd").iterdir()))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_change_that_fails_leaves_no_half_of_itself(spool: Spool) -> None:
    def half() -> None:
        with spool.database.write() as connection:
            connection.execute("INSERT INTO worklist_server (server) VALUES ('ris')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert spool.worklist.servers() == []
    spool.worklist.replace("ris", [])
    assert len(spool.worklist.servers()) == 1


def test_a_full_index_says_so_and_works_again_when_there_is_room(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    with spool.database.read() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull):
        spool.worklist.replace("ris", many_items())
    with spool.database.read() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    store(spool, exam, 1)
    assert len(spool.captures.of_exam(exam.id)) == 1


def many_items() -> list[object]:
    from tests.unit.spool.test_spool_requests import item  # noqa: PLC0415 - the one use here

    return [item(f"n{number}") for number in range(200)]


def test_a_commit_of_another_process_is_noticed(spool: Spool, opened: Callable[..., Spool]) -> None:
    other = opened()
    seen = spool.database.version()
    assert spool.database.version() == seen
    spool.exams.open(subject())
    assert spool.database.version() == seen  # one's own
    other.worklist.replace("ris", [])
    assert spool.database.version() != seen


def test_only_the_process_that_is_asked_to_moves_the_log_into_the_index(tmp_path: Path) -> None:
    for name in ("quiet.db", "busy.db"):
        (tmp_path / name).touch()
    quiet = Database(tmp_path / "quiet.db")
    with quiet.read() as connection:
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] == 0
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    quiet.close()
    busy = Database(tmp_path / "busy.db", checkpoints=True)
    with busy.read() as connection:
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] > 0
    busy.close()


# --- a disk without room -----------------------------------------------------------------------------------------

SMALL_DISK = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
    sys.exit(77)
if libc.mount(b"tmpfs", sys.argv[1].encode(), b"tmpfs", 0, b"size=1500k"):
    sys.exit(77)
from pathlib import Path
from tests.unit.spool.test_spool_opening import on_a_small_disk
on_a_small_disk(Path(sys.argv[1]))
"""


def test_a_full_disk_refuses_new_pictures_and_loses_none(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may make the small disk that this test fills")
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == 77:
        pytest.skip("this machine lets nobody make the small disk that this test fills")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def on_a_small_disk(folder: Path) -> None:
    """Fill the disk with pictures and a clip, start again while it is full, make room, go on. Prints how many."""
    root, clock = folder / "data", FakeClock()
    spool = open_spool(root, clock=clock)
    exam, _ = spool.exams.open(subject(ANNA))
    writer = begin_clip(spool, exam, 1)
    add_frames(writer, 3)
    writer.sync()
    room = folder / "room"
    room.write_bytes(b"r" * 200_000)
    stored = [store(spool, exam, 2)]
    try:
        while True:
            spool.captures.write_media(exam.id, f"{len(stored)}.ljpg", [b"p" * 20_000])
            stored.append(store(spool, exam, len(stored) + 2))
    except DiskFull:
        pass
    full_to_the_last_byte(folder)
    for act in (
        lambda: spool.captures.write_media(exam.id, "late.ljpg", [b"p" * 9000]),
        lambda: writer.add(b"c" * 9000, time_ns=5, sequence=5),
        lambda: spool.exams.assign(exam.id, subject(BORIS)),
        lambda: spool.audit.note("late", by="panel"),
    ):
        refused(act)
    writer.abandon()
    spool.close()
    full_to_the_last_byte(folder)
    with locks.every_role(Layout(root)):  # a full disk keeps nobody from starting
        open_spool(root, clock=clock).close()
    room.unlink()
    (folder / "filler").unlink()
    spool = open_spool(root, clock=clock)
    recover_captures(spool)
    found = {listed.capture.sop_instance_uid: listed.capture for listed in spool.captures.of_exam(exam.id)}
    for capture in stored:
        assert found.pop(capture.sop_instance_uid) == capture
        assert spool.layout.media(exam.id, capture.media).read_bytes() == codestream_of(capture.sop_instance_uid)
    (clip,) = [capture for capture in found.values() if capture.kind is MediaKind.CLIP]
    assert len(found) <= 2  # the picture whose row met the full disk was durable, only nobody was told
    assert (clip.frames, clip.salvaged) == (3, True)
    assert spool.exams.get(exam.id).patient == ANNA
    store(spool, exam, 1000)
    spool.exams.assign(exam.id, subject(BORIS))
    assert not list(spool.layout.exam(exam.id).glob("late*"))
    spool.close()
    print(len(stored))


def full_to_the_last_byte(folder: Path) -> None:
    with (folder / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"f" * 4096)
        except OSError:
            pass


def refused(act: Callable[[], object]) -> None:
    try:
        act()
    except DiskFull:
        return
    except SpoolError as error:
        raise AssertionError(f"a full disk was called {error.code}") from error
    raise AssertionError("a full disk took something")
