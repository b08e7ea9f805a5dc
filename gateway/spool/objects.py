"""Sealed objects: the DICOM file, then its seal, then the rows, then the media goes. Never changed afterwards."""

import builtins
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import NotFound, SpoolDamaged, SpoolError, WrongState
from gateway.model import Capture, DeliveryState, SealedObject
from gateway.spool import records
from gateway.spool.database import Database
from gateway.spool.files import Files, Written, locked, sha256_of, still_there
from gateway.spool.paths import FRAMES, OBJECT, Layout

_BATCH = 200  # rows a transaction


class Objects:
    """The table `object`, the sealed files and their seals."""

    def __init__(self, *, layout: Layout, files: Files, database: Database, clock: Clock) -> None:
        self._layout = layout
        self._files = files
        self._database = database
        self._clock = clock

    def path(self, sealed: SealedObject) -> Path:
        return self._layout.object(sealed.exam, sealed.sop_instance_uid)

    def get(self, uid: str) -> SealedObject:
        """Return the sealed object. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute("SELECT document FROM object WHERE sop_instance_uid = ?", (uid,)).fetchone()
        if row is None:
            raise NotFound("There is no such object.")
        return records.load(SealedObject, row["document"])

    def of_capture(self, uid: str) -> SealedObject | None:
        """Return the object that was made of this capture, if it was."""
        with self._database.read() as connection:
            row = connection.execute("SELECT document FROM object WHERE capture = ?", (uid,)).fetchone()
        return None if row is None else records.load(SealedObject, row["document"])

    def made_of(self, uid: str) -> builtins.list[SealedObject]:
        """Return every object that was made of this capture."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT document FROM object WHERE capture = ?", (uid,)).fetchall()
        return [records.load(SealedObject, row["document"]) for row in rows]

    def derived_from(self, exam: str, clip: str) -> builtins.list[SealedObject]:
        """Return what was made of a clip of this exam: key stills, the clip in another form."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT document FROM object WHERE exam = ? AND json_extract(document, '$.derived_from') = ?",
                (exam, clip),
            ).fetchall()
        return [records.load(SealedObject, row["document"]) for row in rows]

    def of_exam(self, exam: str) -> builtins.list[SealedObject]:
        """Return everything that was sealed for an exam, also what was made of its clips."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT document FROM object WHERE exam = ?", (exam,)).fetchall()
        return [records.load(SealedObject, row["document"]) for row in rows]

    def write(self, exam: str, uid: str, chunks: Iterable[bytes]) -> Written:
        """Write an object's file durably and read it back. Raises SpoolDamaged when the disk gives other bytes.

        It is not sealed yet: without a seal it is written anew after a restart. Raises WrongState once it is.
        """
        self._unsealed(exam, [uid])
        with still_there():
            written = self._files.write(self._layout.object(exam, uid), chunks, picture=True)
        if sha256_of(self._layout.object(exam, uid)) != written.sha256:
            raise SpoolDamaged("A DICOM file that was just written reads back differently.")
        return written

    def write_again(self, sealed: SealedObject, chunks: Iterable[bytes]) -> None:
        """Put the lost file of a sealed object back, durably. Raises SpoolDamaged when these are other bytes.

        What there is keeps its name until all of them are on the disk.
        """
        path = self.path(sealed)
        with still_there():
            self._files.write(path, _same_as(sealed, chunks), picture=True)
        if sha256_of(path) != sealed.sha256:
            raise SpoolDamaged("A DICOM file that was just written reads back differently.")

    def is_whole(self, sealed: SealedObject) -> bool:
        """Say whether the file of an object is there and the one that was sealed: it is read as a whole."""
        try:
            return sha256_of(self.path(sealed)) == sealed.sha256
        except OSError:
            return False

    def write_all(self, exam: str, contents: Mapping[str, Iterable[bytes]]) -> None:
        """Write the files of several objects of an exam, by UID, as `write` does. The caller reads them back."""
        self._unsealed(exam, contents)
        files = [(self._layout.object(exam, uid), chunks) for uid, chunks in contents.items()]
        with still_there():
            self._files.write_all(files, picture=True)

    def _unsealed(self, exam: str, uids: Iterable[str]) -> None:
        if any(self._layout.seal(exam, uid).exists() for uid in uids):
            raise WrongState("This object is sealed and never changes again.")

    def seal(self, sealed: SealedObject, destinations: Sequence[str]) -> None:
        """Make the written file final: its seal, its row and one delivery a destination."""
        self.seal_all([(sealed, destinations)])

    def seal_all(self, made: Sequence[tuple[SealedObject, Sequence[str]]]) -> None:
        """Make written files final together, each with its destinations; rows and all, at most 200."""
        documents = [records.dump(each) for each, _ in made]
        seals = [self._layout.seal(each.exam, each.sop_instance_uid) for each, _ in made]
        with still_there():
            self._files.write_all([(seal, [document]) for seal, document in zip(seals, documents, strict=True)])
        try:
            with self._database.write() as connection:
                for (each, destinations), document in zip(made, documents, strict=True):
                    _enter(connection, each, document, destinations, now_ns=self._clock.utc_ns())
        except SpoolError:
            self._files.remove(*seals)  # without their rows nothing was queued: the next attempt begins anew
            raise

    def unlisted(self, limit: int) -> builtins.list[str]:
        """Return exams of which a sealed object does not stand in SHA256SUMS yet."""
        query = "SELECT DISTINCT exam FROM object WHERE listed = 0 LIMIT ?"
        with self._database.read() as connection:
            return [row["exam"] for row in connection.execute(query, (limit,))]

    def write_sums(self, exam: str) -> None:
        """Write an exam's SHA256SUMS anew: its sealed objects for `sha256sum -c`, on any PC, without this product.

        It says again what the seals say, so it may come later than they do: one for many objects. What the box let
        go does not stand in it.
        """
        objects = self.of_exam(exam)
        sums = sorted((each.sop_instance_uid, each.sha256) for each in objects)
        try:
            # What is let go between the look and the row would stand in the list for ever: `unlist` waits.
            with locked(self._layout.exam_lock(exam)):
                gone = {o.sop_instance_uid for o in objects if self._layout.purged(exam, o.capture).exists()}
                here = [(uid, digest) for uid, digest in sums if uid not in gone]
                lines = (f"{digest}  {uid}{OBJECT}\n".encode("ascii") for uid, digest in here)
                if here:
                    self._files.write(self._layout.sums(exam), lines)
                else:
                    self._files.remove(self._layout.sums(exam))
                self._set_listed(sums)
        except NotFound:  # somebody removed the whole exam
            self._set_listed(sums)

    def _set_listed(self, sums: Sequence[tuple[str, str]]) -> None:
        for start in range(0, len(sums), _BATCH):
            uids = [(uid,) for uid, _ in sums[start : start + _BATCH]]
            with self._database.write() as connection:
                connection.executemany(
                    "UPDATE object SET listed = 1 WHERE sop_instance_uid = ? AND listed = 0", uids
                )

    def unlist(self, exam: str, capture: str) -> None:
        """Have an exam's SHA256SUMS written anew: a capture of it was let go, its mark is there."""
        with (
            suppress(NotFound),  # somebody removed the whole exam, its list with it
            locked(self._layout.exam_lock(exam)),
            self._database.write() as connection,
        ):
            connection.execute("UPDATE object SET listed = 0 WHERE capture = ?", (capture,))

    def put_row(
        self,
        sealed: SealedObject,
        destinations: Sequence[str],
        *,
        state: DeliveryState = DeliveryState.QUEUED,
        code: str = "",
        reason: str = "",
        in_doubt: bool = False,
    ) -> None:
        """Write the row of what stands in a seal, and its deliveries; those that exist stay as they are.

        `in_doubt`: see Delivery.
        """
        now = self._clock.utc_ns()
        with self._database.write() as connection:
            _enter(
                connection,
                sealed,
                records.dump(sealed),
                destinations,
                now_ns=now,
                state=state,
                code=code,
                reason=reason,
                in_doubt=in_doubt,
            )

    def drop_media(self, *captures: Capture) -> None:
        """Remove captures' media: their sealed objects hold the same codestreams."""
        media = [self._layout.media(each.exam, each.media) for each in captures]
        clips = [each for each in captures if each.media.endswith(FRAMES)]
        self._files.remove(*media, *(self._layout.index(each.exam, each.sop_instance_uid) for each in clips))


def _same_as(sealed: SealedObject, chunks: Iterable[bytes]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sealed.sha256:
        raise SpoolDamaged(
            "Its file is lost, and what is made of the clip now is not what was sealed.", code="file-missing"
        )


def _enter(
    connection: sqlite3.Connection,
    sealed: SealedObject,
    document: bytes,
    destinations: Sequence[str],
    *,
    now_ns: int,
    state: DeliveryState = DeliveryState.QUEUED,
    code: str = "",
    reason: str = "",
    in_doubt: bool = False,
) -> None:
    """Write the rows of one object within a transaction."""
    # What was made of another object is not the object of that one's capture.
    capture = sealed.sop_instance_uid if sealed.derived_from else sealed.capture
    uid, exam = sealed.sop_instance_uid, sealed.exam
    connection.execute(
        "INSERT INTO object (sop_instance_uid, capture, exam, document) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (uid, capture, exam, document.decode()),
    )
    connection.execute("UPDATE capture SET sealed = 1 WHERE sop_instance_uid = ?", (capture,))
    connection.executemany(
        "INSERT INTO delivery (sop_instance_uid, exam, destination, state, code, reason, in_doubt, "
        "changed_ns, queued_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(uid, exam, destination, state, code, reason, in_doubt, now_ns, now_ns) for destination in destinations],
    )
