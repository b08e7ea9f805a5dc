"""The product shows its panel and nothing else, whatever is plugged in or typed."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from tests.appliance.appliance import SAID_BY_THE_BOARD, Appliance
from tests.appliance.product import Product, product_of
from tests.appliance.screen import Picture, has_the_panels_ground, same
from tests.kernel.machine import one_at_a_time

FIRST_LANGUAGE = 0.1, 0.2  # where it is on the first page of a new box
# Nobody hears this keyboard, which nobody let in; test_appliance_usb.py presses the same on one that is heard.
WAYS_OUT = (
    *(("ctrl", "alt", f"f{number}") for number in range(1, 7)),
    ("alt", "sysrq", "b"),  # at once, without asking the disks
    ("alt", "sysrq", "f"),
    *[("ctrl", "alt", "delete")] * 8,
    ("alt", "f4"),
    ("ctrl", "n"),
    ("ctrl", "alt", "t"),
    ("meta_l",),
)


# What two starts of the product left of a box, looked at by an image for tests on its disk.
LEFT = """
import json
from pathlib import Path
journals = [each.name for each in Path("/data/journal").iterdir()]
number = Path("/etc/machine-id").read_text().strip()
settings = Path("/data/settings/scopegate.toml").read_text()
print(json.dumps({"journals": journals, "number": number, "settings": settings}))
"""


class Seen(NamedTuple):
    first: Picture
    page: Picture  # after it was touched
    after_keys: Picture
    is_on: bool
    serial: str
    folder: Path  # of its disk


@pytest.fixture(scope="module")
def product(image: Path) -> Path:
    return product_of(image)


def test_a_product_has_nothing_that_asks_for_a_name(product: Path) -> None:
    files = {Path(line.split("\t")[0]).name for line in (product / "files.txt").read_text().splitlines()}
    assert "systemd-logind.service" in files
    ways_in = ("getty@.service", "serial-getty@.service", "debug-shell.service", "systemd-debug-generator", "sshd")
    assert files.isdisjoint(ways_in)
    assert "console=" not in (product / "cmdline").read_text()


@pytest.fixture(scope="module")
def seen(product: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("product")
    with one_at_a_time():
        box = Product(folder / "box", image=product)
        try:
            box.plug_in()
            first = box.screen.settled()
            box.screen.touch(*FIRST_LANGUAGE)
            page = box.screen.settled()
            for keys in WAYS_OUT:
                box.monitor.press(*keys)
            box.type_into_serial_port("\r\nroot\r\nls\r\n")
            after = box.screen.settled()
            is_on = box.is_on
            box.stop()
            box.plug_in()
            box.screen.settled()
        finally:
            box.stop()
    for name, picture in (("first", first), ("page", page), ("after", after)):
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    print(f"what its screen showed lies in {folder}")
    return Seen(first, page, after, is_on, box.console.read_text(errors="replace"), box.folder)


def test_its_screen_shows_a_page_of_the_panel(seen: Seen) -> None:
    colours = np.unique(seen.first.reshape(-1, 3), axis=0)
    assert len(colours) > 20  # letters with soft edges, not a console
    assert min(seen.first.shape[:2]) >= 600
    assert has_the_panels_ground(seen.first)


def test_no_key_leads_out_of_it(seen: Seen) -> None:
    assert not same(seen.first, seen.page)  # it can be touched
    assert same(seen.page, seen.after_keys)
    assert seen.is_on


def test_its_serial_port_says_nothing_and_asks_nothing(seen: Seen) -> None:
    assert "BdsDxe" in seen.serial  # the firmware speaks, and somebody listens
    said = seen.serial.lower()
    assert "login" not in said
    assert "linux version" not in said
    assert "systemd" not in said


def test_a_mainboards_strings_have_no_say(seen: Seen) -> None:
    """The control, an image that takes them: test_appliance_as_delivered.py."""
    assert SAID_BY_THE_BOARD not in seen.serial


def test_its_starts_have_one_number_and_one_journal(seen: Seen, image: Path) -> None:
    """Two of the product's and this one. The first had none yet: there was no data partition."""
    box = Appliance(seen.folder, image=image)
    box.put_system(image)
    with one_at_a_time():
        try:
            box.switch_on()
            left = box.python(LEFT)
        finally:
            box.stop()
    assert left["number"] in left["journals"]
    assert len(left["journals"]) == 2
    assert "[panel]" in left["settings"]
