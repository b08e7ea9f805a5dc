"""What the image does with USB before anything of ours runs: command line, rules of udev, modules that stay out."""

import re
from pathlib import Path

import pytest

from gateway.machine.update.trial import UNITS
from gateway.machine.usb import judging
from gateway.machine.usb.descriptors import interfaces
from tests.unit.machine.usb_table import KNOWN, descriptors, drivers_of

ROOT = Path(__file__).resolve().parents[2]
BOX = ROOT / "image-build" / "tree" / "box"
INITRD = BOX / "usr/lib/dracut/modules.d/80scopegate"
RULES = BOX / "etc/udev/rules.d/61-scopegate-usb.rules"
START = INITRD / "62-scopegate-usb-start.rules"


def rules(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def test_no_device_is_configured_by_itself_from_the_first_moment_on() -> None:
    assert " usbcore.authorized_default=0" in (ROOT / "image-build/parts/image.sh").read_text()


def test_no_interface_gets_a_driver_and_no_key_is_heard_by_itself() -> None:
    places, _, faces, keys, _ = rules(RULES)
    assert places == 'SUBSYSTEM=="block", ENV{ID_BUS}=="usb", OPTIONS+="link_priority=-100"'
    assert 'ATTR{authorized_default}="0", ATTR{interface_authorized_default}="0"' in faces
    assert keys == 'SUBSYSTEM=="input", KERNEL=="input[0-9]*", SUBSYSTEMS=="usb|serio", ATTR{inhibited}="1"'


def test_no_rule_lets_anything_in_but_hubs_and_sticks_in_the_initrd() -> None:
    for path in [RULES, *(ROOT / "systemd/udev").glob("*.rules"), *BOX.rglob("*.rules")]:
        lets_in = [line for line in rules(path) if re.search(r'ATTR\{authorized\}\s*="1"', line)]
        assert bool(lets_in) == (path == START), path
    for line in [line for line in rules(START) if "ATTR{authorized}=" in line]:
        assert re.search(r'bDeviceClass\}=="09"|ID_USB_INTERFACES\}=="\*:0806|bInterfaceClass\}=="08\|09"', line), (
            line
        )


def test_a_new_version_in_which_nothing_is_let_in_goes_back() -> None:
    assert "scopegate-usb.service" in UNITS
    assert all((ROOT / "systemd" / name).is_file() for name in UNITS)


def test_the_initrd_brings_both_rules() -> None:
    setup = (INITRD / "module-setup.sh").read_text()
    assert "inst_simple /etc/udev/rules.d/61-scopegate-usb.rules" in setup
    assert 'inst_simple "$moddir/62-scopegate-usb-start.rules" /etc/udev/rules.d/' in setup


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.what)
def test_a_driver_of_a_network_or_a_radio_is_never_loaded_for_a_device(known) -> None:
    """A second wall: those that the judgement refuses for it are refused by modprobe as well."""
    kept_out = set(
        re.findall(r"^blacklist (\w+)$", (BOX / "etc/modprobe.d/scopegate-usb.conf").read_text(), re.MULTILINE)
    )
    lets_in = set(judging.DRIVERS)
    assert not kept_out & lets_in
    found = set().union(*(drivers_of(each.modalias) for each in interfaces(descriptors(known))))
    others = {"apple_mfi_fastcharge", "usblp", "qcserial", "option"}  # a charger, a printer; serial ports of modems
    assert found - lets_in - others <= kept_out
