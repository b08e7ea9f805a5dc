"""Certificates for tests: an authority, and what it, or another, issues."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from gateway.config.settings import Tls


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """An authority whose certificate is the file `ca`. RSA: DCMTK 3.6.7 takes no other keys below TLS 1.3."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA(key_type=trustme.KeyType.RSA)
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(self, *names: str, days: tuple[int, int] = (-1, 30), label: str = "") -> Identity:
        """Return a new certificate for `names`, valid from the first to the last of `days`, counted from now."""
        now = datetime.now(UTC)
        made = self._authority.issue_cert(
            *(names or ("127.0.0.1",)),
            not_before=now + timedelta(days=days[0]),
            not_after=now + timedelta(days=days[1]),
            key_type=trustme.KeyType.RSA,
        )
        stem = label or f"{len(list(self._folder.iterdir()))}"
        found = Identity(certificate=self._folder / f"{stem}.pem", key=self._folder / f"{stem}.key")
        found.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(found.key))
        return found

    def server(self, shown: Identity, *, asks: bool = True) -> ssl.SSLContext:
        """Return the context of a server that shows an identity and asks callers for one of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.certificate, shown.key)
        if asks:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, shown: Identity) -> ssl.SSLContext:
        """Return the context of a caller that shows an identity and trusts this authority."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(shown.certificate, shown.key)
        return context

    def tls(self, ours: Identity | None = None, **more: object) -> Tls:
        """Return settings that trust this authority and show `ours`."""
        if ours is not None:
            more = {"certificate": ours.certificate, "key": ours.key, **more}
        return Tls(ca=self.ca, **more)  # type: ignore[arg-type]
