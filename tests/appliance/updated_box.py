"""Updates for a box in a virtual machine: bundles of all kinds, and the stick on which they come."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.appliance.cut_box import CutBox
from tests.kernel.machine import CACHE, ROOT, MachineFailed

BUILD = ROOT / "image-build" / "build"
STICK = "/media/usb"
TRIES = 6
_LABEL = "UPDATES"
_MB = 1 << 20
_WISH = "/run/scopegate/update"
_OVER = "systemctl show -P ActiveState scopegate-update | grep -qE 'inactive|failed'"


def made(*words: str | Path) -> Path:
    """Return the folder of what image-build makes in its test profile."""
    told = [BUILD, "--dir", CACHE, "--profile", "test", *words]
    done = subprocess.run(list(map(str, told)), stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])


def bundle(version: str, *, over: Path | None = None) -> Path:
    """Return a signed update of that version; `over`: files that are laid over its root."""
    return made("--as", version, *(("--over", over) if over else ()), "bundle") / "bundle.raucb"


def new_keys(folder: Path) -> Path:
    """Return keys that no box knows."""
    subprocess.run([ROOT / "image-build" / "keys", "new", folder, "--test"], check=True, capture_output=True)
    return folder


def small(
    out: Path,
    keys: Path,
    *,
    version: str = "9.0.0",
    compatible: str = "scopegate-amd64",
    signer: int = 1,
    signed_at: str = "",
) -> Path:
    """Sign a bundle that holds next to nothing: for boxes that refuse it before they read it.

    signed_at: the signer's clock, as faketime(1) takes it.
    """
    content = out.parent / f"{out.stem}-content"
    content.mkdir()
    (content / "start.img").write_bytes(os.urandom(20_000))
    (content / "manifest.raucm").write_text(
        f"[update]\ncompatible={compatible}\nversion={version}\nbuild=test\n\n"
        "[bundle]\nformat=verity\n\n[image.start]\nfilename=start.img\n"
    )
    clock = ["faketime", signed_at] if signed_at else []
    pair = "--cert", keys / f"update{signer}.crt", "--key", keys / f"update{signer}.key"
    subprocess.run(list(map(str, [*clock, "rauc", *pair, "bundle", content, out])), check=True, capture_output=True)
    shutil.rmtree(content)
    return out


def stick_words(folder: Path, files: Mapping[str, Path]) -> list[str]:
    """Make a stick (FAT32) with these files by their names, and return QEMU's words for it."""
    need = sum(file.stat().st_size for file in files.values()) // _MB + 64
    image = folder / "stick.img"
    image.unlink(missing_ok=True)
    with image.open("wb") as out:
        out.truncate(max(need, 128) * _MB)
    subprocess.run(["mkfs.vfat", "-F", "32", "-n", _LABEL, image], check=True, stdout=subprocess.DEVNULL)
    for name, file in files.items():
        subprocess.run(["mcopy", "-i", image, file, f"::/{name}"], check=True)
    drive = f"if=none,id=stick,file={image},format=raw,readonly=on"
    return ["-device", "qemu-xhci", "-drive", drive, "-device", "usb-storage,drive=stick"]


def _asks(wish: str) -> str:
    """Return the words of a shell that ask root for something."""
    return f"""echo '{{"do": "{wish}"}}' > {_WISH}-new && mv {_WISH}-new {_WISH}"""


class Updated(CutBox):
    """A box with a stick in it, which restarts when it wants to; a pulled plug costs it the disk's cache."""

    def __init__(self, folder: Path, *, image: Path, files: Sequence[Path]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, image=image, extra=stick_words(folder, {file.name: file for file in files}))

    def install_update(self, file: str) -> str:
        """Install an update of the stick; return what was said, also when it was refused."""
        self.shell(f"until mountpoint -q {STICK}; do sleep 1; done", silence_s=60)
        return self.shell(f"/opt/scopegate/bin/scopegate update install {STICK}/{file} 2>&1 || true", silence_s=900)

    def installed(self, file: str) -> None:
        """Install an update of the stick. Raises MachineFailed.

        It is asked for again where nobody knew whether an exam is open: an emulated box is late to say.
        """
        for _ in range(TRIES):
            said = self.install_update(file)
            if "update-exam-open" not in said:
                break
            self.shell("sleep 5")
        if "Installed." not in said:
            raise MachineFailed(said)

    def send(self, file: str) -> None:
        """Have root install an update of the stick as one that was sent to the panel; wait until it is over."""
        self.shell(f"until mountpoint -q {STICK}; do sleep 1; done", silence_s=60)
        self.shell(f"install -o scopegate-panel -g scopegate -m 660 {STICK}/{file} /data/upload/bundle")
        self.shell(_asks("install-uploaded"))
        self.shell(f"until ! test -e /data/upload/bundle && {_OVER}; do sleep 1; done", silence_s=900)

    def ask_twice(self, first: str, second: str) -> str:
        """Ask root for something while it obeys what was asked before; return what it said since."""
        cursor = self.shell("journalctl -u scopegate-update -n 1 --show-cursor -o cat | sed -n 's/^-- cursor: //p'")
        waits = f"test -e {_WISH}"
        self.shell(f"{_asks(first)}; while {waits}; do sleep 0.1; done; {_asks(second)}", silence_s=300)
        self.shell(f"until ! {waits} && {_OVER}; do sleep 1; done", silence_s=300)
        return self.shell(f"journalctl -u scopegate-update --after-cursor '{cursor.strip()}' -o cat --no-pager")

    def ask_for_a_rescue(self) -> dict[str, Any]:
        """Ask root for a rescue without a code, which it refuses in any case; return what it says."""
        wish, says = "/run/scopegate/repair", "/run/scopegate-machine/repair.json"
        self.shell(f"""echo '{{"do": "rescue"}}' > {wish}-new && mv {wish}-new {wish}""")
        return dict(json.loads(self.shell(f"until test -e {says}; do sleep 1; done; cat {says}", silence_s=300)))

    def until_it_is_back(self, silence_s: float = 1500) -> None:
        """Wait until it starts anew, and start it."""
        self.until_it_restarts(silence_s)
        self.switch_on()

    def restart(self) -> None:
        self.shell("systemctl --no-block reboot")
        self.until_it_is_back(300)
