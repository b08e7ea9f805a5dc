"""Until when the certificates of a file hold. Reads dates only (RFC 5280 4.1) and judges nothing else."""

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
SOON_DAYS = 60  # before its end; a hospital's PKI takes its time
NOW_DAYS = 14  # then it is a problem: an archive that cannot be reached soon
_UTC_TIME = 0x17
_VERSION = 0xA0


def ends(path: Path) -> list[datetime]:
    """Return the end of each certificate in a PEM file, in its order. Raises OSError, ValueError."""
    return [_end(ssl.PEM_cert_to_DER_cert(block.decode("ascii"))) for block in _PEM.findall(path.read_bytes())]


def first_of(path: Path) -> bytes:
    """Return the first certificate of a PEM file, as DER. Raises OSError, ValueError."""
    found = _PEM.search(path.read_bytes())
    if not found:
        raise ValueError("no certificate")
    return ssl.PEM_cert_to_DER_cert(found[0].decode("ascii"))


def _end(der: bytes) -> datetime:
    try:
        _, outer, _ = element(der, 0)  # Certificate
        _, at, _ = element(der, outer)  # TBSCertificate
        if der[at] == _VERSION:
            _, _, at = element(der, at)
        for _ in ("serialNumber", "signature", "issuer"):
            _, _, at = element(der, at)
        _, at, _ = element(der, at)  # Validity
        _, _, at = element(der, at)  # notBefore
        tag, start, end = element(der, at)  # notAfter
    except IndexError:
        raise ValueError("not a certificate") from None
    words = der[start:end].decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 is 1950 (RFC 5280 4.1.2.5.1)
        words = f"{'19' if words[:2] >= '50' else '20'}{words}"
    return datetime.strptime(words, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, start and end of the content of the DER element at `at`."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[start : start + count])
        start += count
    return tag, start, start + length
