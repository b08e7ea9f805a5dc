"""Arrivals in words: one line each, or a table. Never a patient's name."""

from collections.abc import Iterable

from pydicom.uid import UID

from gateway.config.dicom import TRANSFER_SYNTAXES
from gateway.demo.archive import Arrival

_MEGA = 1_000_000
_KILO = 1_000
_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture",
}
_HEADINGS = ("instance", "SOP class", "transfer syntax", "frames", "size")


def sop_class(uid: str) -> str:
    return _CLASSES.get(uid) or UID(uid).name.removesuffix(" Storage")


def transfer_syntax(uid: str) -> str:
    return TRANSFER_SYNTAXES.get(uid) or UID(uid).name


def size(count: int) -> str:
    return f"{count / _MEGA:.1f} MB" if count >= _MEGA else f"{count / _KILO:.0f} kB"


def line(arrival: Arrival, *, count: int, total: int) -> str:
    """Say what arrived; `total` is how many its exams have, 0 when that is not known."""
    of = f"{count} of {total}" if total >= count else f"object {count} of its study"
    again = " again" if arrival.again else ""
    return f"Archive received {of}{again}: {sop_class(arrival.sop_class_uid)}, {size(arrival.bytes)}"


def table(arrivals: Iterable[Arrival]) -> list[str]:
    """Return a table's lines, in order of instance numbers."""
    rows = [_HEADINGS]
    rows += [
        (
            each.instance_number,
            sop_class(each.sop_class_uid),
            transfer_syntax(each.transfer_syntax_uid),
            str(each.frames),
            size(each.bytes),
        )
        for each in sorted(arrivals, key=lambda each: int(each.instance_number or 0))
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
