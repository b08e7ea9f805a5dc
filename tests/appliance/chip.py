"""A TPM in software for a box in a virtual machine: what is sealed to it outlives a cut, as in a chip."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.box import until
from tests.kernel.machine import mortal

_START_S = 20
_BY_ITSELF = ("--flags", "startup-clear,not-need-init")


@contextmanager
def chip(folder: Path) -> Iterator[list[str]]:
    """Yield QEMU's words for a TPM whose state lies in `folder`. It ends with the machine: one for each start."""
    with _on(folder) as socket:
        yield [
            "-chardev", f"socket,id=tpm,path={socket}",
            "-tpmdev", "emulator,id=chip,chardev=tpm", "-device", "tpm-crb,tpmdev=chip",
        ]  # fmt: skip


def set_patience(folder: Path, *, tries: int, forgets_s: int) -> None:
    """Have the TPM refuse everybody after so many attacks, and forget one in so many seconds with power."""
    times = [f"--recovery-time={forgets_s}", f"--lockout-recovery-time={forgets_s}"]
    with _asked(folder) as ask:
        ask("tpm2_dictionarylockout", "--setup-parameters", f"--max-tries={tries}", *times)
        ask("tpm2_shutdown", "--clear")


def cut_behind_a_question(folder: Path) -> None:
    """Have its power cut after somebody asked it for something protected; at its next start it counts an attack."""
    with _asked(folder) as ask:
        ask("tpm2_createprimary", "--hierarchy=o", f"--key-context={folder / 'primary'}")
        ask("tpm2_create", f"--parent-context={folder / 'primary'}")


@contextmanager
def _asked(folder: Path) -> Iterator[Callable[..., None]]:
    """Yield what asks the TPM something without a machine around it; then its power is cut."""
    server = folder / "tpm.socket"  # and its control beside it: tpm2-tss has one name for both
    server.unlink(missing_ok=True)

    def ask(program: str, *words: str) -> None:
        subprocess.run([program, f"--tcti=swtpm:path={server}", *words], check=True, capture_output=True)

    with _on(folder, ["--server", f"type=unixio,path={server}", *_BY_ITSELF]):
        until("the TPM to listen", server.exists, _START_S, pause_s=0.02)
        yield ask


@contextmanager
def _on(folder: Path, words: Sequence[str] = ()) -> Iterator[Path]:
    """Give the TPM power; yield the socket by which a machine has it."""
    state = folder / "tpm"
    state.mkdir(parents=True, exist_ok=True)
    socket = folder / "tpm.socket.ctrl"
    socket.unlink(missing_ok=True)
    command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={socket}"]
    process = mortal([*command, *words], folder)
    try:
        yield socket
    finally:
        process.kill()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired as error:
            raise AssertionError("swtpm does not end") from error
