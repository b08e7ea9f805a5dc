"""What may be written for pedals, contacts, keys, lamps and tones: their devices, and which byte, line, key or pin.

Each kind of [[trigger]] and [[sign]] has its own words; `keys` says which check belongs to which kind.
"""

import re
from functools import cache

from gateway.config.values import Check, Wrong, near, shown, words_of
from gateway.messages import N_

LINES = ("cts", "dsr", "cd", "ri")  # of a serial port, switched by the other side
LAMP_LINES = ("rts", "dtr")  # switched by this side

_BYTE = re.compile(r"byte:(0x[0-9A-Fa-f]{1,2}|[0-9]{1,3})")
_PIN = re.compile(r"pin:([0-9]{1,4})")
_KEY = re.compile(r"key:([A-Za-z0-9_]+)")
_HEX = re.compile(r"0[xX][0-9A-Fa-f]{1,3}")
_USB = re.compile(r"usb:[0-9]+-[0-9]+(\.[0-9]+)*")
_IDENTITY = re.compile(r"[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}")
# A name of its own, or a sound card of one of ALSA's kinds. Others of its kinds write files and start programs
# (`file:'|...'`), and a configuration may come from elsewhere.
_SOUND = re.compile(r"[A-Za-z0-9_-]+|(default|sysdefault|hw|plughw|dmix|front|hdmi|iec958):[A-Za-z0-9_=,.-]+")
_HIGHEST_KEY = 0x2FF  # KEY_MAX of linux/input-event-codes.h


def serial_device(value: object) -> str:
    return _path(value, N_("a serial port, such as /dev/ttyUSB0"))


def gpio_device(value: object) -> str:
    return _path(value, N_("a GPIO chip, such as /dev/gpiochip0"))


def input_device(value: object) -> str:
    """Check where a pedal or keyboard is: at a port of USB, by what it is, or by a path of /dev/input."""
    words = words_of(value)
    kind, _, what = words.partition(":")
    if kind == "id" and _IDENTITY.fullmatch(what):
        return words.lower()
    if _USB.fullmatch(words) or (words.startswith("/dev/input/") and "\0" not in words):
        return words
    raise Wrong(f'must be "usb:1-1.4", "id:0c45:7403" or a path below /dev/input, not {shown(value)}')


def sound_device(value: object) -> str:
    words = words_of(value)
    if not _SOUND.fullmatch(words):
        raise Wrong(f'must be an ALSA device, such as "default" or "plughw:CARD=Device", not {shown(value)}')
    return words


def identity(value: object) -> str:
    """Check vendor and product of a USB device; "" is any."""
    words = words_of(value)
    if words and not _IDENTITY.fullmatch(words):
        raise Wrong(f'must be vendor and product, such as "0c45:7403", not {shown(value)}')
    return words.lower()


def serial_press(value: object) -> str:
    """Check which byte or line of a serial pedal is a press; a byte becomes `byte:0x..`. "" is none."""
    words = words_of(value)
    if words in LINES or not words:
        return words
    found = _BYTE.fullmatch(words)
    if not found or int(found[1], 0 if "x" in found[1] else 10) > 255:  # noqa: PLR2004 - a byte
        lines = ", ".join(f'"{line}"' for line in LINES)
        raise Wrong(f'must be "byte:0x00" to "byte:0xFF", or one of the lines {lines}, not {shown(words)}')
    return f"byte:0x{int(found[1], 0 if 'x' in found[1] else 10):02X}"


def input_press(value: object) -> str:
    """Check which key is a press, by its name in Linux or its number; it becomes `key:0x..`. "" is none."""
    words = words_of(value)
    if not words:
        return ""
    found = _KEY.fullmatch(words)
    if found and _HEX.fullmatch(found[1]):
        code = int(found[1], 16)
    else:
        known = _key_names()
        name = found[1].upper() if found else ""
        code = next((known[each] for each in (name, f"KEY_{name}") if each in known), _HIGHEST_KEY + 1)
    if code > _HIGHEST_KEY:
        names = [name.removeprefix("KEY_") for name in _key_names()]
        if found and (meant := near(found[1].upper(), names)):
            raise Wrong(
                'must be a key, such as "key:F13", "key:PAGEDOWN" or "key:0x1A3", '
                f"not {shown(words)}; did you mean {meant}?"
            )
        raise Wrong(f'must be a key, such as "key:F13", "key:PAGEDOWN" or "key:0x1A3", not {shown(words)}')
    return f"key:0x{code:X}"


def key_name(code: int) -> str:
    """Return the word for a key that a person recognises, as `input_press` takes it."""
    name = next((name for name, number in _key_names().items() if number == code), "")
    return f"key:{name.removeprefix('KEY_')}" if name and not name[4:].isdigit() else f"key:0x{code:X}"


def gpio_press(value: object) -> str:
    """Check which pin of a GPIO chip is a contact; "" is none."""
    words = words_of(value)
    return pin(words) if words else ""


def pin(value: object) -> str:
    """Check a pin of a GPIO chip; it becomes `pin:N`."""
    words = words_of(value)
    found = _PIN.fullmatch(words)
    if not found:
        raise Wrong(f'must be a pin of the chip, such as "pin:17", not {shown(words)}')
    return f"pin:{int(found[1])}"


def _path(value: object, what: str) -> str:
    words = words_of(value)
    if not words.startswith("/") or "\0" in words:
        raise Wrong(f"must be the full path of {what}, not {shown(value)}")
    return words


@cache
def _key_names() -> dict[str, int]:
    """Return the kernel's names of keys and buttons with their numbers."""
    # Some 700 names that only a configuration with such a pedal needs; each process reads the configuration.
    from linuxpy.input.raw import Key  # noqa: PLC0415

    marks = {"KEY_RESERVED", "KEY_MAX", "KEY_CNT", "KEY_MIN_INTERESTING"}
    return {name: int(key) for name, key in Key.__members__.items() if name not in marks}


TRIGGER_KINDS: dict[str, dict[str, Check]] = {
    "serial": {"device": serial_device, "still": serial_press, "clip": serial_press},
    "input": {"device": input_device, "still": input_press, "clip": input_press},
    "gpio": {"device": gpio_device, "still": gpio_press, "clip": gpio_press},
}
