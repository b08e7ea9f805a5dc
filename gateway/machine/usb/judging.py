"""Which interfaces of a USB device the box has a use for: those whose drivers are all of a short list."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from gateway.machine.usb.descriptors import Interface


class Use(StrEnum):
    """What an interface is for."""

    HUB = "hub"
    PICTURES = "pictures"
    SOUND = "sound"
    STICK = "stick"
    SERIAL = "serial"
    INPUT = "input"  # whether it may type is judged by what the kernel makes of it (inputs.py)
    NONE = "none"


DRIVERS = {
    "usbcore": Use.HUB,
    "uvcvideo": Use.PICTURES,
    "em28xx": Use.PICTURES,
    "stk1160": Use.PICTURES,
    "usbtv": Use.PICTURES,
    "snd_usb_audio": Use.SOUND,
    "usb_storage": Use.STICK,
    "uas": Use.STICK,
    "cdc_acm": Use.SERIAL,
    "ftdi_sio": Use.SERIAL,
    "cp210x": Use.SERIAL,
    "pl2303": Use.SERIAL,
    "ch341": Use.SERIAL,
    "usbhid": Use.INPUT,
    "usbtouchscreen": Use.INPUT,
}
# No driver looks for these: that of their partner takes them along. Data of CDC are a modem's or a network's.
_PARTNERS = {0x01: Use.SOUND, 0x0A: Use.SERIAL, 0x0E: Use.PICTURES}


def uses(interfaces: Sequence[Interface], drivers: Callable[[str], frozenset[str]]) -> list[Use]:
    """Return what each of a device's interfaces is for. `drivers`: those that the kernel has for a modalias."""
    found = [_alone(drivers(each.modalias)) for each in interfaces]
    return [_among(each, use, frozenset(found)) for each, use in zip(interfaces, found, strict=True)]


def _alone(drivers: frozenset[str]) -> Use | None:
    """Return what all of its drivers are for; None for one that has no driver."""
    if not drivers:
        return None
    found = {DRIVERS.get(driver, Use.NONE) for driver in drivers}
    return Use.NONE if Use.NONE in found else min(found)  # the sound of an analogue grabber is of two drivers


def _among(interface: Interface, use: Use | None, others: frozenset[Use | None]) -> Use:
    if use is Use.INPUT and Use.PICTURES in others:
        return Use.NONE  # a grabber has no business with keys
    if use is None:
        partner = _PARTNERS.get(interface.kind, Use.NONE)
        return partner if partner in others else Use.NONE
    return use
