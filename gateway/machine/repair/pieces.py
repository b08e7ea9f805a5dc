"""A stream cut into pieces on sticks, each encrypted by itself and decrypted once again before it counts.

OpenPGP with a passphrase (gpg, symmetric): any PC reads it, and notices a byte that changed. No name says whose
pictures they are. A piece fits on FAT; its length is a multiple of a block of tar, so that tar finds
what comes after a lost one. Before a stick is let go every piece is read once more: a counterfeit one,
which says that it is larger than it is, writes over the first ones when the later ones come.
"""

import io
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import IO, Protocol

from gateway.machine.durable import flush
from gateway.machine.encryption.closed import DataClosed
from gateway.machine.programs import ProgramFailed, run

PIECE_BYTES = 1 << 30
_LEAST_BYTES = 64 << 20  # a stick with less room than that is full
_MARGIN_BYTES = 16 << 20  # of a stick: what encryption adds, and the list
_BLOCK = 512
_MB = 1_000_000
_PREFIX = "scopegate-rescue"
_GPG = (
    "gpg", "--no-options", "--batch", "--yes", "--no-autostart", "--no-random-seed-file", "--quiet",
    "--pinentry-mode", "loopback", "--passphrase-file", "{0}",
)  # fmt: skip
_ROUNDS = "65011712"  # the most that OpenPGP has; without a count gpg asks its agent, which is not there
_ENCRYPT = (
    "--rfc4880", "--symmetric", "--cipher-algo", "AES256", "--compress-algo", "none", "--s2k-mode", "3",
    "--s2k-digest-algo", "SHA512", "--s2k-count", _ROUNDS,
)  # fmt: skip
_README = """\
What was on a Scopegate box, encrypted with its recovery code: as it was shown, capitals and hyphens.
All folders of this name on all sticks belong together. On a PC with gpg and tar, the code alone in the file `code`:

    sha256sum -c SHA256SUMS
    for p in *.tar.gpg; do gpg --batch --pinentry-mode loopback --passphrase-file code -d "$p"; done | tar -x

docs/recovery.md of Scopegate tells what the files are.
"""


class Rescuing(DataClosed):
    """The pictures are being rescued."""

    code = "rescuing"
    safe = "Nothing on the box is changed. No picture can be taken."
    action = "Leave the stick in until this page says that it may be pulled out."


class StickFailed(DataClosed):
    """The stick cannot be written, or gives back other than what it took."""

    code = "rescue-stick-failed"
    safe = "Nothing on the box was changed. What is on the stick is not whole."
    action = "Begin again with another stick."


class StickGone(DataClosed):
    """The stick was pulled out before the rescue was done."""

    code = "rescue-stick-gone"
    safe = "Nothing on the box was changed. What is on the stick is not whole."
    action = "Begin again, with room on the stick."


class Sticks(Protocol):
    """One stick after the other."""

    @property
    def folder(self) -> Path:
        """Where the one is that is there."""

    @property
    def is_there(self) -> bool:
        """Say whether there is one."""

    def room(self) -> int:
        """Return how many bytes fit onto it. Raises OSError."""

    def remount(self) -> None:
        """Have what is read next come from it, names as well. Raises StickFailed, StickGone."""

    def next(self) -> None:
        """Let it be pulled out; return when there is another one."""


Say = Callable[[DataClosed], None]


class Pieces(io.RawIOBase):
    """What a stream is written into. Raises StickFailed, StickGone."""

    def __init__(
        self, sticks: Sticks, *, say: Say, code: bytes, token: str, home: Path, largest: int = PIECE_BYTES
    ) -> None:
        """`token`: what all folders of one rescue have in their name; `home`: a folder for gpg."""
        super().__init__()
        self._sticks = sticks
        self._say = say
        self._code = code
        self._name = f"{_PREFIX}-{token}"
        self._home = home
        self._largest = largest
        self._left = 0
        self._file: IO[bytes] | None = None
        self._gpg: subprocess.Popen[bytes] | None = None
        self._wrong: DataClosed | None = None  # it failed once: what tarfile writes at its end comes to nothing
        self._on_this_stick: dict[str, str] = {}  # the digest of each piece, by its name
        self.count = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]  # what tarfile hands over
        view = memoryview(data)
        if self._wrong:
            raise self._wrong
        try:
            while view:
                if not self._left:
                    self._end()
                    self._begin()
                part, view = view[: self._left], view[self._left :]
                assert self._gpg
                assert self._gpg.stdin
                self._gpg.stdin.write(part)
                self._left -= len(part)
        except (OSError, ProgramFailed):
            raise self._why() from None
        return len(data)

    def finish(self) -> None:
        """Have the last piece on the stick, and the list, and the stick give all of it."""
        try:
            self._end()
            self._read_all_again()
        except (OSError, ProgramFailed):
            raise self._why() from None

    def stop(self) -> None:
        """End what runs, however it went."""
        if self._gpg:
            self._gpg.kill()
            self._gpg.wait()
        held: list[IO[bytes] | None] = [self._gpg.stdin if self._gpg else None, self._file]
        for file in filter(None, held):
            with suppress(OSError):
                file.close()

    # --- inside -------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        return self._sticks.folder / self._name

    def _begin(self) -> None:
        while (room := self._room()) < _LEAST_BYTES:
            self._read_all_again()
            self._sticks.next()
        self._left = min(self._largest, room) // _BLOCK * _BLOCK
        self.count += 1
        self._folder.mkdir(exist_ok=True)
        (self._folder / "README.txt").write_text(_README, encoding="ascii")
        self._file = self._part.open("xb")
        key = os.memfd_create("code", os.MFD_CLOEXEC)
        try:
            os.write(key, self._code)
            os.lseek(key, 0, os.SEEK_SET)
            words = [word.format(f"/proc/self/fd/{key}") for word in (*_GPG, *_ENCRYPT)]
            self._gpg = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=self._file,
                stderr=subprocess.DEVNULL,
                pass_fds=[key],
                env=self._environment,
            )
        finally:
            os.close(key)

    def _room(self) -> int:
        if not self._sticks.is_there:  # a stick that is gone is not a full one
            raise StickGone
        return self._sticks.room() - _MARGIN_BYTES

    def _end(self) -> None:
        """Have the piece on the stick, as it can be decrypted from there, and in the list."""
        if self._gpg is None or self._file is None:
            return
        assert self._gpg.stdin
        self._gpg.stdin.close()
        if status := self._gpg.wait():
            raise ProgramFailed("gpg", status, "")
        os.fsync(self._file.fileno())
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what is read next is the stick's
        self._file.close()
        self._gpg, self._file, part = None, None, self._part
        words: list[str | Path] = [*_GPG, "--homedir", self._home, "--output", "/dev/null", "--decrypt", part]
        run(words, secrets=[self._code], wait_s=6 * 3600)
        with part.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        whole = part.with_suffix("")
        part.rename(whole)
        with (self._folder / "SHA256SUMS").open("a", encoding="ascii") as sums:
            sums.write(f"{digest}  {whole.name}\n")
            sums.flush()
            os.fsync(sums.fileno())
        for folder in (self._folder, self._folder.parent):  # the names as well, before anybody hears of the piece
            flush(folder)
        self._on_this_stick[whole.name] = digest

    def _read_all_again(self) -> None:
        """See that the stick gives every piece as it took it. Raises StickFailed, StickGone, OSError."""
        if not self._on_this_stick:
            return
        try:
            self._sticks.remount()
            self._compare()
        except DataClosed as error:
            self._wrong = error
            raise
        self._on_this_stick.clear()

    def _compare(self) -> None:
        wanted = {name: (self._folder / name).stat().st_size for name in self._on_this_stick}
        read, total = 0, sum(wanted.values()) // _MB
        for name, size in wanted.items():
            done = read // _MB
            self._say(Rescuing(f"What is on the stick is read once more: {done} of {total} MB."))
            with (self._folder / name).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # somebody may have kept it mounted
                if file_digest(file, "sha256").hexdigest() != self._on_this_stick[name]:
                    raise StickFailed
            read += size
        lines = (self._folder / "SHA256SUMS").read_bytes().splitlines()
        if not {f"{digest}  {name}".encode() for name, digest in self._on_this_stick.items()} <= set(lines):
            raise StickFailed

    @property
    def _part(self) -> Path:
        return self._folder / f"{self.count:04d}.tar.gpg.part"

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "GNUPGHOME": str(self._home)}

    def _why(self) -> DataClosed:
        if self._wrong is None:
            self._wrong = StickFailed() if self._sticks.is_there else StickGone()
        return self._wrong
