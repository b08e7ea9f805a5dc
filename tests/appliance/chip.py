"""A TPM in software for a box in a virtual machine: what is sealed to it outlives a cut, as in a chip."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kernel.machine import mortal


@contextmanager
def chip(folder: Path) -> Iterator[list[str]]:
    """Yield QEMU's words for a TPM whose state lies in `folder`. It ends with the machine: one for each start."""
    state = folder / "tpm"
    state.mkdir(parents=True, exist_ok=True)
    socket = folder / "tpm.socket"
    socket.unlink(missing_ok=True)
    words = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={socket}"]
    process = mortal(words, folder)
    try:
        yield [
            "-chardev", f"socket,id=tpm,path={socket}",
            "-tpmdev", "emulator,id=chip,chardev=tpm", "-device", "tpm-crb,tpmdev=chip",
        ]  # fmt: skip
    finally:
        process.kill()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired as error:
            raise AssertionError("swtpm does not end") from error
