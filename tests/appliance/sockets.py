"""A box with USB sockets, into which a test plugs what QEMU can be; and sticks that lose what they are given."""

import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.appliance.appliance import Appliance
from tests.appliance.screen import Screen
from tests.kernel.machine import MachineFailed, mortal

OPENS_S = 30
_MB = 1 << 20
# Beyond what it has, a stick that was sold as a larger one loses what it is given, and says nothing.
_READS = (
    'if [ "$4" -ge {real} ]; then head -c "$3" /dev/zero; '
    'else dd if={file} iflag=skip_bytes,count_bytes skip="$4" count="$3" bs=64k status=none; fi'
)
_WRITES = (
    'if [ "$4" -ge {real} ]; then cat >/dev/null; '
    'else dd of={file} oflag=seek_bytes seek="$4" conv=notrunc bs=64k status=none; fi'
)


class Sockets(Appliance):
    """`sticks`: what can be plugged in as a stick, by name, in QEMU's words for a drive."""

    def __init__(self, folder: Path, *, image: Path, sticks: Mapping[str, str]) -> None:
        # Without PS/2, whose keyboard would get what is typed.
        words = ["-machine", "i8042=off", "-device", "qemu-xhci,id=xhci", "-device", "virtio-vga"]
        for name, drive in sticks.items():
            words += ["-drive", f"if=none,id={name},format=raw,{drive}"]
        super().__init__(folder, image=image, extra=[*words, "-netdev", "user,id=other"])
        self.screen = Screen(self.monitor, folder)

    def plug(self, driver: str, name: str, **words: str) -> None:
        self.monitor.tell("device_add", driver=driver, id=name, bus="xhci.0", **words)

    def plug_stick(self, name: str, port: str) -> None:
        self.plug("usb-storage", f"stick-{name}", drive=name, port=port)

    def pull(self, name: str) -> None:
        self.monitor.tell("device_del", id=name)

    def point(self, axis: str, value: int) -> None:
        self.monitor.tell("input-send-event", events=[{"type": "abs", "data": {"axis": axis, "value": value}}])


class FakeSize:
    """A stick with FAT that says it had more room than it has; `words`: as a drive of QEMU's."""

    def __init__(self, file: Path, *, real_mb: int) -> None:
        self._socket = file.with_suffix(".socket")
        size = file.stat().st_size
        at = {"file": shlex.quote(str(file)), "real": real_mb * _MB}
        self._command = [
            "nbdkit", "--foreground", "--unix", str(self._socket), "eval",
            f"get_size=echo {size}", f"pread={_READS.format(**at)}", f"pwrite={_WRITES.format(**at)}",
            "can_write=exit 0", "can_flush=exit 0", "flush=exit 0",
        ]  # fmt: skip
        self.words = f"file=nbd+unix:///?socket={self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def switch_on(self) -> None:
        """Return when it can be plugged in. It ends with the thread that called this, however that ends."""
        self._process = mortal(self._command, self._socket.parent)
        end = time.monotonic() + OPENS_S
        while not self._socket.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise MachineFailed("nbdkit opens no socket")
            time.sleep(0.05)

    def switch_off(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


def fat(file: Path, *, megabytes: int, holds: Mapping[str, bytes] | None = None) -> Path:
    """Make a stick with FAT and these files, written in this order."""
    with file.open("wb") as out:
        out.truncate(megabytes * _MB)
    _run("mkfs.vfat", "-n", "STICK", file)
    for name, content in (holds or {}).items():
        source = file.with_suffix(".content")
        source.write_bytes(content)
        _run("mcopy", "-i", file, source, f"::/{name}")
        source.unlink()
    return file


def _run(*words: str | Path) -> None:
    subprocess.run(list[Any](words), check=True, stdout=subprocess.DEVNULL)
