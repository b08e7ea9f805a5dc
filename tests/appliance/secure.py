"""A box whose firmware has Secure Boot on and believes what signed an image; what may be done to its boot file."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.appliance.appliance import FIRMWARE, Appliance
from tests.kernel.machine import MachineFailed, mortal

OWNER = "0c2b8f5e-7d1a-4a63-9e0f-3c5d7b1e9a01"
_REFUSED_S = 120


def with_tools(image: Path, folder: Path, *words: str) -> None:
    """Run a program of the tools that made the image, in `folder`."""
    tools = max(image.parent.glob("tools-*/tree"), key=lambda tree: tree.parent.stat().st_mtime)
    script = 'mount --rbind "$2" "$1/mnt"; tree=$1; shift 2; exec chroot "$tree" env -C /mnt "$@"'
    subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", tools, folder, *words],
        check=True,
        capture_output=True,
    )


class SecureAppliance(Appliance):
    """A box as a clinic with Secure Boot has it."""

    def __init__(self, folder: Path, *, image: Path, extra: Sequence[str] = ()) -> None:
        super().__init__(folder, image=image, extra=extra)
        self._image = image
        certificate = folder / "db.pem"
        subprocess.run(
            ["openssl", "x509", "-inform", "DER", "-in", image / "secure-boot.cer", "-out", certificate], check=True
        )
        keys = [word for kind in ("--set-pk", "--add-kek", "--add-db") for word in (kind, OWNER, certificate.name)]
        with_tools(
            image,
            folder,
            "virt-fw-vars",
            "--input",
            self._variables.name,
            "--output",
            "secure.fd",
            *keys,
            "--secure-boot",
        )
        self._variables = folder / "secure.fd"

    def _words(self) -> list[str]:
        words = super()._words()
        ordinary, secure = FIRMWARE / "OVMF_CODE_4M.fd", FIRMWARE / "OVMF_CODE_4M.secboot.fd"
        words[words.index("q35")] = "q35,smm=on"
        return [
            *(word.replace(str(ordinary), str(secure)) for word in words),
            "-global", "driver=cfi.pflash01,property=secure,value=on",
        ]  # fmt: skip

    def tool(self, *words: str) -> None:
        with_tools(self._image, self.folder, *words)

    def boot_file(self) -> Path:
        """Return a copy of the file that the firmware starts."""
        copy = self.folder / "start.efi"
        subprocess.run(["cp", self._image / "start.efi", copy], check=True)
        return copy

    def refuses(self) -> bool:
        """Say whether the firmware refused what it found. Raises MachineFailed when it says neither."""
        end = time.monotonic() + _REFUSED_S
        self._process = mortal(self._words(), self.folder)
        try:
            while time.monotonic() < end:
                said = self.console.read_text(errors="replace") if self.console.exists() else ""
                if "Access Denied" in said or "Security Violation" in said:
                    return True
                if "Linux version" in said or "EFI stub" in said:
                    return False
                time.sleep(0.5)
        finally:
            self.stop()
        raise MachineFailed(f"neither refused nor started: {self.last_words()}")
