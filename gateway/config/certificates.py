"""Files of certificates and keys as the configuration names them: there, readable, PEM, and fitting each other.

Dates are not looked at: an expired certificate is for `scopegate doctor` to say, and no reason not to start.
"""

import ssl
from pathlib import Path

from gateway.config import forms
from gateway.config.forms import Form, Shaped
from gateway.config.values import Check, Wrong, readable, words_of
from gateway.messages import N_

SYSTEM = "system"
_LARGEST = 4_000_000  # bytes; the system's own bundle has a quarter of it


class _Encrypted(Exception):
    """A key asks for a password."""


def file(base: Path) -> Check:
    """Return a check for a file that can be read now; a relative one is taken from `base`."""

    def check(value: object) -> Path:
        words = words_of(value)
        if not words:
            raise Wrong("must be a file")
        path = readable(base / words)
        if path.stat().st_size > _LARGEST:
            raise Wrong(f"{path} is too large for a certificate")
        return path

    return Shaped(form=Form(kind=forms.FILE), check=check)


def authorities(base: Path) -> Check:
    """Return a check for a file of certificates that are trusted, or "system", which becomes None."""
    there = file(base)

    def check(value: object) -> Path | None:
        if value == SYSTEM:
            return None
        path: Path = there(value)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError:  # ssl.SSLError is one
            raise Wrong(f"{path} holds no certificate in PEM form") from None
        return path

    return Shaped(form=Form(kind=forms.FILE), check=check)


def misfit(certificate: Path, key: Path) -> tuple[str, str] | None:
    """Say what is wrong with a certificate and its key: which of the two keys of the table, and why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_refuse)
    except _Encrypted:
        return "key", N_(f"{key} is encrypted: the box starts without anybody who could type its password")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return "key", N_(f"{key} is not the key of {certificate}")
        if error.reason and ("TOO_SMALL" in error.reason or "TOO_WEAK" in error.reason):
            return "certificate", N_(f"{certificate} is too weak: {error.reason.replace('_', ' ').lower()}")
        return _not_pem(certificate, key)
    except OSError as error:
        return "key", N_(f"{key} cannot be read: {error.strerror or error}")
    return None


def _not_pem(certificate: Path, key: Path) -> tuple[str, str]:
    """Tell which of the two is not what it should be; OpenSSL says "PEM lib" of both."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except OSError:
        return "certificate", N_(f"{certificate} holds no certificate in PEM form")
    return "key", N_(f"{key} holds no private key in PEM form")


def _refuse() -> str:
    raise _Encrypted
