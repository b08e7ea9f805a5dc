"""Sealed objects: the DICOM file, then its seal, then the rows, then the media goes. Never changed afterwards."""

import builtins
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import NotFound, SpoolDamaged, SpoolError, WrongState
from gateway.model import Capture, DeliveryState, SealedObject
from gateway.spool import records
from gateway.spool.database import Database
from gateway.spool.files import Files, Written, locked, sha256_of
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

    def key_stills_of(self, exam: str, clip: str) -> builtins.list[SealedObject]:
        """Return the key stills that were made of a clip of this exam."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT document FROM object WHERE exam = ? AND json_extract(document, '$.derived_from') = ?",
                (exam, clip),
            ).fetchall()
        return [records.load(SealedObject, row["document"]) for row in rows]

    def of_exam(self, exam: str) -> builtins.list[SealedObject]:
        """Return everything that was sealed for an exam, key stills too."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT document FROM object WHERE exam = ?", (exam,)).fetchall()
        return [records.load(SealedObject, row["document"]) for row in rows]

    def write(self, exam: str, uid: str, chunks: Iterable[bytes]) -> Written:
        """Write an object's file durably and read it back. Raises SpoolDamaged when the disk gives other bytes.

        It is not sealed yet: without a seal it is written anew after a restart. Raises WrongState once it is.
        """
        path = self._layout.object(exam, uid)
        if self._layout.seal(exam, uid).exists():
            raise WrongState("This object is sealed and never changes again.")
        written = self._files.write(path, chunks, picture=True)
        if sha256_of(path) != written.sha256:
            raise SpoolDamaged("A DICOM file that was just written reads back differently.")
        return written

    def seal(self, sealed: SealedObject, destinations: Sequence[str]) -> None:
        """Make the written file final: its seal, its row and one delivery a destination."""
        seal = self._layout.seal(sealed.exam, sealed.sop_instance_uid)
        self._files.write(seal, [records.dump(sealed)])
        try:
            self.put_row(sealed, destinations)
        except SpoolError:
            self._files.remove(seal)  # without its row nothing was queued: the next attempt begins anew
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
        with suppress(FileNotFoundError), locked(self._layout.exam_lock(exam)):  # somebody removed the whole exam
            gone = {o.sop_instance_uid for o in objects if self._layout.purged(exam, o.capture).exists()}
            here = [(uid, digest) for uid, digest in sums if uid not in gone]
            lines = (f"{digest}  {uid}{OBJECT}\n".encode("ascii") for uid, digest in here)
            if here:
                self._files.write(self._layout.sums(exam), lines)
            else:
                self._files.remove(self._layout.sums(exam))
        for start in range(0, len(sums), _BATCH):
            uids = [(uid,) for uid, _ in sums[start : start + _BATCH]]
            with self._database.write() as connection:
                connection.executemany(
                    "UPDATE object SET listed = 1 WHERE sop_instance_uid = ? AND listed = 0", uids
                )

    def unlist(self, capture: str) -> None:
        """Have the SHA256SUMS of a capture's exam written anew: its object was let go."""
        with self._database.write() as connection:
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
        # What was made of another object is not the object of that one's capture.
        capture = sealed.sop_instance_uid if sealed.derived_from else sealed.capture
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO object (sop_instance_uid, capture, exam, document) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (sealed.sop_instance_uid, capture, sealed.exam, records.dump(sealed).decode()),
            )
            connection.execute("UPDATE capture SET sealed = 1 WHERE sop_instance_uid = ?", (capture,))
            connection.executemany(
                "INSERT INTO delivery (sop_instance_uid, exam, destination, state, code, reason, "
                "changed_ns, queued_ns, in_doubt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (sealed.sop_instance_uid, sealed.exam, destination, state, code, reason, now, now, in_doubt)
                    for destination in destinations
                ],
            )

    def drop_media(self, capture: Capture) -> None:
        """Remove a capture's media: its sealed object holds the same codestreams."""
        self._files.remove(self._layout.media(capture.exam, capture.media))
        if capture.media.endswith(FRAMES):
            self._files.remove(self._layout.index(capture.exam, capture.sop_instance_uid))
