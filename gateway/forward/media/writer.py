"""Writes sealed objects to a medium, reads them back from it, and only then names them in its DICOMDIR.

    DICOMDIR                      last of all; before it, nothing of what was added belongs to the medium
    DICOM/SG000000/I0000001 ...   objects, byte for byte as sealed; JPEG-LS plain
    JPEG/...                      pictures for looking at, when asked for
    README.TXT

A file has its final name only when it is complete and flushed. An object that is there already stays.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from gateway.clock import Clock, Stopwatch
from gateway.dicom import dicomdir, medium_room, part10
from gateway.dicom.dicomdir import Directory, Entry
from gateway.dicom.sealed import SealedFile
from gateway.errors import MediaDamaged, MediaForeign, MediaFull, ObjectError, SpoolDamaged
from gateway.forward.media import forms, jpegs
from gateway.forward.media.contents import DICOMDIR, Contents
from gateway.forward.media.forms import Form, Item
from gateway.forward.media.medium import Medium, sha256_on_medium, translated
from gateway.forward.media.progress import Report, Tracker, unseen
from gateway.log import event
from gateway.model import KEY_OBJECTS, SealedObject
from gateway.spool.files import Files

_log = logging.getLogger(__name__)
_MOST_OBJECTS = 20_000  # on one medium: its directory is read into memory whole, here and by every viewer
_LOOK_S = 0.5  # between two tries to get a medium that somebody else writes
_README = b"""\
This medium holds medical pictures in DICOM form, written by Scopegate.\r
\r
To look at them, open the file DICOMDIR with any DICOM viewer.\r
The folder JPEG, if there is one, has copies for looking at: no diagnosis from these.\r
\r
IT CONTAINS PATIENTS' DATA. Keep it safe; erase it when it is no longer needed.\r
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Check:
    """A file that must read back as this."""

    path: Path
    sha256: str
    is_object: bool
    is_picture: bool = False


class Writing:
    """One session on a medium: `put` what is to be there, then `finish`. Without `finish` the medium is as it was.

    Raises MediaError. Whatever it raises, the box's own files and rows were not touched.
    """

    def __init__(
        self,
        folder: Path,
        items: Sequence[Item],
        *,
        files: Files,
        clock: Clock,
        report: Report = unseen,
        jpeg: bool = False,
        stop: threading.Event | None = None,
        wait_s: float = 0,
        most: int = _MOST_OBJECTS,
    ) -> None:
        self._medium = Medium(folder, wait=self._wait)
        self._root = folder  # replaced by what was opened
        self._items = items
        self._files = files
        self._clock = clock
        self._stop = stop or threading.Event()
        self._wait_s = wait_s  # for another writer of this medium
        self._watch = Stopwatch(clock)
        self._jpeg = jpeg
        self._most = most
        self._opened = ExitStack()
        total = sum(item.sealed.bytes for item in items) * 2
        self.progress = Tracker(
            objects=len(items),
            pictures=sum(map(_is_picture, items)),
            total=total,
            clock=clock,
            report=report,
            stop=self._stop,
        )
        self._checks: list[_Check] = []
        self._entries: dict[str, Entry] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._root = opened.enter_context(self._medium).root
            with translated():
                self._contents = Contents(self._root, self._clock)
                for half in self._contents.halves:  # it takes room, and may hold pieces of a picture
                    self._files.remove(half)
            self._room()
            self.progress.say()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def put(self, item: Item) -> None:
        """Have one object on the medium. Raises SpoolDamaged or ObjectError when the box's file is not sound."""
        self._medium.check()
        with _on_the_box():
            form = forms.form_of(item)
        there = self._already_there(form.sealed)
        path = there or self._written(form)
        try:
            with _on_the_box(), SealedFile(item.path) as file:
                plain = replace(file.meta, transfer_syntax_uid=part10.EXPLICIT_LE)
                meta = file.meta if form.plain is None else plain
                entry = dicomdir.entry(path.relative_to(self._root).parts, meta, file.header)
        except ObjectError:
            if there is None:
                self._remove(path)
            raise
        self._checks.append(
            _Check(path=path, sha256=form.sealed.sha256, is_object=True, is_picture=_is_picture(item))
        )
        self._entries[entry.sop_instance_uid] = entry
        if self._jpeg and _is_picture(item):
            self._put_jpeg(item)

    def finish(self) -> None:
        """Read everything back and write the DICOMDIR: only when this returns is it on the medium."""
        for check in self._checks:
            self._read_back(check)
        with translated():
            if not (self._root / "README.TXT").exists():
                self._files.write(self._root / "README.TXT", [_README])
        raw = dicomdir.encode(
            Directory(file_set_uid=self._contents.directory.file_set_uid, entries=self._all_entries())
        )
        self._medium.check()
        with translated():
            written = self._files.write(self._root / DICOMDIR, [raw])
        self._medium.flush()
        self._read_back(_Check(path=self._root / DICOMDIR, sha256=written.sha256, is_object=False))
        self._medium.check()
        self.progress.say()
        event(_log, "medium_written", objects=len(self._entries), bytes=sum(i.sealed.bytes for i in self._items))

    def _wait(self) -> bool:
        """Wait a little for the writer that has the medium; False when that was long enough."""
        return self._watch.seconds < self._wait_s and not self._clock.wait(self._stop, _LOOK_S)

    # --- what is there ------------------------------------------------------------------------------------

    def _room(self) -> None:
        """Refuse before the first byte what cannot fit. Raises MediaFull."""
        room = self._medium.room()
        known = self._contents.uids
        if len(known | {item.sealed.sop_instance_uid for item in self._items}) > self._most:
            raise MediaFull(f"A medium holds at most {self._most} objects.", action="Use another medium.")
        new = [
            medium_room.of_object(i.sealed, i.path) for i in self._items if i.sealed.sop_instance_uid not in known
        ]
        new = [size for size in new if not self._contents.has_size(size)]
        needed = sum(map(room.needed, new)) + len(self._all_entries()) * medium_room.PER_ENTRY
        needed += medium_room.MARGIN * bool(new)
        if self._jpeg:
            needed += sum(medium_room.of_copies(item.sealed) for item in self._items)
        if needed > room.free:
            raise MediaFull

    def _already_there(self, sealed: SealedObject) -> Path | None:
        """Return the file on the medium that holds this very object."""
        for path in self._contents.candidates(sealed):
            if sha256_on_medium(path, lambda _: self.progress.moved(0)) == sealed.sha256:
                self.progress.moved(sealed.bytes)
                return path
        return None

    # --- writing ------------------------------------------------------------------------------------------

    def _written(self, form: Form) -> Path:
        path = self._contents.new_file()
        self._folder(path.parent.parent)
        self._folder(path.parent)
        with translated():
            written = self._files.write(path, self._counted(form))
        if written.sha256 != form.sealed.sha256:
            self._remove(path)
            raise SpoolDamaged("The DICOM file of this picture is not the one that was sealed.")
        return path

    def _remove(self, path: Path) -> None:
        with translated():
            self._files.remove(path)

    def _folder(self, folder: Path) -> None:
        if folder.is_symlink():  # it could lead to anywhere on the box
            raise MediaForeign("The medium has a link where a folder of ours should be; it was left as it is.")
        with translated():
            if not folder.is_dir():
                self._files.make_folder(folder)

    def _counted(self, form: Form) -> Iterator[bytes]:
        for piece in _off_the_box(form.pieces()):
            yield piece
            self.progress.moved(len(piece))

    def _put_jpeg(self, item: Item) -> None:
        with _on_the_box():
            picture = jpegs.copy_of(item.path)
        folder = self._root / "JPEG" / jpegs.folder_name(item.sealed.exam, picture)
        self._folder(folder.parent)
        self._folder(folder)
        self._put_copy(folder / picture.name, [picture.content])
        if picture.film:
            film = _off_the_box(jpegs.film_pieces(item.path, picture.film))
            self._put_copy((folder / picture.name).with_suffix(".MP4"), film)

    def _put_copy(self, path: Path, pieces: Iterable[bytes]) -> None:
        with translated():
            written = self._files.write(path, pieces)
        self._checks.append(_Check(path=path, sha256=written.sha256, is_object=False))

    # --- the end ------------------------------------------------------------------------------------------

    def _read_back(self, check: _Check) -> None:
        counted: Callable[[int], None] = self.progress.moved if check.is_object else lambda _: None
        if sha256_on_medium(check.path, counted) != check.sha256:
            raise MediaDamaged
        if check.is_object:
            self.progress.object_checked(is_picture=check.is_picture)

    def _all_entries(self) -> tuple[Entry, ...]:
        kept = [entry for entry in self._contents.directory.entries if entry.sop_instance_uid not in self._entries]
        return (*kept, *self._entries.values())


def _is_picture(item: Item) -> bool:
    """Say whether it is one; a list of key images is none."""
    return item.sealed.sop_class_uid != KEY_OBJECTS


def _off_the_box(pieces: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        with _on_the_box():
            piece = next(pieces, b"")
        if not piece:
            return
        yield piece


@contextmanager
def _on_the_box() -> Iterator[None]:
    """Lay what fails here at the door of the box, not of the medium."""
    try:
        yield
    except OSError as error:
        raise SpoolDamaged(
            f"An object's file cannot be read ({type(error).__name__}).", code="file-missing"
        ) from error
