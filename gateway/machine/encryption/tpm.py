"""Sealing the box's key to its TPM.

What was sealed opens in this machine alone, after a start that the maker signed.

Bound to PCR 7 (Secure Boot: on, and whose keys), PCR 12 (nobody added words to the command line) and, by a
signature that comes with each image, PCR 11 (kernel, initrd and command line; systemd-stub(7)). Without Secure Boot
PCR 11 can be imitated by whoever starts a program of his own: then the seal keeps out who has the disk, not who has
the box.

A plug that is pulled after the TPM was asked counts as an attack for it (TPM 2.0 Part 1, dictionary attack
protection), and after some of them it refuses everybody for a while: TPM_RC_LOCKOUT, seen with swtpm at the third.
So it is told each time that the power may go; what is only measured afterwards is not counted. One that locked
itself all the same forgets an attack after a time of its own, while it has power.
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.log import event
from gateway.machine.programs import ProgramFailed, run

_log = logging.getLogger(__name__)
_SHUTDOWN = bytes.fromhex("8001 0000000c 00000145 0000")  # TPM2_Shutdown(TPM_SU_CLEAR): TPM 2.0 Part 3, 9.4
_LONGEST_ANSWER = 4096
_LOCKOUT = re.compile(r"\b0x0*921\b")  # TPM_RC_LOCKOUT: TPM 2.0 Part 2, 6.6.3; as tpm2-tss writes it
_NAME = "scopegate.data"
_PCRS = "7+12"
_SIGNED_PCRS = "11"


class TpmRefused(Exception):
    """The TPM did not seal, or did not open what was sealed: another start, another machine, or no TPM any more."""


class TpmLockedOut(TpmRefused):
    """The TPM refuses everybody for a while, whatever was started."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tpm:
    """This machine's TPM, and what the image that was started has for it."""

    device: str = "/dev/tpmrm0"  # or what tpm2-tss calls a TCTI
    public_key: Path = Path("/run/systemd/tpm2-pcr-public-key.pem")
    signature: Path = Path("/run/systemd/tpm2-pcr-signature.json")

    @property
    def usable(self) -> bool:
        """Say whether there is a TPM, and an image that was signed for it."""
        there = Path(self.device).exists() if self.device.startswith("/") else True
        return there and self.public_key.exists() and self.signature.exists()

    def seal(self, secret: bytes) -> bytes:
        """Return what only this TPM opens, only after such a start. Raises TpmRefused.

        Opened once before it is trusted: a signature that does not fit is noticed while the other key still works.
        """
        words = ["encrypt", "--with-key=tpm2-with-public-key", f"--tpm2-pcrs={_PCRS}"]
        bound = [f"--tpm2-public-key={self.public_key}", f"--tpm2-public-key-pcrs={_SIGNED_PCRS}"]
        sealed = self._asked([*words, *bound], given=secret)
        if self.unseal(sealed) != secret:
            raise TpmRefused
        return sealed

    def unseal(self, sealed: bytes) -> bytes:
        """Return what was sealed. Raises TpmRefused."""
        return self._asked(["decrypt", f"--tpm2-signature={self.signature}"], given=sealed)

    def _asked(self, words: Sequence[str], *, given: bytes) -> bytes:
        """Return what the TPM made of it. Raises TpmRefused."""
        try:
            with self._at_rest_afterwards():
                end = [f"--name={_NAME}", f"--tpm2-device={self.device}", "-", "-"]
                return run(["systemd-creds", *words, *end], given=given)
        except ProgramFailed as error:
            refused = TpmLockedOut if _LOCKOUT.search(str(error)) else TpmRefused
            raise refused(str(error)) from None

    @contextmanager
    def _at_rest_afterwards(self) -> Iterator[None]:
        """Have the TPM ready for a plug that is pulled, however it answered."""
        try:
            yield
        finally:
            if self.device.startswith("/"):
                self._shut_down()

    def _shut_down(self) -> None:
        try:
            device = os.open(self.device, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.write(device, _SHUTDOWN)
                os.read(device, _LONGEST_ANSWER)  # which the kernel wants taken
            finally:
                os.close(device)
        except OSError as error:
            event(_log, "chip_not_at_rest", why=str(error.strerror))
