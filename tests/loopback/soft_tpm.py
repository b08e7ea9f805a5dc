"""A TPM in software (swtpm), and the starts of a machine as it sees them."""

import subprocess
import time
from pathlib import Path

from gateway.machine.encryption.disk import Disk
from gateway.machine.encryption.tpm import Tpm

MEASURE = "/lib/systemd/systemd-measure"


class SoftTpm:
    """One machine's: systemd-stub measures the kernel into PCR 11."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "state").mkdir(parents=True)
        self._at = folder / "tpm"
        self._process: subprocess.Popen[bytes] | None = None
        self._key = folder / "pcr.key"
        self.tpm = Tpm(
            device=f"swtpm:path={self._at}", public_key=folder / "pcr.pub", signature=folder / "signature.json"
        )
        self._run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self._key)
        self._run("openssl", "pkey", "-in", self._key, "-pubout", "-out", self.tpm.public_key)

    def start(self, kernel: str, *, signed: bool = True) -> None:
        """Switch the machine on with an image, which the maker signed."""
        self.stop()
        self._process = subprocess.Popen(
            [
                "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self._folder / 'state'}", "--flags",
                "startup-clear,not-need-init", "--server", f"type=unixio,path={self._at}",
                "--ctrl", f"type=unixio,path={self._at}.ctrl",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 20
        while not Path(f"{self._at}.ctrl").exists():
            assert time.monotonic() < end, "swtpm did not start"
            time.sleep(0.02)
        for each in (".linux\0", kernel, "enter-initrd"):
            self.measure(11, each)
        if signed:
            self._sign(kernel)

    def measure(self, pcr: int, what: str) -> None:
        """Extend a register, as a start does with what it finds."""
        words = ["tpm2_pcrevent", f"--tcti=swtpm:path={self._at}", str(pcr)]
        subprocess.run(words, input=what.encode(), check=True, capture_output=True)

    def own_key(self, disk: Disk) -> bytes:
        """Return the key that the box has by itself."""
        self.rest()
        return disk.own_key(disk.record())

    def rest(self) -> None:
        """Do what the kernel does after each program, which is not between this TPM and them: end its sessions."""
        for kind in ("--transient-object", "--loaded-session", "--saved-session"):
            self._run("tpm2_flushcontext", f"--tcti=swtpm:path={self._at}", kind)

    def pull_plugs(self, kernel: str, sealed: bytes) -> None:
        """Have the power cut behind a question, on a TPM that takes the first time for one attack too many."""
        self.rest()
        self._lockout("--setup-parameters", "--max-tries=1", "--recovery-time=9999", "--lockout-recovery-time=9999")
        self.tpm.unseal(sealed)
        self.start(kernel)

    def forget(self) -> None:
        """Do what time does with the attacks that were counted."""
        self.rest()
        self._lockout("--clear-lockout")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            for name in (self._at, Path(f"{self._at}.ctrl")):
                name.unlink(missing_ok=True)

    def _lockout(self, *words: str) -> None:
        self._run("tpm2_dictionarylockout", f"--tcti=swtpm:path={self._at}", *words)

    def _sign(self, kernel: str) -> None:
        """Sign what an image will have in PCR 11, as ukify does when it is built."""
        (self._folder / "kernel").write_text(kernel)
        words = [MEASURE, "sign", f"--linux={self._folder / 'kernel'}", "--phase=enter-initrd", "--bank=sha256"]
        keys = [f"--private-key={self._key}", f"--public-key={self.tpm.public_key}"]
        said = self._run(*words, *keys, f"--tpm2-device={self.tpm.device}")
        self.tpm.signature.write_bytes(said)

    def _run(self, *words: str | Path) -> bytes:
        return subprocess.run(words, check=True, capture_output=True).stdout
