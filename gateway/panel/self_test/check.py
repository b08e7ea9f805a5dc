"""One thing that was looked at: how it went, what was measured, what to do."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.messages import N_


class Result(StrEnum):
    """How it went."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "not-there"
    WAITING = "waiting"  # for somebody's hand


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """`kind` is a key of KINDS; `name` of this one among several; `measured` numbers and names, in no language."""

    kind: str
    name: str = ""
    result: Result
    measured: str = ""
    code: str = ""
    what: str = ""
    action: str = ""


KINDS = N_(
    {
        "source": "Picture source",
        "pedal": "Pedal",
        "sign": "Lamp or tone",
        "disk": "Disk writes and reads",
        "disk-life": "Wear of the disk",
        "battery-clock": "Battery clock",
        "time-server": "Time server",
        "temperature": "Temperature",
        "speed": "Full speed of the processor",
        "power": "Power supply",
        "memory": "Memory",
        "tpm": "TPM",
        "watchdog": "Watchdog of the machine",
        "network": "Network cable",
        "touch": "Touch screen",
    }
)
# What went wrong, by code, and what to do; codes that capture, disk and clock have already are said by them.
TROUBLES = N_(
    {
        "source-still": ("The picture does not move.", "Move the scanner's probe, or its menu, and begin again."),
        "source-snow": ("The picture looks like snow.", "Check its cable."),
        "pedal-not-heard": (
            "Nobody pressed it, or it was not heard.",
            "Press it within 15 seconds; check its plug.",
        ),
        "disk-slow": ("The disk is too slow for clips.", "Have it replaced by a faster one."),
        "battery-clock-off": (
            "The battery clock shows another time than the box.",
            "Have its battery replaced; set date and time.",
        ),
        "time-server-silent": ("No time server is followed.", "Ask IT for its address; look at its firewall."),
        "slowed-down": ("The processor was too hot for its full speed.", "Clean its vents; check its fan."),
        "memory-small": ("There is less memory than the box needs.", "Have more memory put in: 2 GB at least."),
        "tpm-unusable": (
            "There is a TPM that this image cannot use.",
            "Look whether it is switched on in the firmware, and whether this image was signed.",
        ),
        "watchdog-asleep": (
            "The watchdog of the machine is not in use.",
            "Start the box again; else call service.",
        ),
        "no-cable": ("No network cable is plugged in.", "Plug it in, at both ends."),
        "touch-corner": ("Not every corner felt a finger.", "Clean the glass; have the screen replaced."),
    }
)


def failed(kind: str, code: str, *, name: str = "", measured: str = "") -> Check:
    """Return a check that found something which has a code in TROUBLES."""
    what, action = TROUBLES[code]
    return Check(kind=kind, name=name, result=Result.FAILED, measured=measured, code=code, what=what, action=action)


def judged(kind: str, code: str, *, well: bool, name: str = "", measured: str = "") -> Check:
    """Return a check that is well, or fails with that code."""
    if well:
        return Check(kind=kind, name=name, result=Result.PASSED, measured=measured)
    return failed(kind, code, name=name, measured=measured)


def absent(kind: str, name: str = "") -> Check:
    """Return a check of what this box does not have."""
    return Check(kind=kind, name=name, result=Result.ABSENT)
