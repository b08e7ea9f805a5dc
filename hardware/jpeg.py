"""A grabber's JPEG made complete, its scan data untouched; what cannot be made complete is no picture.

Grabbers leave out the Huffman tables that every JPEG of their kind has (an AVI file may), send bytes after the end,
or only half of a picture. A decoder may then guess, and an archive's decoder guesses differently.
"""

from dataclasses import dataclass, field

import numpy as np

from hardware.errors import PictureDamaged

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _SOF0, _APP0 = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xC0, 0xE0
_OTHER_FRAMES = frozenset({0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_FILL, _STUFFED, _RESTART, _RESTART_BITS = 0xFF, 0x00, 0xD0, 0xF8

# ISO/IEC 10918-1 K.3: the number of codes of each length, then their values. Class << 4 | identifier.
_LUMA_DC = bytes.fromhex("00010501010101010100000000000000") + bytes(range(12))
_CHROMA_DC = bytes.fromhex("00030101010101010101010000000000") + bytes(range(12))
_LUMA_AC = bytes.fromhex(
    "0002010303020403050504040000017d"
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435"
    "363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798"
    "999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4"
    "f5f6f7f8f9fa"
)
_CHROMA_AC = bytes.fromhex(
    "00020102040403040705040400010277"
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a"
    "35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a9293949596"
    "9798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4"
    "f5f6f7f8f9fa"
)
_STANDARD = {0x00: _LUMA_DC, 0x10: _LUMA_AC, 0x01: _CHROMA_DC, 0x11: _CHROMA_AC}


@dataclass(kw_only=True, slots=True)
class _Found:
    """What a codestream has said of itself so far."""

    size: tuple[int, int] = (0, 0)
    tables: dict[int, int] = field(default_factory=dict)  # component: its quantisation table
    sampling: list[tuple[int, int]] = field(default_factory=list)
    quantisation: set[int] = field(default_factory=set)
    huffman: set[int] = field(default_factory=set)
    interval: int = 0  # MCUs between two restarts
    scanned: set[int] = field(default_factory=set)


def whole(data: bytes, *, width: int, height: int) -> bytes:
    """Return the baseline JPEG in `data` with all of its tables, without what follows it, of even length.

    Raises PictureDamaged when it is none, not whole, or not of that size.
    """
    if data[:2] != b"\xff\xd8":
        raise PictureDamaged("A picture does not begin as a JPEG.")
    found, kept, place = _Found(), [data[:2]], 2
    while True:
        marker, start = _marker(data, place)
        if marker == _EOI:
            break
        end = _segment_end(data, start)
        body = data[start + 2 : end]
        if marker == _SOS:
            kept.extend(_missing_tables(found, body))
            end, restarts = _scan_end(data, end)
            _check_scan(found, body, restarts)
        elif marker == _APP0 and body.startswith(b"AVI1"):
            place = end  # it speaks of the fields of an AVI file
            continue
        else:
            _note(found, marker, body)
        kept.append(b"\xff" + bytes([marker]) + data[start:end])
        place = end
    _check_whole(found, width, height)
    kept.append(b"\xff\xd9")
    stream = b"".join(kept)
    return stream + b"\0" if len(stream) % 2 else stream  # PS3.5 A.4: a fragment is of even length


def _marker(data: bytes, place: int) -> tuple[int, int]:
    """Return the marker at `place` and where what follows it begins; fill bytes may precede it."""
    at = place
    while data[at : at + 1] == b"\xff":
        at += 1
    if at == place or at >= len(data):
        raise PictureDamaged("A JPEG ends early.")
    return data[at], at + 1


def _segment_end(data: bytes, start: int) -> int:
    length = int.from_bytes(data[start : start + 2], "big")
    if length < 2 or start + length > len(data):  # noqa: PLR2004 - the length counts itself
        raise PictureDamaged("A JPEG ends early.")
    return start + length


def _scan_end(data: bytes, start: int) -> tuple[int, int]:
    """Return where the scan that begins at `start` ends, and how many restarts it has."""
    scan = np.frombuffer(data, np.uint8, offset=start)
    places = np.flatnonzero(scan[:-1] == _FILL)
    following = scan[places + 1]
    is_restart = (following & _RESTART_BITS) == _RESTART
    is_marker = ~(is_restart | (following == _STUFFED) | (following == _FILL))
    if not is_marker.any():
        raise PictureDamaged("A JPEG ends early.")
    first = int(is_marker.argmax())
    return start + int(places[first]), int(np.count_nonzero(is_restart[:first]))


def _note(found: _Found, marker: int, body: bytes) -> None:
    """Take from a segment what the scans refer to."""
    if marker == _SOF0:
        _note_frame(found, body)
    elif marker in _OTHER_FRAMES:
        raise PictureDamaged("A JPEG is not of the baseline kind.")
    elif marker == _DQT:
        _note_quantisation(found, body)
    elif marker == _DHT:
        _note_huffman(found, body)
    elif marker == _DRI:
        found.interval = int.from_bytes(body[:2], "big")
    elif marker == _SOI:
        raise PictureDamaged("A JPEG begins within another one.")


def _note_frame(found: _Found, body: bytes) -> None:
    count = body[5] if len(body) > 5 else 0  # noqa: PLR2004 - precision, lines, samples, components
    if found.tables or count not in {1, 3} or len(body) != 6 + 3 * count or body[0] != 8:  # noqa: PLR2004 - B.2.2
        raise PictureDamaged("The frame header of a JPEG cannot be used.")
    found.size = (int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"))
    for place in range(6, 6 + 3 * count, 3):
        component, sampling, table = body[place : place + 3]
        found.tables[component] = table
        found.sampling.append((sampling >> 4, sampling & 15))


def _note_quantisation(found: _Found, body: bytes) -> None:
    place = 0
    while place < len(body):
        found.quantisation.add(body[place] & 15)
        place += 129 if body[place] >> 4 else 65
    if place != len(body):
        raise PictureDamaged("A quantisation table of a JPEG is not whole.")


def _note_huffman(found: _Found, body: bytes) -> None:
    place = 0
    while place < len(body):
        found.huffman.add(body[place])
        place += 17 + sum(body[place + 1 : place + 17])
    if place != len(body):
        raise PictureDamaged("A Huffman table of a JPEG is not whole.")


def _missing_tables(found: _Found, scan: bytes) -> list[bytes]:
    """Return a segment with the standard tables that this scan uses and nobody defined."""
    count = scan[0] if scan else 0
    if not 1 <= count <= 4 or len(scan) != 4 + 2 * count:  # noqa: PLR2004 - B.2.3
        raise PictureDamaged("The scan header of a JPEG cannot be used.")
    wanted: list[int] = []
    for place in range(1, 1 + 2 * count, 2):
        dc, ac = scan[place + 1] >> 4, scan[place + 1] & 15
        wanted += [dc, 0x10 | ac]
    missing = [table for table in sorted(set(wanted)) if table not in found.huffman]
    if any(table not in _STANDARD for table in missing):
        raise PictureDamaged("A JPEG uses a Huffman table that it does not have.")
    if not missing:
        return []
    found.huffman.update(missing)
    body = b"".join(bytes([table]) + _STANDARD[table] for table in missing)
    return [b"\xff\xc4" + (len(body) + 2).to_bytes(2, "big") + body]


def _check_scan(found: _Found, header: bytes, restarts: int) -> None:
    """Refuse a scan of components that do not exist, or with fewer restarts than its picture has room for."""
    components = set(header[1 : 1 + 2 * header[0] : 2])
    if not components <= found.tables.keys():
        raise PictureDamaged("A JPEG has a scan without its frame header.")
    found.scanned |= components
    if found.interval and len(components) == len(found.tables):
        expected = -(-_units(found) // found.interval) - 1
        if restarts < expected:
            raise PictureDamaged("A part of a JPEG is missing.")


def _units(found: _Found) -> int:
    """Return how many MCUs an interleaved scan has (A.2.3)."""
    across = 8 * max(horizontal for horizontal, _ in found.sampling)
    down = 8 * max(vertical for _, vertical in found.sampling)
    if len(found.sampling) == 1:
        across = down = 8  # a single component is not interleaved, whatever its factors (A.2.2)
    return -(-found.size[0] // max(across, 8)) * -(-found.size[1] // max(down, 8))


def _check_whole(found: _Found, width: int, height: int) -> None:
    if not found.tables or found.scanned != found.tables.keys():
        raise PictureDamaged("A JPEG does not have all of its components.")
    if not set(found.tables.values()) <= found.quantisation:
        raise PictureDamaged("A JPEG uses a quantisation table that it does not have.")
    if found.size != (width, height):
        raise PictureDamaged(
            f"A picture of {found.size[0]} x {found.size[1]} arrived where {width} x {height} was agreed."
        )
