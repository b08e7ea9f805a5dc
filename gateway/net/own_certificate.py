"""A key of the box's own, what an authority signs for it, and whether what comes back fits. By the openssl tool.

The key is made here and never leaves; until an authority signed, the certificate is one that vouches for itself.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.config.certificates import misfit
from gateway.errors import BadValue, CertificateNotMade
from gateway.messages import N_
from gateway.net import expiry

_BITS = "3072"  # RSA: every archive and every switch takes it; as strong as 128 bits (NIST SP 800-57)
_OWN_DAYS = "1095"
_PATIENCE_S = 120  # on a slow box
_LONGEST_NAME = 64  # CommonName (RFC 5280 A.1, ub-common-name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """PEM texts: the key, the request for an authority, the certificate that vouches for itself."""

    key: bytes
    request: bytes
    certificate: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a certificate says of itself."""

    subject: str
    issuer: str
    until: datetime

    @property
    def vouches_for_itself(self) -> bool:
        return self.subject == self.issuer


def make(names: Sequence[str]) -> Made:
    """Make a key and what belongs to it, for names and addresses of the box. Raises CertificateNotMade."""
    with TemporaryDirectory(prefix="certificate-") as made:
        key = Path(made) / "key"
        _run("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{_BITS}", "-out", str(key))
        whose = ("-key", str(key), "-subj", f"/CN={names[0][:_LONGEST_NAME]}", "-addext", _alternatives(names))
        usage = ("-addext", "extendedKeyUsage=serverAuth,clientAuth")
        request = _run("req", "-new", *whose, *usage)
        certificate = _run("req", "-x509", "-new", "-days", _OWN_DAYS, *whose, *usage)
        return Made(key=key.read_bytes(), request=request, certificate=certificate)


def judge(pem: bytes, key: Path, authority: Path | None) -> None:
    """Refuse what an authority did not sign for this key. Raises BadValue."""
    with TemporaryDirectory(prefix="certificate-") as folder:
        path = Path(folder) / "certificate.pem"
        path.write_bytes(pem)
        wrong = misfit(path, key)
        if wrong and wrong[0] == "certificate":
            raise BadValue("The file holds no certificate in PEM form, or one that is too weak.", action=_PEM)
        if wrong:
            raise BadValue("This certificate was not made from this box's request.", action=_ASK)
        if authority is None:
            return
        try:
            here = ("-CAfile", str(authority), "-no-CApath", "-no-CAstore", "-untrusted", str(path))
            _run("verify", *here, "-purpose", "any", str(path))
        except CertificateNotMade:
            raise BadValue("The clinic's authority did not sign this certificate.", action=_ASK) from None


def about(path: Path) -> About:
    """Return what the first certificate of a file says. Raises OSError, ValueError, CertificateNotMade."""
    said = _run("x509", "-in", str(path), "-noout", "-subject", "-issuer", "-nameopt", "RFC2253")
    lines = dict(line.split("=", 1) for line in said.decode("utf-8", "replace").splitlines() if "=" in line)
    return About(
        subject=lines.get("subject", "").strip(), issuer=lines.get("issuer", "").strip(), until=expiry.ends(path)[0]
    )


_PEM = N_("Have it sent as PEM: a text that begins with BEGIN CERTIFICATE.")
_ASK = N_("Ask whoever signed it for the right one, with the certificates between it and the authority.")


def _alternatives(names: Sequence[str]) -> str:
    return "subjectAltName=" + ",".join(f"{'IP' if _is_address(each) else 'DNS'}:{each}" for each in names)


def _is_address(words: str) -> bool:
    try:
        return bool(ip_address(words))
    except ValueError:
        return False


def _run(*words: str) -> bytes:
    try:
        done = subprocess.run(
            ["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        raise CertificateNotMade from None
    if done.returncode:
        raise CertificateNotMade
    return done.stdout
