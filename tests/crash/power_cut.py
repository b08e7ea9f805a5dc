"""What a power cut may leave of recorded file operations. Knows disks; knows nothing of exams or pictures.

Worst case by fsync(2): a file's bytes are safe once the file was flushed, a name once its folder was. Everything
else may be there or not: bytes kept, lost, torn or read as zeros, names kept or lost one by one.

    recording = Recording(folder)                # the `Files` that the product is given
    ...                                          # drive the product; ack(recording, fact) after each promise
    for cut in for_each_cut(recording):          # every prefix, every variant
        cut.materialise(elsewhere)               # then start the product there and compare with cut.facts
"""

import fcntl
import hashlib
import os
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.spool.files import Files
from tests.memory import folder_in_memory

Entry = int | str  # a file's number, or a folder's path
Tree = dict[str, bytes | None]  # path to content, None = folder
_LEADS_TO = b"\0symlink:"  # how the model holds a symbolic link


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of names in a folder: `gone` is removed, then `name` points to `entry`."""

    gone: str = ""
    name: str = ""
    entry: Entry = 0

    def apply(self, names: dict[str, Entry]) -> None:
        if self.gone:
            names.pop(self.gone, None)
        if self.name:
            names[self.name] = self.entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One recorded operation; which fields count depends on `kind`."""

    kind: str  # change, write, truncate, sync, sync-folder, ack, keep
    path: str = ""  # of the folder, or of what is kept
    change: Change = field(default_factory=Change)
    file: int = 0
    offset: int = 0
    data: bytes = b""
    fact: Any = None


class Recording(Files):
    """Does what `Files` does and writes down every operation. `root` may hold files already: they are safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log: list[Operation] = []
        self._numbers: dict[int, int] = {}  # inode of the real disk to file number
        self._moved: dict[str, str] = {}  # a folder's present path to the one it was made under
        self._count = 0
        self._lock = threading.RLock()
        for path in sorted(root.rglob("*")) if root.exists() else ():
            self._record_existing(path)

    def note(self, operation: Operation) -> None:
        with self._lock:
            self.log.append(operation)

    def _mkdir(self, path: Path) -> None:
        with self._lock:
            super()._mkdir(path)
            self._name(path, Change(name=path.name, entry=self._key(path)))

    def _create(self, path: Path, *, keep: bool = False) -> int:
        with self._lock:
            new = not path.exists()
            fd = super()._create(path, keep=keep)
            if new:
                self._name(path, Change(name=path.name, entry=self._new_number(os.fstat(fd).st_ino)))
            elif not keep:
                self.note(Operation(kind="truncate", file=self._number(fd)))
            return fd

    def _create_own(self, path: Path, mode: int) -> int:
        with self._lock:
            fd = super()._create_own(path, mode)
            self._name(path, Change(name=path.name, entry=self._new_number(os.fstat(fd).st_ino)))
            return fd

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        with self._lock:
            growing = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND
            offset = os.fstat(fd).st_size if growing else os.lseek(fd, 0, os.SEEK_CUR)
            super()._write(fd, data)
            self.note(Operation(kind="write", file=self._number(fd), offset=offset, data=bytes(data)))

    def _sync(self, fd: int) -> None:
        with self._lock:
            super()._sync(fd)
            self.note(Operation(kind="sync", file=self._number(fd)))

    def _truncate(self, fd: int, size: int) -> None:
        with self._lock:
            super()._truncate(fd, size)
            self.note(Operation(kind="truncate", file=self._number(fd), offset=size))

    def _rename(self, old: Path, new: Path) -> None:
        assert old.parent == new.parent, "a rename across folders has no model here"
        with self._lock:
            is_folder = old.is_dir() and not old.is_symlink()
            entry: Entry = self._key(old) if is_folder else self._numbers[old.lstat().st_ino]
            super()._rename(old, new)
            self._name(new, Change(gone=old.name, name=new.name, entry=entry))
            if is_folder:
                self._moved[str(new.relative_to(self.root))] = str(entry)

    def _link(self, old: Path, new: Path) -> None:
        with self._lock:
            super()._link(old, new)
            self._name(new, Change(name=new.name, entry=self._numbers[old.stat().st_ino]))

    def _symlink(self, target: str, path: Path) -> None:
        """Where it leads comes to the disk with its name, as ext4 has it."""
        with self._lock:
            super()._symlink(target, path)
            number = self._new_number(path.lstat().st_ino)
            self.note(Operation(kind="write", file=number, data=_LEADS_TO + target.encode()))
            self.note(Operation(kind="sync", file=number))
            self._name(path, Change(name=path.name, entry=number))

    def _unlink(self, path: Path) -> None:
        with self._lock:
            super()._unlink(path)
            self._name(path, Change(gone=path.name))

    def _rmdir(self, path: Path) -> None:
        with self._lock:
            super()._rmdir(path)
            self._name(path, Change(gone=path.name))

    def _sync_folder(self, path: Path) -> None:
        with self._lock:
            super()._sync_folder(path)
            self.note(Operation(kind="sync-folder", path=self._key(path)))

    # --- inside -------------------------------------------------------------------------------------------

    def _name(self, path: Path, change: Change) -> None:
        self.note(Operation(kind="change", path=self._key(path.parent), change=change))

    def _key(self, path: Path) -> str:
        """Return a folder's path under the root; "" is the root, "/" what lies above it and outlives every cut."""
        if not path.is_relative_to(self.root):
            return "/"
        found = str(path.relative_to(self.root)).removeprefix(".")
        return self._moved.get(found, found)

    def _number(self, fd: int) -> int:
        return self._numbers[os.fstat(fd).st_ino]

    def _new_number(self, inode: int) -> int:
        self._count += 1
        self._numbers[inode] = self._count  # the real disk uses inodes again, the model never
        return self._count

    def _record_existing(self, path: Path) -> None:
        if path.is_dir():
            self._name(path, Change(name=path.name, entry=self._key(path)))
        else:
            number = self._new_number(path.stat().st_ino)
            self._name(path, Change(name=path.name, entry=number))
            self.note(Operation(kind="write", file=number, data=path.read_bytes()))
            self.note(Operation(kind="sync", file=number))
        self.note(Operation(kind="sync-folder", path=self._key(path.parent)))


class FilesNeverFlushed(Recording):
    """A product whose author flushes folders and forgot fsync of files."""

    def _sync(self, fd: int) -> None:
        del fd


class NamesNeverFlushed(Recording):
    """A product whose author flushes files and forgot their folders."""

    def _sync_folder(self, path: Path) -> None:
        del path


def ack(recording: Recording, fact: Any) -> None:
    """Put a promise into the log: from here on it must hold after every cut."""
    recording.note(Operation(kind="ack", fact=fact))


def keep(recording: Recording, name: str, content: bytes) -> None:
    """Put a file into the log that somebody else keeps consistent, as it is now: later cuts may find it so."""
    recording.note(Operation(kind="keep", path=name, data=content))


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """What becomes of what was not flushed. `data`: lost, kept or mixed; `names`: likewise."""

    names: str
    data: str
    kept: bool = False  # with one of the files given to `keep`, any earlier one


VARIANTS = (
    Variant(names="lost", data="lost"),
    Variant(names="kept", data="kept"),
    Variant(names="kept", data="lost"),
    Variant(names="mixed", data="mixed"),
    Variant(names="mixed", data="mixed"),
    Variant(names="lost", data="lost", kept=True),
    Variant(names="kept", data="mixed", kept=True),
)
FOR_CONTROLS = (VARIANTS[2], VARIANTS[3])  # enough to catch who flushes nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """One state in which a power cut may leave the disk, and what was promised by then, in order."""

    position: int
    variant: Variant
    tree: Tree
    facts: Sequence[Any]

    @property
    def digest(self) -> bytes:
        """Equal for equal disks."""
        parts = hashlib.sha256()
        for path, content in sorted(self.tree.items()):
            parts.update(repr((path, content)).encode())
        return parts.digest()

    def materialise(self, folder: Path) -> None:
        """Write this state of the disk into an empty folder."""
        for path, content in sorted(self.tree.items()):
            if content is None:
                (folder / path).mkdir()
            elif content.startswith(_LEADS_TO):
                (folder / path).symlink_to(content.removeprefix(_LEADS_TO).decode())
            else:
                (folder / path).write_bytes(content)


def for_each_cut(
    recording: Recording, *, variants: Sequence[Variant] = VARIANTS, seed: int = 1, without: Sequence[str] = ()
) -> Iterator[Cut]:
    """Yield a cut after every prefix of the recorded operations in every variant; equal disks of a prefix once.

    Files of the root whose names begin with a word of `without` are left out: others keep them.
    """
    dice = random.Random(seed)
    disk = _Disk()
    facts: list[Any] = []
    kept: list[tuple[str, bytes]] = []
    for position, operation in enumerate((Operation(kind="start"), *recording.log)):
        if operation.kind == "ack":
            facts.append(operation.fact)
        elif operation.kind == "keep":
            kept.append((operation.path, operation.data))
        else:
            disk.apply(operation)
        seen = set()
        for variant in variants:
            if variant.kept and not kept:
                continue
            tree = disk.tree(variant, dice)
            tree = {path: value for path, value in tree.items() if not path.startswith(tuple(without))}
            if variant.kept:
                name, content = dice.choice(kept)
                tree[name] = content
            cut = Cut(position=position, variant=variant, tree=tree, facts=tuple(facts))
            if cut.digest not in seen:
                seen.add(cut.digest)
                yield cut


@dataclass(kw_only=True, slots=True)
class Tally:
    """What cuts of the power left. A story that counts more has a class of its own, which begins with this one."""

    cuts: int = 0
    disks: set[bytes] = field(default_factory=set)  # the digests of those that differ
    problems: list[str] = field(default_factory=list)


def for_each_disk(
    recording: Recording, tally: Tally, *, begin: int, variants: Sequence[Variant] = VARIANTS
) -> Iterator[tuple[Cut, Path]]:
    """Yield each different disk that a cut from operation `begin` on leaves, once, in a folder that goes again."""
    for cut in for_each_cut(recording, variants=variants, without=("scopegate.db",)):
        if cut.position < begin:
            continue
        tally.cuts += 1
        if cut.digest in tally.disks:
            continue
        tally.disks.add(cut.digest)
        with folder_in_memory() as folder:
            cut.materialise(folder)
            yield cut, folder


@dataclass(slots=True)
class _File:
    """A file's bytes: what is safe, and what was done since."""

    safe: bytes = b""
    pending: list[Operation] = field(default_factory=list)

    def content(self, how: str, dice: random.Random) -> bytes:
        if how == "lost" or not self.pending:
            return self.safe
        pending = self.pending
        torn = how == "mixed" and dice.random() < 0.5
        if torn:
            pending = pending[: dice.randint(0, len(pending))]
        content = bytearray(self.safe)
        for number, operation in enumerate(pending):
            data = operation.data
            if operation.kind == "truncate":
                del content[operation.offset :]
                continue
            if torn and number == len(pending) - 1:
                data = data[: dice.randint(0, len(data))]
            elif how == "mixed" and not torn and dice.random() < 0.5:
                data = bytes(len(data))  # its size came to the disk, its bytes did not
            content.extend(bytes(max(0, operation.offset - len(content))))
            content[operation.offset : operation.offset + len(data)] = data
        return bytes(content)


@dataclass(slots=True)
class _Folder:
    """A folder's names: what is safe, and what was changed since."""

    safe: dict[str, Entry] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def names(self, how: str, dice: random.Random) -> dict[str, Entry]:
        names = dict(self.safe)
        for change in self.pending:
            if how == "kept" or (how == "mixed" and dice.random() < 0.5):
                change.apply(names)
        return names


class _Disk:
    """The disk after some operations."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._folders: dict[str, _Folder] = {"": _Folder()}

    def apply(self, operation: Operation) -> None:
        if operation.kind == "change":
            self._folders.setdefault(operation.path, _Folder()).pending.append(operation.change)
        elif operation.kind in {"write", "truncate"}:
            self._files.setdefault(operation.file, _File()).pending.append(operation)
        elif operation.kind == "sync":
            file = self._files.setdefault(operation.file, _File())
            file.safe, file.pending = file.content("kept", random.Random(0)), []
        elif operation.kind == "sync-folder":
            folder = self._folders.setdefault(operation.path, _Folder())
            folder.safe, folder.pending = folder.names("kept", random.Random(0)), []

    def tree(self, variant: Variant, dice: random.Random) -> Tree:
        """Return what is found under the root."""
        tree: Tree = {}
        folders = [("", "")]
        while folders:
            path, made_as = folders.pop()
            found = self._folders.get(made_as, _Folder()).names(variant.names, dice)
            for name, entry in found.items():
                below = f"{path}/{name}".removeprefix("/")
                if isinstance(entry, str):
                    tree[below] = None
                    folders.append((below, entry))
                else:
                    tree[below] = self._files.get(entry, _File()).content(variant.data, dice)
        return tree
