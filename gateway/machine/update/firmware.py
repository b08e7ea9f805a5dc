"""What the firmware starts next: its entries for the two slots, made when they are missing, kept first.

efibootmgr(8) speaks with it; RAUC uses the same entries by their names. Reads and plans; others run the words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SLOTS = ("a", "b")
_ENTRY = re.compile(r"^Boot([0-9A-Fa-f]{4})[* ] ([^\t\n]*)(?:\t(.*))?$", re.MULTILINE)
_ORDER = re.compile(r"^BootOrder: (\S+)$", re.MULTILINE)
_NUMBER = r"^{}: ([0-9A-Fa-f]{{4}})$"
Words = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    number: str
    name: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Firmware:
    """What efibootmgr said."""

    entries: tuple[Entry, ...]
    order: tuple[str, ...]
    current: str
    next: str

    def numbers(self, slot: str) -> tuple[str, ...]:
        return tuple(entry.number for entry in self.entries if entry.name == name(slot))


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The partition that a slot starts from: its disk, its number there, its own id."""

    disk: Path
    number: int
    id: str


def name(slot: str) -> str:
    """Return the name of a slot's entry, which is RAUC's bootname too."""
    return f"scopegate-{slot}"


def read(said: str) -> Firmware:
    """Return what efibootmgr printed."""
    order = _ORDER.search(said)
    return Firmware(
        entries=tuple(
            Entry(number=number, name=called.strip(), path=path or "")
            for number, called, path in _ENTRY.findall(said)
        ),
        order=tuple(order[1].split(",")) if order else (),
        current=_number(said, "BootCurrent"),
        next=_number(said, "BootNext"),
    )


def entries_put_right(found: Firmware, starts: Mapping[str, Start], loader: str) -> list[Words]:
    """Return the words for efibootmgr after which each slot has one entry, which starts its own partition."""
    words: list[Words] = []
    for slot in SLOTS:
        ours = [entry for entry in found.entries if entry.name == name(slot)]
        right = [entry for entry in ours if starts[slot].id.lower() in entry.path.lower() and _ends(entry, loader)]
        words += [("--bootnum", entry.number, "--delete-bootnum") for entry in ours if entry not in right[:1]]
        if not right:
            place = starts[slot]
            made = (
                "--disk",
                str(place.disk),
                "--part",
                str(place.number),
                "--label",
                name(slot),
                "--loader",
                loader,
            )
            words.append(("--create-only", *made))
    return words


def order_put_right(found: Firmware, running: str, good: Sequence[str]) -> Words | None:
    """Return the words after which the slots stand first, and of them the running one; None when they do.

    Which slots, RAUC said: `good` ones are put in only where there are none (a new box, a firmware that forgot).
    """
    first = ours_in_order(found)
    first = [slot for slot in (running, *first) if slot in first] or list(good)
    first = [number for slot in dict.fromkeys(first) for number in found.numbers(slot)]
    wanted = (*first, *(number for number in found.order if number not in first))
    return None if wanted == found.order or not first else ("--bootorder", ",".join(wanted))


def ours_in_order(found: Firmware) -> list[str]:
    """Return the slots that the firmware starts without being asked, the one it prefers first."""
    slots = {number: slot for slot in SLOTS for number in found.numbers(slot)}
    return [slots[number] for number in found.order if number in slots]


def _ends(entry: Entry, loader: str) -> bool:
    return loader.lower() in entry.path.lower().replace("/file(", "").replace(")", "")


def _number(said: str, key: str) -> str:
    found = re.search(_NUMBER.format(key), said, re.MULTILINE)
    return found[1] if found else ""
