"""The appliance's image in a virtual machine with UEFI: its disk and its firmware's variables outlive a cut."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.appliance.monitor import OFF, RESTARTS, Monitor
from tests.kernel.machine import Machine, MachineFailed, tests

DISK_BYTES = 6 << 30  # of the box; an image is smaller, the rest becomes the data partition
HOST = "10.0.2.2"  # this computer, as the box sees it; tests run in a network in which nobody else is
FIRMWARE = Path("/usr/share/OVMF")
_WANTS = base64.b64encode(b"[Unit]\nWants=tests.service\n").decode()
_TESTS = "/run/tests"
SAID_BY_THE_BOARD = "a mainboard has its say"
# A mainboard whose strings (smbios-type-11(7)) have systemd write, as root, what can be seen from outside.
TALKING_BOARD = [
    "-smbios",
    f"type=11,value=io.systemd.credential:tmpfiles.extra=w /dev/ttyS0 - - - - {SAID_BY_THE_BOARD}",
]
_PANIC = "Kernel panic"  # after which the kernel restarts the machine as well


class Appliance(Machine):
    """A box with a disk of its own in `folder`, made of an image; `extra` are QEMU's words for what else it has."""

    def __init__(self, folder: Path, *, image: Path, extra: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self.extra = list(extra)
        self.disk = folder / "disk.img"
        self.monitor = Monitor(folder / "monitor")
        self._variables = folder / "variables.fd"
        folder.mkdir(parents=True, exist_ok=True)
        if self.disk.exists():  # a box that there was before
            return
        shutil.copy(FIRMWARE / "OVMF_VARS_4M.fd", self._variables)
        part = self.disk.with_suffix(".part")
        subprocess.run(["cp", "--sparse=always", image / "disk.img", part], check=True)
        with part.open("r+b") as disk:
            disk.truncate(DISK_BYTES)
        part.rename(self.disk)

    def _words(self) -> list[str]:
        return [
            *self._board(),
            *self.monitor.words(),
            "-machine", "q35",
            # What tests/kernel says on the command line, which nobody can change here.
            "-smbios", f"type=11,value=io.systemd.credential.binary:systemd.unit-dropin.multi-user.target={_WANTS}",
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE / 'OVMF_CODE_4M.fd'}",
            "-drive", f"if=pflash,unit=1,format=raw,file={self._variables}",
            *self._disk_words(),
            "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
            *self.extra,
        ]  # fmt: skip

    def _disk_words(self) -> list[str]:
        return ["-drive", f"file={self.disk},if=virtio,format=raw,cache=writeback"]

    def switch_on(self) -> None:
        """Start it, and wait until systemd has nothing left to do. Raises MachineFailed."""
        self.start(stays=False)
        self.unpack(tests(), _TESTS)
        self.shell("systemctl is-system-running --wait || true", silence_s=400)

    def attach(self) -> None:
        super().attach()
        self.monitor.open()

    def stop(self) -> None:
        super().stop()
        self.monitor.close()

    def switches_itself_off(self, patience_s: float) -> bool:
        """Say whether it switches itself off in that time, and does not start anew or panic."""
        assert self._process, "it was not started by this process"
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return False
        return self.monitor.how_it_ended() == OFF

    def until_it_restarts(self, silence_s: float = 1500) -> None:
        """Wait until it starts anew, and leave it switched off. Raises MachineFailed, also when it goes off."""
        try:
            self.shell("while sleep 1; do :; done", silence_s=silence_s)
        except MachineFailed as error:
            if "was silent" in str(error):
                raise
        end = self.monitor.how_it_ended()
        self.stop()
        if end != RESTARTS or _PANIC in self.last_words(400):
            raise MachineFailed(f"it ended by {end}; {self.last_words()}")

    def partition(self, name: str) -> tuple[int, int]:
        """Return where a partition begins, in bytes of the disk, and its number."""
        told = subprocess.run(["sfdisk", "--json", self.disk], capture_output=True, text=True, check=True)
        table = json.loads(told.stdout)["partitiontable"]
        (found,) = [
            (each["start"] * table["sectorsize"], number)
            for number, each in enumerate(table["partitions"], 1)
            if each["name"] == name
        ]
        return found

    def change_a_byte_of(self, partition: str) -> None:
        """Change the first byte of what a partition of the image holds, as an attacker or a dying disk does."""
        start, _ = self.partition(partition)
        with self.disk.open("r+b") as disk:
            disk.seek(start)
            byte = disk.read(1)
            disk.seek(-1, 1)
            disk.write(bytes([byte[0] ^ 1]))

    def put_boot_file(self, file: Path) -> None:
        """Put another file where the firmware looks for what slot A starts."""
        start, _ = self.partition("esp-a")
        words = ["mcopy", "-o", "-i", f"{self.disk}@@{start}", file, "::EFI/BOOT/BOOTX64.EFI"]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)

    def put_system(self, image: Path) -> None:
        """Write what an image starts over that of slot A."""
        for name, file in {"esp-a": "esp.img", "root-a": "root.erofs", "verity-a": "root.verity"}.items():
            start, _ = self.partition(name)
            words = [f"if={image / file}", f"of={self.disk}", "bs=1M", "oflag=seek_bytes", f"seek={start}"]
            subprocess.run(["dd", *words, "conv=notrunc"], check=True, capture_output=True)

    def pull_the_plug(self) -> None:
        self.stop()

    def configure(self, text: str) -> None:
        """Give it a configuration and start its processes with it."""
        self.unpack_text("/etc/scopegate/scopegate.toml", text)
        self.shell("systemctl restart scopegate-forward scopegate-capture scopegate-panel", silence_s=400)

    def unpack_text(self, path: str, text: str) -> None:
        self.shell(f"cat > {path} <<'END_OF_TEXT'\n{text}\nEND_OF_TEXT")

    def python(self, text: str) -> Any:
        """Run a program in the box, beside the tests' files; return what it printed, read as JSON."""
        self.unpack_text("/run/program.py", text)
        said = self.shell(f"cd {_TESTS} && PYTHONPATH={_TESTS} python3 /run/program.py", silence_s=600)
        try:
            return json.loads(said.splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise MachineFailed(f"the program said no JSON: {said}") from error
