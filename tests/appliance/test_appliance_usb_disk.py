"""A box whose own disk is on USB: it works from it, and takes no part of it for somebody's stick."""

import json
import shlex
from pathlib import Path
from typing import Any

from tests.appliance.appliance import Appliance
from tests.kernel.machine import one_at_a_time


class OnUsb(Appliance):
    def _disk_words(self) -> list[str]:
        drive = f"if=none,id=own,format=raw,cache=writeback,file={self.disk}"
        return ["-drive", drive, "-device", "qemu-xhci", "-device", "usb-storage,drive=own"]

    def said(self, *words: str) -> Any:
        return json.loads(self.shell(shlex.join(words)))


def test_a_box_on_usb_takes_no_part_of_its_own_disk_for_a_stick(tmp_path: Path, image: Path) -> None:
    box = OnUsb(tmp_path / "box", image=image)
    with one_at_a_time():
        try:
            box.switch_on()
            parts = box.said("lsblk", "--json", "--list", "--output", "NAME,TRAN,FSTYPE,PARTLABEL,MOUNTPOINT")
            stick = box.shell("ls /dev/scopegate-stick 2>&1; findmnt /media/usb; true")
            opened = box.said("cat", "/run/scopegate-machine/data.json")["opened"]
            units = box.shell("systemctl is-active scopegate-capture scopegate-panel; true").split()
        finally:
            box.stop()
    found = {each["partlabel"]: each for each in parts["blockdevices"] if each["partlabel"]}
    assert found["esp-a"]["fstype"] == "vfat", "there is nothing that could be taken for a stick"
    assert found["esp-a"]["name"].startswith("sd")
    assert "/media/usb" not in stick
    assert "No such file" in stick
    assert [name for name, each in found.items() if each["mountpoint"]] == []
    assert (opened, units) == (True, ["active", "active"])
