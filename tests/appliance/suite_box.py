"""An appliance in which tests/kernel runs: the image as it is, with the tests laid over it.

Everything of the product is the image's own: programs, units, rules, kernel. Its file system cannot be written, so
the tests lie in memory above it, and what they store lies on the box's encrypted partition.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.appliance.appliance import Appliance
from tests.kernel.machine import PRODUCT, one_at_a_time, runner, tests

_OVER = (PRODUCT, "/srv")
_STORES = "/var/tmp/tests"


class SuiteBox(Appliance):
    """One that is forgotten afterwards."""

    def install(self) -> None:
        """Bring the tests in, and nothing of the product."""
        for number, folder in enumerate(_OVER):
            upper = f"/run/over/{number}"
            layers = f"lowerdir={folder},upperdir={upper}/new,workdir={upper}/work"
            self.shell(f"mkdir -p {upper}/new {upper}/work && mount -t overlay overlay -o {layers} {folder}")
        self.shell(f"mkdir -p /data/tests {_STORES} && mount --bind /data/tests {_STORES}")
        self.unpack(tests(), PRODUCT)
        self.unpack(runner())


@contextmanager
def suite_box(image: Path) -> Iterator[SuiteBox]:
    with TemporaryDirectory(prefix="scopegate-suite-") as folder, one_at_a_time():
        box = SuiteBox(Path(folder), image=image)
        try:
            box.start(stays=False)
            box.shell("systemctl is-system-running --wait || true", silence_s=400)
            box.install()
            yield box
        finally:
            box.stop()
