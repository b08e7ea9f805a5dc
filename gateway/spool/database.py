"""The SQLite index: connections, short transactions, schema. Knows no table by name."""

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

from gateway.errors import DiskFailed, DiskFull, NotFound, SpoolBusy, SpoolDamaged
from gateway.spool.files import Relief

VERSION = 2  # of the last schema_*.sql, kept in user_version; a release only adds
_BUSY_MS = 10_000
_LOOK_MS = 2_000  # longer than any look of ours
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}  # the second: no room for the shared memory's file
_BROKEN = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class _Connection(sqlite3.Connection):
    """A thread's connection; closes itself at the latest when it is collected."""

    inode = 0  # of the index it was opened on

    def __del__(self) -> None:
        self.close()


class _UntilThreadEnds:
    """Closes a connection as soon as its thread is gone: sqlite3's wait for the garbage collector (a cycle)."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def __del__(self) -> None:
        self._connection.close()


class Database:
    """One connection a thread, in WAL mode with every commit flushed (synchronous=FULL)."""

    def __init__(
        self, path: Path, *, checkpoints: bool = False, flushes: bool = True, relief: Relief | None = None
    ) -> None:
        self._path = path
        self._relief = relief  # before a change: a commit that finds no room cannot be tried again
        self._synchronous = "FULL" if flushes else "OFF"  # off: whoever fills a new file flushes it at the end
        self._checkpoints = checkpoints  # the forward process does them for all
        self.damaged = False  # as far as this process saw; `opening.keep_index` mends it
        self._local = threading.local()
        self._opened: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._opening = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Look at one consistent state; never waits for a writer."""
        connection = self._connection()
        with self._translated():
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self, *, patience_ms: int = _BUSY_MS) -> Iterator[sqlite3.Connection]:
        """Change rows in one short transaction: no waiting, no file, no network and at most 200 rows inside.

        Raises SpoolBusy as well when the index was replaced meanwhile: what was written went with the old one, and
        the new one was filled from files that were durable before it was taken away.
        """
        connection = self._connection()
        if self._inode(0) != connection.inode:
            raise SpoolBusy("The index of the box is being made anew.")
        if self._relief:
            self._relief.ease()
        with self._translated():
            connection.execute(f"PRAGMA busy_timeout = {patience_ms:d}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()  # a commit that failed leaves its transaction open
                raise
        if self._inode(0) != connection.inode:
            raise SpoolBusy("The index of the box is being made anew.")

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Let this thread's changes take a row before those that refer to it, and zeros take the place of both."""
        connection = self._connection()
        with self._translated():
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA foreign_keys = OFF")
            try:
                yield
            finally:
                connection.execute("PRAGMA foreign_keys = ON")

    def rewrite(self) -> bool:
        """Write the file anew without what rows that went or changed left in it; empty its log.

        Zeros in the place of a row are not enough: SQLite leaves copies where it moved rows from page to page.
        False when somebody's look kept the log from being emptied. Raises SpoolError.
        """
        connection = self._connection()
        if self._relief:
            self._relief.ease(2 * self._path.stat().st_size)
        with self._translated():
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA temp_store = MEMORY")  # else a copy of it all lies in /var/tmp for a moment
            connection.execute("VACUUM")
            connection.execute(f"PRAGMA busy_timeout = {_LOOK_MS}")
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def version(self) -> int:
        """Return a number that changes when another connection committed (PRAGMA data_version)."""
        with self._translated():
            (number,) = self._connection().execute("PRAGMA data_version").fetchone()
        return int(number)

    def close(self) -> None:
        """Close every thread's connection."""
        with self._opening:
            for connection in list(self._opened):
                connection.close()
            self._local = threading.local()

    def settle(self) -> None:
        """Move everything from the write-ahead log into the file and close."""
        with self._translated():
            self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()

    def migrate(self) -> None:
        """Create the schema in an empty file, or bring an older one up to date."""
        connection = self._connection()
        with self._translated():
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found >= VERSION:  # a newer release only added
                return
            folder = resources.files("gateway.spool")
            for version in range(found + 1, VERSION + 1):  # each whole or not at all
                script = folder.joinpath(f"schema_{version}.sql").read_text("utf-8")
                connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {version}; COMMIT")

    def check(self) -> None:
        """Raise SpoolDamaged when the file is not a sound database with a schema in it."""
        with self._translated():
            (answer,) = self._connection().execute("PRAGMA quick_check(1)").fetchone()
            (found,) = self._connection().execute("PRAGMA user_version").fetchone()
        if answer != "ok" or found == 0:  # an index that was cut to nothing is a sound database, but empty
            raise SpoolDamaged("The index of the spool is damaged.")

    def _connection(self) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection and connection.inode != self._inode(connection.inode):
            connection = None  # another process found the file damaged and put a new one in its place
        if connection is None:
            if not self._path.exists():
                raise SpoolBusy("The index of the box is being made anew.")
            with self._translated():
                connection = self._local.connection = self._connect()
            self._local.until_thread_ends = _UntilThreadEnds(connection)
            with self._opening:
                self._opened.add(connection)
        return connection

    def _connect(self) -> _Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",  # rw: who only looks must not create an empty one
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        if not self._checkpoints:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.inode = self._inode(0)
        return connection

    def _inode(self, absent: int) -> int:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return absent

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                raise NotFound("What this belongs to is not on this box any more.") from error
            raise
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) or 0
            primary = code & 0xFF
            if {code, primary} & _FULL:
                raise DiskFull from error
            if primary in _BROKEN:
                raise DiskFailed(f"The box's index cannot be used ({error.sqlite_errorname}).") from error
            if primary in _DAMAGED:
                self.damaged = True
                raise SpoolDamaged("The index of the spool is damaged.") from error
            if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise SpoolBusy from error
            raise


def put_aside(path: Path) -> list[Path]:
    """Return what `move_aside` made of earlier databases of this name, and halves of new ones."""
    used = {path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"}
    return sorted(found for found in path.parent.glob(f"{path.name}*") if found.name not in used)


def move_aside(path: Path, aside: str) -> None:
    """Rename a database and its companions so that their names end in `aside`."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(path.with_name(f"{path.name}{suffix}.{aside}"))
