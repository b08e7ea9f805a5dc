"""TLS for browsers that call: how the second door of the panel is secured, and what its certificate is for.

Asks callers for no certificate: they sign in. Reads names (RFC 5280 4.2.1.6) and judges nothing else.
"""

import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from gateway.net.expiry import element, first_of

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK"  # of TLS 1.2 (RFC 9325 4.2); those of 1.3 are all fit
_EXTENSIONS = 0xA3
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_OCTETS = 0x04
_DNS_NAME = 0x82
_IP_ADDRESS = 0x87


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return how browsers are secured, its files read now. Raises OSError (ssl.SSLError is one)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(_CIPHERS)
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    made.load_cert_chain(certificate, key, password="")  # never ask at a terminal
    return made


def names(certificate: Path) -> frozenset[str]:
    """Return the names, in lower case, and addresses that the first certificate of a PEM file is for.

    Raises OSError, ValueError.
    """
    return frozenset(_names(first_of(certificate)))


def _names(der: bytes) -> Iterator[str]:
    try:
        _, at, _ = element(der, 0)  # Certificate
        _, at, end = element(der, at)  # TBSCertificate
        for tag, start, _ in _elements(der, at, end):
            if tag == _EXTENSIONS:
                _, first, stop = element(der, start)
                for _, inside, after in _elements(der, first, stop):
                    yield from _of_extension(der, inside, after)
    except IndexError:
        raise ValueError("not a certificate") from None


def _of_extension(der: bytes, at: int, end: int) -> Iterator[str]:
    (_, start, stop), *others = _elements(der, at, end)
    if der[start:stop] != _SUBJECT_ALT_NAME:
        return
    for tag, inside, _ in others:  # whether it is critical may stand between
        if tag == _OCTETS:
            _, first, last = element(der, inside)
            for kind, begin, behind in _elements(der, first, last):
                if kind == _DNS_NAME:
                    yield der[begin:behind].decode("ascii").lower()
                elif kind == _IP_ADDRESS:
                    yield str(ip_address(der[begin:behind]))


def _elements(der: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield tag, start and end of each element between two places."""
    while at < end:
        tag, start, at = element(der, at)
        yield tag, start, at
