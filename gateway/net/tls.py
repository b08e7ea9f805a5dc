"""TLS as DICOM's profile wants it (PS3.15 B.12: BCP 195, RFC 9325), and what its failures mean in plain words.

Refuses TLS below 1.2, key exchange without forward secrecy, and whoever does not prove who they are.
Owns the codes tls-...
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from gateway.config.settings import Tls
from gateway.errors import DeliveryError, NeedsConfiguration, TryLater
from gateway.messages import N_
from gateway.net.peers import Peer, capital

# Of TLS 1.2; those of 1.3 are all fit. DHE is there for archives that were built without elliptic curves.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aDSS:!aNULL:!PSK"


class TlsFileUnusable(Exception):
    """A file that `tls` names cannot be used now: `which` of its keys, and why."""

    def __init__(self, which: str, why: str) -> None:
        self.which = which
        self.why = why
        super().__init__(f"{which}: {why}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One way in which securing a connection fails; `says` goes on after the other side's name."""

    code: str
    says: str
    action: str


EXPIRED = Fault(
    code="tls-expired",
    says="shows a certificate that has expired",
    action="Call IT: renew the certificate of {name}; check the clock of this box.",
)
NOT_YET_VALID = Fault(
    code="tls-not-yet-valid",
    says="shows a certificate that is not valid yet",
    action="Call IT: check the clock of this box first, then the certificate of {name}.",
)
UNKNOWN_CA = Fault(
    code="tls-unknown-ca",
    says="shows a certificate of an authority that this box does not trust",
    action="Call IT: check that it is the right machine, then put the certificate of its authority into the file "
    "that ca in tls of {name} names.",
)
WRONG_NAME = Fault(
    code="tls-wrong-name",
    says="shows a certificate that does not name {host}",
    action="Call IT: check that it is the right machine; then set “Address” of {name} to a name in its "
    "certificate, or say No to “The certificate must have the server's name”.",
)
UNFIT = Fault(
    code="tls-certificate",
    says="shows a certificate that cannot be used ({reason})",
    action="Call IT: {name} needs another certificate.",
)
OURS_REFUSED = Fault(
    code="tls-client-certificate-refused",
    says="does not take the certificate of this box ({reason})",
    action="Call IT: have {name} trust its authority, or renew certificate and key in tls of {name} here.",
)
OURS_MISSING = Fault(
    code="tls-client-certificate-refused",
    says="wants a certificate of this box, which has none for it",
    action="Call IT: set certificate and key in tls of {name} here.",
)
VERSION = Fault(
    code="tls-version",
    says="knows no TLS that is safe enough ({reason})",
    action="Call IT: {name} must offer TLS 1.2 or 1.3 with forward secrecy (ECDHE or DHE, AES-GCM).",
)
PLAIN = Fault(
    code="tls-plain-peer",
    says="does not speak TLS at {where}",
    action="Call IT: give the port of {name} that speaks TLS, or take tls away if the network is safe otherwise.",
)
FAILED = Fault(
    code="tls-failed",
    says="could not be reached securely ({reason})",
    action="It is tried again by itself. If it lasts, call IT: look at the log of {name}.",
)

# X509_V_ERR_... of OpenSSL's x509_vfy.h
_VERIFICATION = {
    9: NOT_YET_VALID,
    10: EXPIRED,
    2: UNKNOWN_CA,
    18: UNKNOWN_CA,  # signed by itself
    19: UNKNOWN_CA,
    20: UNKNOWN_CA,
    21: UNKNOWN_CA,
    62: WRONG_NAME,
    64: WRONG_NAME,  # an IP address
}
_WORDS = {  # OpenSSL's reasons, as ssl.SSLError.reason has them
    "WRONG_VERSION_NUMBER": PLAIN,
    "HTTP_REQUEST": PLAIN,
    "HTTPS_PROXY_REQUEST": PLAIN,
    "PACKET_LENGTH_TOO_LONG": PLAIN,
    "RECORD_LAYER_FAILURE": PLAIN,
    "UNEXPECTED_MESSAGE": PLAIN,
    "UNSUPPORTED_PROTOCOL": VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": VERSION,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": VERSION,
    "NO_SHARED_CIPHER": VERSION,
    "DH_KEY_TOO_SMALL": VERSION,
    "WRONG_CIPHER_RETURNED": VERSION,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": OURS_MISSING,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": OURS_MISSING,
    "SSLV3_ALERT_BAD_CERTIFICATE": OURS_REFUSED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": OURS_REFUSED,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": OURS_REFUSED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": OURS_REFUSED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": OURS_REFUSED,
    "TLSV1_ALERT_UNKNOWN_CA": OURS_REFUSED,
    "TLSV1_ALERT_ACCESS_DENIED": OURS_REFUSED,
    "TLSV1_ALERT_DECRYPT_ERROR": OURS_REFUSED,
}
_REFUSED_HANDSHAKE = "SSLV3_ALERT_HANDSHAKE_FAILURE"


def for_calls(tls: Tls) -> ssl.SSLContext:
    """Return how a call to another system is secured, its files read now. Raises TlsFileUnusable."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, tls)
    context.check_hostname = tls.check_name
    return context


def for_callers(tls: Tls) -> ssl.SSLContext:
    """Return how callers are secured: they must show a certificate of `ca`. Raises TlsFileUnusable."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, tls)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(protocol: int, tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # `ca` may name an authority in the middle, or the very certificate of a device that signed its own.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if tls.ca is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(tls.ca)
        except OSError as error:
            raise TlsFileUnusable("ca", _why(tls.ca, error)) from None
    if tls.certificate is not None and tls.key is not None:
        _identify(context, tls.certificate, tls.key)
    return context


def _identify(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password="")  # never ask at a terminal
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsFileUnusable("key", f"{key} is not the key of {certificate}") from None
        raise TlsFileUnusable("certificate", f"{certificate} or {key} is not usable PEM") from None
    except OSError as error:
        unreadable = key if certificate.is_file() else certificate
        raise TlsFileUnusable(
            "certificate" if unreadable is certificate else "key", _why(unreadable, error)
        ) from None


def _why(path: Path, error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{path} holds no certificate in PEM form"
    return f"{path} cannot be read: {error.strerror or type(error).__name__}"


def file_unusable(peer: Peer, error: TlsFileUnusable) -> DeliveryError:
    """Return the error of a call that was not made. It may pass: a certificate and its key are renewed in turn."""
    return TryLater(
        f"{capital(peer.who)} was not called: {error.which} in its tls cannot be used ({error.why}).",
        code="tls-file",
        action="It is tried again by itself. Call IT: put the file right.",
    )


def fault_of(error: ssl.SSLError, *, agreed: bool = False, shown: bool = True) -> Fault:
    """Return what an error of OpenSSL means. agreed: version and cipher stood; shown: we showed a certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, UNFIT)
    if error.reason == _REFUSED_HANDSHAKE:  # TLS 1.2's word for "no certificate" and for "no common cipher"
        return (OURS_REFUSED if shown else OURS_MISSING) if agreed else VERSION
    fault = _WORDS.get(error.reason or "", FAILED)
    return OURS_MISSING if fault is OURS_REFUSED and not shown else fault


def refusal(peer: Peer, error: ssl.SSLError, *, agreed: bool = False) -> DeliveryError:
    """Return the error of a call that TLS ended."""
    shown = peer.tls is not None and peer.tls.certificate is not None
    fault = fault_of(error, agreed=agreed, shown=shown)
    words = {"name": peer.name, "host": peer.host, "where": peer.where, "reason": reason_of(error)}
    kind = TryLater if fault is FAILED else NeedsConfiguration
    return kind(
        N_(f"{capital(peer.who)} {fault.says.format(**words)}."),
        code=fault.code,
        action=fault.action.format(**words),
    )


def reason_of(error: ssl.SSLError) -> str:
    """Return OpenSSL's own words without what they quote."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLEOFError):
        return "it closed the connection"
    words = (
        (error.reason or type(error).__name__).removeprefix("SSLV3_").removeprefix("TLSV13_").removeprefix("TLSV1_")
    )
    return words.removeprefix("ALERT_").replace("_", " ").lower()
