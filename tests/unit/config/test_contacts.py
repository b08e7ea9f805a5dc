"""Pedals, keys, contacts, lamps and tones in the configuration: what each kind may say, and what cannot work."""

import pytest

from gateway.config.contacts import input_press, key_name
from gateway.config.settings import Sign, Trigger
from tests.unit.config.tables import SOURCE

INPUT = '[[trigger]]\nkind = "input"\nsource = "us"\n'
GPIO = '[[trigger]]\nkind = "gpio"\nsource = "us"\ndevice = "/dev/gpiochip0"\n'
LAMP = '[[sign]]\nkind = "gpio"\ndevice = "/dev/gpiochip0"\n'


@pytest.fixture
def read(settings):
    return lambda text: settings(f"config_version = 1\n{SOURCE}{text}\n")


@pytest.fixture
def problems(problems):
    return lambda text: [(found.key, found.reason) for found in problems(f"config_version = 1\n{SOURCE}{text}\n")]


def test_a_pedal_with_keys_is_read(read):
    text = 'device = "usb:1-1.4"\nidentity = "0C45:7403"\nstill = "key:F13"\nclip = "key:KEY_PAGEDOWN"'
    assert read(INPUT + text).triggers == (
        Trigger(
            kind="input", device="usb:1-1.4", source="us", identity="0c45:7403", still="key:0xB7", clip="key:0x6D"
        ),
    )


def test_a_contact_at_a_pin_is_read(read):
    text = 'still = "pin:017"\nactive = "high"\nbias = "none"'
    assert read(GPIO + text).triggers == (
        Trigger(kind="gpio", device="/dev/gpiochip0", source="us", still="pin:17", active="high", bias="none"),
    )


def test_bytes_and_lines_of_a_port_are_read(read):
    text = '[[trigger]]\nkind = "serial"\nsource = "us"\ndevice = "/dev/ttyUSB0"\nstill = "cts"\nclip = "byte:83"'
    [trigger] = read(text).triggers
    assert (trigger.still, trigger.clip) == ("cts", "byte:0x53")


def test_lamps_and_tones_are_read_and_a_lamp_may_share_the_pedals_port(read):
    pedal = '[[trigger]]\nkind = "serial"\nsource = "us"\ndevice = "/dev/ttyUSB0"\nstill = "cts"\n'
    lamps = '[[sign]]\nkind = "serial"\ndevice = "/dev/ttyUSB0"\nlamp = "rts"\nactive = "low"\n'
    found = read(f'{pedal}{lamps}{LAMP}lamp = "pin:27"\n[[sign]]\nkind = "tone"')
    assert found.signs == (
        Sign(kind="serial", device="/dev/ttyUSB0", lamp="rts", active="low"),
        Sign(kind="gpio", device="/dev/gpiochip0", lamp="pin:27", active="high"),
        Sign(kind="tone", device=""),
    )


def test_pins_of_one_chip_may_belong_to_several_triggers(read):
    assert len(read(f'{GPIO}still = "pin:1"\n{GPIO}still = "pin:2"').triggers) == 2


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (INPUT + 'device = "/dev/ttyUSB0"\nstill = "key:A"', "trigger.device", "usb:1-1.4"),
        (INPUT + 'device = "usb:1"\nstill = "key:A"', "trigger.device", "usb:1-1.4"),
        (INPUT + 'device = "id:46d:c31c"\nstill = "key:A"', "trigger.device", "id:0c45:7403"),
        (INPUT + 'device = "usb:1-1"\nstill = "key:PAGEDWON"', "trigger.still", "did you mean PAGEDOWN?"),
        (INPUT + 'device = "usb:1-1"\nstill = "key:0x300"', "trigger.still", "key:0x1A3"),
        (INPUT + 'device = "usb:1-1"\nstill = "byte:0x53"', "trigger.still", "must be a key"),
        (INPUT + 'device = "usb:1-1"\nstill = 183', "trigger.still", "text in quotes"),
        (INPUT + 'device = "usb:1-1"\nstill = "key:F13"\nclip = "key:0xB7"', "trigger.clip", "same key as still"),
        (INPUT + 'device = "usb:1-1"', "trigger", "neither a still nor a clip"),
        (INPUT + 'device = "usb:1-1"\nstill = "key:A"\nidentity = "x"', "trigger.identity", "vendor and product"),
        (INPUT + 'device = "usb:1-1"\nstill = "key:A"\nbias = "none"', "trigger.bias", 'kind "gpio" only'),
        (
            f'{INPUT}device = "usb:1-1"\nstill = "key:A"\n{INPUT}device = "usb:1-1"\nstill = "key:B"',
            "trigger.device",
            "one device has one trigger",
        ),
        (GPIO + 'still = "17"', "trigger.still", "pin:17"),
        (GPIO + 'still = "pin:1"\nclip = "pin:01"', "trigger.clip", "same pin as still"),
        (GPIO + 'still = "pin:1"\nidentity = "0c45:7403"', "trigger.identity", 'kind "input" only'),
        (GPIO + 'still = "pin:1"\nactive = "on"', "trigger.active", '"low", "high"'),
        (f'{GPIO}still = "pin:1"\n{GPIO}clip = "pin:1"', "trigger.clip", "used already"),
        (f'{GPIO}still = "pin:1"\n{LAMP}lamp = "pin:1"', "sign.lamp", "used already"),
        (f'{LAMP}lamp = "pin:1"\n{LAMP}lamp = "pin:1"', "sign.lamp", "used already"),
        (LAMP + 'lamp = "rts"', "sign.lamp", "pin:17"),
        ('[[sign]]\nkind = "serial"\ndevice = "/dev/x"\nlamp = "cts"', "sign.lamp", '"rts", "dtr"'),
        ('[[sign]]\nkind = "tone"\nlamp = "rts"', "sign.lamp", 'kind "gpio", "serial" only'),
        ('[[sign]]\nkind = "tone"\ndevice = ""', "sign.device", "ALSA"),
        ('[[sign]]\nkind = "tone"\ndevice = "file:\'|id\',raw"', "sign.device", "ALSA"),  # would start a program
        ('[[sign]]\nkind = "tone"\ndevice = "file:FILE=x,FORMAT=raw"', "sign.device", "ALSA"),
        ('[[sign]]\nkind = "tone"\n[[sign]]\nkind = "tone"', "sign", "plays its tones there already"),
        ('[[sign]]\ndevice = "default"', "sign", "kind is missing"),
        ('[[sign]]\nkind = "siren"', "sign.kind", '"tone", "gpio", "serial"'),
    ],
)
def test_what_cannot_work_is_named_with_its_key_and_reason(problems, text, key, reason):
    assert [found for found in problems(text) if found[0] == key and reason in found[1]], problems(text)


def test_every_key_of_linux_has_a_word_that_means_it():
    for code in range(1, 0x2FF):
        assert input_press(key_name(code)) == f"key:0x{code:X}"
    assert (key_name(183), key_name(2), key_name(0x110)) == ("key:F13", "key:0x2", "key:BTN_MOUSE")
