"""A box whose power is cut: its disk loses its cache, its folder stays, and the next start is of the same box.

Its chip, where it has one, loses its power with it.
"""

import base64
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.appliance.appliance import Appliance
from tests.appliance.chip import chip
from tests.appliance.volatile_disk import VolatileDisk
from tests.box import until
from tests.kernel.machine import BOOT_S, MachineFailed, mortal

NEVER_FLUSHES = Path("/usr/lib/x86_64-linux-gnu/libeatmydata.so")
_SILENCE_S = 600


class CutBox(Appliance):
    """An appliance in `folder`, where one may have been before; `clock`: what it says when it is switched on."""

    def __init__(self, folder: Path, *, image: Path, extra: Sequence[str] = (), has_chip: bool = False) -> None:
        super().__init__(folder, image=image, extra=extra)
        self.clock = ""
        self.has_chip = has_chip
        self._chip = ExitStack()
        self._chip_words: list[str] = []
        self.chance: random.Random | None = None  # by which some of what was not flushed stays
        self._volatile = VolatileDisk(self.disk, folder)

    def _words(self) -> list[str]:
        return [*super()._words(), *self._chip_words, *(["-rtc", f"base={self.clock}"] if self.clock else [])]

    def _disk_words(self) -> list[str]:
        return self._volatile.words()

    def _boot(self, *, stays: bool) -> None:
        self._power()
        super()._boot(stays=stays)

    def start_and_cut(self, after_s: float, *, has: str = "") -> None:
        """Cut the power so many seconds after it was switched on, or its disk has that partition."""
        self._power()
        self._process = mortal(self._words(), self.folder)
        if has:
            until(f"a partition {has}", lambda: self._has(has), BOOT_S, pause_s=0.2)
        time.sleep(after_s)
        self.cut()

    def _power(self) -> None:
        self._volatile.switch_on()
        if self.has_chip:
            self._chip_words = self._chip.enter_context(chip(self.folder))

    def _has(self, partition: str) -> bool:
        told = subprocess.run(["sfdisk", "--json", self.disk], capture_output=True, text=True, check=False).stdout
        return f'"name": "{partition}"' in told

    def cut(self) -> None:
        assert self._process, "the box is not switched on"
        self._volatile.cut(self._process.pid, self.chance)

    def pull_the_plug(self) -> None:
        self.cut()
        self.stop()

    def stop(self) -> None:
        super().stop()
        self._chip.close()
        self._volatile.switch_off()

    def reports(self, module: str, *words: str) -> Iterator[dict[str, Any]]:
        """Run a module of the tests in the box, yield what it tells. Raises MachineFailed, also when it fails."""
        command = ["python3", "-m", f"tests.appliance.{module}", *words]
        for answer in self.run(command, silence_s=_SILENCE_S, folder="/run/tests"):
            if "report" in answer:
                yield answer["report"]
            elif answer["exit"]:
                raise MachineFailed(f"{module} ended with {answer['exit']}: {answer['output'][-3000:]}")

    def until_cut(self, after_s: float, module: str, *words: str, since: str = "") -> Iterator[dict[str, Any]]:
        """Yield what a module tells, until the power is cut: so many seconds after its first word, or `since`."""
        gone = threading.Event()

        def cut() -> None:
            gone.set()
            self.cut()

        timer = threading.Timer(after_s, cut)
        try:
            for report in self.reports(module, *words):
                if not timer.ident and (not since or since in report):
                    timer.start()
                yield report
        except MachineFailed:
            if not gone.is_set():
                raise
        finally:
            timer.cancel()
            if timer.ident:
                timer.join()
            self.stop()

    def never_flush(self) -> None:
        """Start the product's processes anew, in which from now on no flush reaches the kernel."""
        self.shell("mkdir -p /run/careless")
        self.unpack_bytes("/run/careless/never.so", NEVER_FLUSHES.read_bytes())
        for name in ("capture", "forward", "panel"):
            folder = f"/run/systemd/system/scopegate-{name}.service.d"
            self.shell(f"mkdir -p {folder}")
            self.unpack_text(f"{folder}/careless.conf", "[Service]\nEnvironment=LD_PRELOAD=/run/careless/never.so")
        self.shell("systemctl daemon-reload")
        self.shell("systemctl restart scopegate-capture scopegate-forward scopegate-panel", silence_s=400)

    def unpack_bytes(self, path: str, content: bytes) -> None:
        self.shell(f"base64 --decode > {path} <<'END'\n{base64.b64encode(content).decode()}\nEND")

    def copy_to(self, folder: Path) -> None:
        """Keep the disk and the firmware's variables as they are now, for another box."""
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--sparse=always", self.disk, self._variables, folder], check=True)
