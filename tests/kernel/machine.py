"""The virtual machine: built by `image-build`, started under QEMU, told what to do through a port of its own.

`Machine` waits with deadlines only, and says with the console's last lines why a machine is no good. `python -m
tests.kernel.machine COMMAND` runs a shell command in one that stays (see README.md).
"""

import base64
import ctypes
import fcntl
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scopegate-image"
BOOT_S = 400
ATTACH_S = 30
PRODUCT = "/opt/scopegate"
RUNNER = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
_PORT = "scopegate.tests"
_PR_SET_PDEATHSIG = 1

# The machine's file system knows nothing of tests: a credential of the (virtual) mainboard names this unit, and it
# runs what comes over the port.
_LOADER = (
    "import os,json;port=open('/dev/virtio-ports/" + _PORT + "','r+b',buffering=0);"
    "size=int(port.read(8));text=b'';\n"
    "while len(text)<size: text+=port.read(size-len(text))\n"
    "exec(compile(text,'guest.py','exec'))"
)
_LOADER_TEXT = base64.b64encode(_LOADER.encode()).decode()
# QEMU's threads rarely run code that the kernel is just patching; nothing of a box has run by then.
_OF_THE_EMULATOR = re.compile(r"\[ {4}[01]\.\d{6}\] Kernel panic")
_KERNEL_WORDS = "root=LABEL=root rw console=ttyS0 panic=5 systemd.wants=tests.service systemd.show_status=no"
_UNIT = f"""\
[Unit]
Description=Tests
After=multi-user.target
[Service]
ExecStart=/usr/bin/python3 -c "import base64;exec(base64.b64decode('{_LOADER_TEXT}'))"
StandardOutput=journal+console
StandardError=journal+console
Environment=HOME=/root PYTHONUNBUFFERED=1
"""


class MachineFailed(Exception):
    """The machine did not do what it should; the text ends with what its console said last."""


def built(what: str) -> Path:
    """Return the folder of what `image-build` makes; made before, it takes a second."""
    words = [str(ROOT / "image-build" / "build"), "--dir", str(CACHE), what]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise MachineFailed(f"image-build/build {what} ended with {done.returncode}")
    return Path(done.stdout.strip())


def mortal(words: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a program that the kernel ends with the thread that calls this, also when that is killed (prctl(2))."""
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - takes no lock
    )


class Machine:
    """One virtual machine in `folder`; everything it writes to its disk is forgotten with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = folder / "console.log"
        self._socket = folder / "port"
        self._pid = folder / "pid"
        self._process: subprocess.Popen[bytes] | None = None  # of one that does not stay
        self._port: socket.socket | None = None
        self._heard = b""

    # --- life ---------------------------------------------------------------------------------------------

    def start(self, *, stays: bool) -> None:
        """Boot; return when the machine takes requests. One that does not stay ends with this process, however
        that ends. Raises MachineFailed.
        """
        try:
            self._boot(stays=stays)
        except MachineFailed:
            if not _OF_THE_EMULATOR.search(self.last_words(400)):
                raise
            self.stop()
            self.say("the kernel panicked in its first two seconds, before it read a disk: once more")
            self._boot(stays=stays)

    def _boot(self, *, stays: bool) -> None:
        words = self._words()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        began = time.monotonic()
        if stays:
            subprocess.run([*words, "-daemonize"], check=True, stdin=subprocess.DEVNULL, cwd=self.folder)
        else:
            self._process = mortal(words, self.folder)
        self.attach()
        guest = (Path(__file__).parent / "guest.py").read_bytes()
        self._send(f"{len(guest):08}".encode() + guest)
        hello = next(self._answers("", BOOT_S))
        self.say(f"Linux {hello['hello']} takes requests {time.monotonic() - began:.0f} s after its start")

    def _words(self) -> list[str]:
        system = built("system")
        return [
            *self._board(),
            "-kernel", str(system / "vmlinuz"), "-initrd", str(system / "initrd"),
            "-append", _KERNEL_WORDS,
            "-drive", f"file={system / 'root.ext4'},if=virtio,format=raw,snapshot=on,cache=unsafe",
        ]  # fmt: skip

    def _board(self) -> list[str]:
        """Return what is the same whatever the machine starts from: processor, console, the tests' port."""
        unit = base64.b64encode(_UNIT.encode()).decode()
        return [
            "qemu-system-x86_64", "-accel", os.environ.get("SCOPEGATE_VM_ACCEL", "tcg,thread=multi"),
            "-cpu", "max", "-smp", "2", "-m", "2048", "-nodefaults", "-display", "none", "-no-reboot",
            "-pidfile", str(self._pid),
            "-smbios", f"type=11,value=io.systemd.credential.binary:systemd.extra-unit.tests.service={unit}",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-serial", f"file:{self.console}",
            "-chardev", f"socket,id=port,path={self._socket},server=on,wait=off",
            "-device", f"virtserialport,chardev=port,name={_PORT}",
        ]  # fmt: skip

    @property
    def runs(self) -> bool:
        try:
            os.kill(int(self._pid.read_text()), 0)
        except (OSError, ValueError):
            return False
        return True

    def attach(self) -> None:
        """Speak with a machine that was started before, or is just being started. Raises MachineFailed."""
        port = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + ATTACH_S
        while port.connect_ex(str(self._socket)):
            ended = self._process and self._process.poll() is not None
            if ended or time.monotonic() > end:
                raise MachineFailed("QEMU opens no port")
            time.sleep(0.1)
        self._port = port

    def stop(self) -> None:
        """Switch it off as one pulls a plug."""
        with suppress(OSError, ValueError):  # it may be ending by itself
            os.kill(int(self._pid.read_text()), signal.SIGKILL)
        if self._process:
            self._process.wait()
        self.detach()

    def detach(self) -> None:
        """Leave it as it is."""
        if self._port:
            self._port.close()
        self._port = None

    # --- requests -----------------------------------------------------------------------------------------

    def unpack(self, tar: bytes, into: str = "/") -> None:
        (answer,) = self._ask({"unpack": len(tar), "into": into}, tar, silence_s=120)
        if answer["exit"]:
            raise MachineFailed(f"tar: {answer['output']}")

    def run(
        self,
        words: Sequence[str],
        *,
        silence_s: float,
        folder: str = "/",
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield each {"report": ...} of a command, at last its {"exit": code, "output": text}.

        Raises MachineFailed when nothing comes for `silence_s` seconds, or the machine ends.
        """
        request = {"run": list(words), "folder": folder, "environment": dict(environment or {})}
        return self._ask(request, silence_s=silence_s)

    def shell(self, text: str, *, silence_s: float = 120) -> str:
        """Return what a shell command printed; raise MachineFailed when it failed."""
        (answer,) = self.run(["sh", "-c", text], silence_s=silence_s)
        if answer["exit"]:
            raise MachineFailed(f"{text!r} ended with {answer['exit']}:\n{answer['output']}")
        return str(answer["output"])

    def install(self) -> None:
        """Bring this checkout's product and tests in, over those of before."""
        self.shell(f"cd {PRODUCT} && find gateway hardware tests -name '*.py' -delete 2>/dev/null; true")
        self.unpack((built("product") / "product.tar").read_bytes())
        self.unpack(tests(), PRODUCT)
        self.unpack(runner())
        self.shell("systemd-sysusers && systemd-tmpfiles --create scopegate.conf && systemctl daemon-reload")

    def say(self, text: str) -> None:
        print(f"machine: {text}", file=sys.stderr, flush=True)

    def last_words(self, lines: int = 40) -> str:
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        return "\n".join(["the console's last lines:", *text.splitlines()[-lines:]])

    def _ask(self, request: dict[str, Any], data: bytes = b"", *, silence_s: float) -> Iterator[dict[str, Any]]:
        name = uuid.uuid4().hex
        self._send(json.dumps({"id": name, **request}).encode() + b"\n" + data)
        for answer in self._answers(name, silence_s):
            yield answer
            if "exit" in answer:
                return

    def _send(self, data: bytes) -> None:
        assert self._port, "the machine is not started"
        self._port.settimeout(BOOT_S)
        try:
            self._port.sendall(data)
        except OSError as error:
            raise MachineFailed(f"the machine takes nothing: {error}\n{self.last_words()}") from error

    def _answers(self, name: str, silence_s: float) -> Iterator[dict[str, Any]]:
        """Yield what the machine says to the request of that name, without end."""
        assert self._port, "the machine is not started"
        self._port.settimeout(silence_s)
        while True:
            line, separator, rest = self._heard.partition(b"\n")
            if separator:
                self._heard = rest
                answer = json.loads(line)
                if answer.get("id", "") == name:  # others were for somebody who hung up
                    yield answer
                continue
            try:
                piece = self._port.recv(1 << 16)
            except TimeoutError:
                raise MachineFailed(f"the machine was silent for {silence_s:.0f} s; {self.last_words()}") from None
            except OSError as error:
                raise MachineFailed(f"the machine ended: {error}; {self.last_words()}") from error
            if not piece:
                raise MachineFailed(f"the machine ended; {self.last_words()}")
            self._heard += piece


# --- what is brought in ----------------------------------------------------------------------------------


def tests() -> bytes:
    """Return this checkout's tests, as a tar."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "tests", "pyproject.toml"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file() and not name.endswith(".whl"):
                tar.add(ROOT / name, arcname=name)
    return packed.getvalue()


def runner() -> bytes:
    """Return pytest as the lock file pins it, as a tar of /srv/pytest; the box's environment has none."""
    text = (ROOT / "requirements" / "test.txt").read_text().replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line.partition("==")[0] in RUNNER]
    assert len(pins) == len(RUNNER), pins
    key = base64.b32encode(json.dumps(pins).encode()).decode()
    kept = CACHE / "pytest.tar"
    mark = CACHE / "pytest.pins"
    if kept.exists() and mark.exists() and mark.read_text() == key:
        return kept.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "pins.txt"
        pinned.write_text("\n".join(pins))
        target = Path(folder) / "srv" / "pytest"
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-compile",
             "--only-binary", ":all:", "--target", target, "-r", pinned],
            check=True,
        )  # fmt: skip
        with tarfile.open(kept, "w") as tar:
            tar.add(Path(folder) / "srv", arcname="srv")
    mark.write_text(key)
    return kept.read_bytes()


_turns: list[None] = []  # of this process, whose tests run one after the other


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two virtual machines on one computer would make each other late. Whose turn it is may say so again."""
    if _turns:
        yield
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "machine.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("machine: waiting for another one to end", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        _turns.append(None)
        try:
            yield
        finally:
            _turns.pop()


@contextmanager
def machine(keep: Path | None = None) -> Iterator[Machine]:
    """Yield one with this checkout inside; in `keep` it stays for the next time."""
    folder = keep or Path(tempfile.mkdtemp(prefix="scopegate-machine-"))
    made = Machine(folder)
    with one_at_a_time():
        try:
            if made.runs:
                made.attach()
            else:
                made.start(stays=keep is not None)
            made.install()
            yield made
        finally:
            if keep is None:
                made.stop()
                shutil.rmtree(folder)
            else:
                made.detach()


def main() -> int:
    keep = Path(os.environ.get("SCOPEGATE_VM", "/tmp/scopegate-machine"))
    with machine(keep) as made:
        for answer in made.run(["sh", "-c", " ".join(sys.argv[1:])], silence_s=600):
            if "exit" in answer:
                print(answer["output"], end="")
                return int(answer["exit"])
    return 1


if __name__ == "__main__":
    sys.exit(main())
