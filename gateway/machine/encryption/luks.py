"""The encrypted partition (LUKS2, cryptsetup(8)): its key slots by what they are for.

Each purpose has a few slots, so that a new secret is in before the old one is out: a cut in between leaves both,
and the next change takes away what is left over.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path

from gateway.machine.own_disk import SYS
from gateway.machine.programs import ProgramFailed, run

MAPPING = "data"
MAPPED = Path("/dev/mapper") / MAPPING
_HEADER_BYTES = 16 << 20  # what luksFormat takes for header and key slots
_PIECE = bytes(1 << 20)
_HEADERS = 1 << 20  # both copies of the header are in there
_MAGICS = (b"LUKS\xba\xbe", b"SKUL\xba\xbe")  # LUKS2 On-Disk Format 2.1: of either copy
_NO_HEADER = 1  # what `cryptsetup isLuks` ends with then; without a device it is 4
_WRONG_KEY = 2  # cryptsetup(8), "RETURN CODES": no permission (bad passphrase)
# Guessing has to be made slow for a PIN alone. Memory in kB: less than the smallest box has free.
_RANDOM_SECRET = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
_TYPED_SECRET = ("--pbkdf", "argon2id", "--pbkdf-memory", "262144", "--pbkdf-force-iterations", "8")


class Slots(Enum):
    """What key slots are for, and their numbers."""

    BOX = range(4)
    RECOVERY = range(4, 8)
    PIN = range(8, 12)


class WrongKey(Exception):
    """No slot of the partition has this secret."""


class Luks:
    """One partition, or a file in its place."""

    def __init__(self, device: Path, *, mapped: Path = MAPPED, sys: Path = SYS) -> None:
        """`mapped`: where it is found once it is open."""
        self.device = device
        self._mapped = mapped
        self._blocks = sys / "class" / "block"

    @property
    def is_one(self) -> bool:
        """Say whether it has a header. Raises ProgramFailed: nobody can tell, or there is what was one."""
        try:
            run(["cryptsetup", "isLuks", self.device])
        except ProgramFailed as error:
            if error.status != _NO_HEADER or not self._is_without_traces():
                raise
            return False
        return True

    def _is_without_traces(self) -> bool:
        """Say whether its beginning can be read, which cryptsetup does not tell apart, and names no header."""
        try:
            with self.device.open("rb", buffering=0) as file:
                raw = file.read(_HEADERS)
        except OSError:
            return False
        return not any(magic in raw for magic in _MAGICS)

    @property
    def is_open(self) -> bool:
        """Say whether what has the name lies on this partition alone, and is what its header calls itself."""
        try:
            mapping = self._blocks / self._mapped.resolve(strict=True).name
            below = [each.name for each in (mapping / "slaves").iterdir()]
            kind = (mapping / "dm" / "uuid").read_text("ascii").strip()
            number = run(["cryptsetup", "luksUUID", self.device]).decode().strip()
        except (OSError, ValueError, ProgramFailed):
            return False
        ours = f"CRYPT-LUKS2-{number.replace('-', '')}-{MAPPING}"
        return (below, kind) == ([self.device.resolve().name], ours)

    def make(self, secret: bytes) -> None:
        """Encrypt it anew; whatever it held is gone. Raises ProgramFailed."""
        words = ["cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", *_RANDOM_SECRET]
        run([*words, "--key-slot", str(Slots.BOX.value[0]), "--key-file", "-", self.device], given=secret)

    def check(self, secret: bytes) -> None:
        """Raise WrongKey when a secret does not open it, ProgramFailed when its header is none."""
        self._with(secret, ["--test-passphrase", self.device])

    def open(self, secret: bytes) -> None:
        """Give the plain partition the name /dev/mapper/data. Raises WrongKey, ProgramFailed."""
        self._with(secret, [self.device, MAPPING])

    def close(self) -> None:
        """Take the name away again. Raises ProgramFailed."""
        run(["cryptsetup", "close", MAPPING])

    def add(self, purpose: Slots, secret: bytes, *, by: bytes) -> int:
        """Let `secret` open it as well; return its slot. `by` opens it now. Raises WrongKey, ProgramFailed."""
        free = [slot for slot in purpose.value if slot not in self.slots()]
        if not free:
            raise ProgramFailed("cryptsetup", -1, "no slot of this purpose is free")
        guessing = _TYPED_SECRET if purpose is Slots.PIN else _RANDOM_SECRET
        words = ["cryptsetup", "luksAddKey", "--batch-mode", *guessing, "--new-key-slot", str(free[0])]
        _translated([*words, "--key-file", "{0}", self.device, "{1}"], secrets=[by, secret])
        return free[0]

    def keep_only(self, purpose: Slots, slot: int | None = None) -> None:
        """Let no other secret of this purpose open it any more. Raises ProgramFailed."""
        for other in set(purpose.value) & self.slots() - {slot}:
            run(["cryptsetup", "luksKillSlot", "--batch-mode", self.device, str(other)])

    def forget(self) -> None:
        """Let nothing open it any more, also while in use. What is no LUKS has no slots. Raises ProgramFailed."""
        if self.is_one:
            run(["cryptsetup", "luksErase", "--batch-mode", self.device])

    def wipe(self) -> None:
        """Write over all that could open it; the rest is discarded where the disk can do that. Raises OSError."""
        with suppress(ProgramFailed):
            run(["blkdiscard", self.device], wait_s=600)
        file = os.open(self.device, os.O_WRONLY | os.O_CLOEXEC)
        try:
            left = min(_HEADER_BYTES, os.lseek(file, 0, os.SEEK_END))
            os.lseek(file, 0, os.SEEK_SET)
            while left > 0:
                left -= os.write(file, _PIECE[:left])
            os.fsync(file)
        finally:
            os.close(file)

    def slots(self) -> set[int]:
        """Return the numbers of the slots that hold something. Raises ProgramFailed."""
        said = json.loads(run(["cryptsetup", "luksDump", "--dump-json-metadata", self.device]))
        return {int(number) for number in said["keyslots"]}

    def _with(self, secret: bytes, words: Sequence[str | Path]) -> None:
        _translated(["cryptsetup", "open", "--key-file", "{0}", *words], secrets=[secret])


def _translated(words: Sequence[str | Path], *, secrets: Sequence[bytes]) -> None:
    try:
        run(words, secrets=secrets)
    except ProgramFailed as error:
        if error.status == _WRONG_KEY:
            raise WrongKey from None
        raise
