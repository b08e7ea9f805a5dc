"""Where things lie in the data folder. Names carry no patient data."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.spool.files import PART

SIDECAR = ".json"
TOMBSTONE = ".rejected"
RELEASED = ".released"
OBJECT = ".dcm"
SEAL = ".seal"
PURGED = ".purged"
MOVED = ".moved"  # to another exam; its number stays used
SIDE = ".side"  # of the body, as a person said after the press
KEY = ".key"  # whether it is a key image, as a person said last
SUMS = "SHA256SUMS"
KEY_STILLS = ".key-stills-"
FRAMES = ".frames"
FILM = ".mp4"  # a clip while it is encoded, then a part of its object
INDEX = ".index"
ERASED = ".erased"  # of a folder: its exam is no more, and what is left of it goes
ERASURE = "erasure"
MARKS = (TOMBSTONE, RELEASED, PURGED, SIDE, KEY, MOVED)  # what was decided of a picture, beside its files
DAMAGED = ".damaged"  # kept for service, used by nobody


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders and files of one spool."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "scopegate.db"

    @property
    def migration_lock(self) -> Path:
        return self.root / "migration.lock"

    @property
    def opening_lock(self) -> Path:
        return self.root / "opening.lock"

    @property
    def reserve(self) -> Path:
        return self.root / "reserve"

    def probe(self, process: str) -> Path:
        return self.root / f"{process}.probe"

    @property
    def self_test(self) -> Path:
        return self.root / "self-test.json"

    @property
    def stored_data(self) -> Path:
        return self.root / "stored-data.json"

    @property
    def exams(self) -> Path:
        return self.root / "exams"

    @property
    def audit(self) -> Path:
        return self.root / "audit.jsonl"

    @property
    def audit_sent(self) -> Path:
        return self.root / "audit.sent"

    @property
    def people(self) -> Path:
        return self.root / "people.json"

    @property
    def first_start(self) -> Path:
        return self.root / "first-start.json"

    def role_lock(self, role: str) -> Path:
        return self.root / f"{role}.lock"

    def exam(self, exam: str) -> Path:
        return self.root.joinpath("exams", exam)

    def erased(self, exam: str) -> Path:
        return self.root.joinpath("exams", exam + ERASED)

    def of_exams(self, pattern: str) -> Iterator[Path]:
        """Yield the files of that name in the exams' folders; what is being erased is nobody's."""
        return (path for path in self.exams.glob(f"*/{pattern}") if not path.parent.name.endswith(ERASED))

    def exam_json(self, exam: str) -> Path:
        return self._in(exam, "exam.json")

    def exam_lock(self, exam: str) -> Path:
        return self._in(exam, ".lock")

    def sidecar(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + SIDECAR)

    def tombstone(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + TOMBSTONE)

    def released(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + RELEASED)

    def purged(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + PURGED)

    def moved(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + MOVED)

    def side(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + SIDE)

    def key(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + KEY)

    def object(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + OBJECT)

    def seal(self, exam: str, uid: str) -> Path:
        return self._in(exam, uid + SEAL)

    def sums(self, exam: str) -> Path:
        return self._in(exam, SUMS)

    def key_stills(self, exam: str, uid: str, count: int) -> Path:
        return self._in(exam, f"{uid}{KEY_STILLS}{count}")

    def frames(self, exam: str, uid: str, *, recording: bool = False) -> Path:
        return self._in(exam, uid + FRAMES + (PART if recording else ""))

    def index(self, exam: str, uid: str, *, recording: bool = False) -> Path:
        return self._in(exam, uid + INDEX + (PART if recording else ""))

    def film(self, exam: str, uid: str) -> Path:
        """A clip that is being encoded: worthless once who made it is gone."""
        return self._in(exam, uid + FILM + PART)

    def unfinished_films(self) -> Iterator[Path]:
        """Yield the clips that were being encoded when somebody was killed."""
        return self.of_exams("*" + FILM + PART)

    def step(self, exam: str, step: str, kind: str) -> Path:
        """What a message about a procedure step says; to release 0.1 it is a DICOM file like any other: kept."""
        return self._in(exam, f"step-{step}.{kind}{OBJECT}")

    def media(self, exam: str, name: str) -> Path:
        return self._in(exam, name)

    def _in(self, exam: str, name: str) -> Path:
        return self.root.joinpath("exams", exam, name)  # in one step: a still asks for its paths thirty times
