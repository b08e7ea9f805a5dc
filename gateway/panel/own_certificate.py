"""The box's own certificate: its key, what an authority is to sign, what it signed, and the clinic's authority.

They lie beside the configuration, which names them where something is encrypted. A new key takes the place of the
old one only together with a certificate: both names lead through one link, and turning it changes both at once. A
configuration whose key and certificate do not fit each other starts no process. Blocks: everything here reads or
writes files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock

from gateway.clock import Clock
from gateway.config.certificates import SYSTEM
from gateway.config.lines import Place
from gateway.config.values import Wrong, host
from gateway.errors import BadValue, CertificateNotMade, NotFound
from gateway.messages import N_
from gateway.net import own_certificate as openssl
from gateway.net.own_certificate import About
from gateway.spool.audit import Audit
from gateway.spool.files import Files

FOLDER = "certificates"
CERTIFICATE, KEY, AUTHORITY = "box.pem", "box.key", "clinic-ca.pem"
_PAIR, _SIDES = "pair", ("pair-a", "pair-b")  # the link, and the folders to which it leads by turns
_REQUEST, _NEW_KEY = "box.csr", "box-new.key"
_MOST_NAMES = 10
_LARGEST = 64 * 1024  # characters of PEM
SOON_DAYS, NOW_DAYS = 60, 14
OURS, ITS_KEY, CLINIC = N_(("This box's own certificate", "Its key", "The clinic's authority"))
PUBLIC = N_("Public authorities")
_CALLED = frozenset({"destination", "worklist", "procedure_step", "audit"})  # others whom the box calls


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How one certificate is. `state`: ok, soon (within 60 days), now (14), over."""

    about: About
    state: str
    days: int


class OwnCertificate:
    """One box's."""

    def __init__(self, *, base: Path, files: Files, audit: Audit, clock: Clock) -> None:
        self._folder = base / FOLDER
        self._files = files
        self._audit = audit
        self._clock = clock
        self._changing = Lock()  # two who change it at once would each remove what the other one made

    def path(self, name: str) -> Path:
        return self._folder / name

    def now(self, name: str = CERTIFICATE) -> Standing | None:
        """Return how a certificate is, None for none."""
        try:
            about = openssl.about(self.path(name))
        except (OSError, ValueError, CertificateNotMade):
            return None
        days = (about.until - self._clock.utc()).days
        return Standing(about=about, state=_state(about.until, self._clock.utc()), days=days)

    def for_field(self, place: Place) -> dict[str, str]:
        """Return which of these files may stand at a place of the configuration, and what each is called."""
        files = {"certificate": (CERTIFICATE, OURS), "key": (KEY, ITS_KEY), "ca": (AUTHORITY, CLINIC)}
        name, label = files.get(str(place[-1]), ("", ""))
        if not name or not self.path(name).exists():
            return {}
        public = {SYSTEM: PUBLIC} if name == AUTHORITY and place[0] in _CALLED else {}
        return {f"{FOLDER}/{name}": label, **public}

    @property
    def has_request(self) -> bool:
        """Say whether a request waits for what an authority signs."""
        return self.path(_NEW_KEY).exists()

    def request(self) -> bytes:
        """Return what an authority is to sign. Raises NotFound."""
        try:
            return self.path(_REQUEST).read_bytes()
        except OSError:
            raise NotFound("This box has made no request yet.") from None

    def make(self, names: Sequence[str], *, person: str = "") -> None:
        """Make a key and a request; with the first one, a certificate that vouches for itself. Raises BadValue."""
        wanted = _names(names)
        made = openssl.make(wanted)
        with self._changing:
            if not self._folder.is_dir():
                self._files.make_folder(self._folder)
            if not self.path(CERTIFICATE).exists():
                self._keep(made.key, made.certificate)
            self._files.write(self.path(_NEW_KEY), [made.key])
            self._files.write(self.path(_REQUEST), [made.request])
        self._note("certificate-requested", person)

    def take(self, pem: str, *, person: str = "") -> None:
        """Take what an authority signed. Raises BadValue for what fits no key of this box."""
        raw, new = _text(pem), self.path(_NEW_KEY)
        with self._changing:
            key = new if new.exists() else self.path(KEY)
            if not key.exists():
                raise BadValue("This box has no key yet.", action="Make a request first.")
            authority = self.path(AUTHORITY)
            openssl.judge(raw, key, authority if authority.exists() else None)
            self._keep(key.read_bytes(), raw)
            self._files.remove(new)
        self._note("certificate-taken", person)

    def trust(self, pem: str, *, person: str = "") -> None:
        """Keep the certificate of the clinic's authority. Raises BadValue."""
        raw = _text(pem)
        if not self._folder.is_dir():
            self._files.make_folder(self._folder)
        trial = self.path(f"{AUTHORITY}.trial")
        self._files.write(trial, [raw])
        try:
            openssl.about(trial)
        except (ValueError, CertificateNotMade, IndexError):
            self._files.remove(trial)
            raise BadValue("The file holds no certificate in PEM form.") from None
        self._files.rename(trial, self.path(AUTHORITY))
        self._note("authority-taken", person)

    def _keep(self, key: bytes, certificate: bytes) -> None:
        """Have these in place of those before, both or neither, whatever is cut off in between."""
        names = [self.path(name) for name in (KEY, CERTIFICATE)]
        if not all(
            _leads_to_the_pair(path) for path in names
        ):  # a new box, or one of a version that had two plain files
            plain = all(path.exists() for path in names)
            self._turn(*([path.read_bytes() for path in names] if plain else (key, certificate)))
            for path in names:
                self._files.point(path, f"{_PAIR}/{path.name}")
        self._turn(key, certificate)

    def _turn(self, key: bytes, certificate: bytes) -> None:
        pair = self.path(_PAIR)
        before = str(pair.readlink()) if pair.is_symlink() else _SIDES[1]
        side = self.path(_SIDES[before == _SIDES[0]])
        if not side.is_dir():
            self._files.make_folder(side)
        self._files.write_all([(side / KEY, [key]), (side / CERTIFICATE, [certificate])])
        self._files.point(pair, side.name)
        self._files.remove(*(self.path(before) / name for name in (KEY, CERTIFICATE)))

    def _note(self, what: str, person: str) -> None:
        who = {"person": person} if person else {}
        self._audit.note(what, by="panel", **who)


def _leads_to_the_pair(path: Path) -> bool:
    return path.is_symlink() and str(path.readlink()) == f"{_PAIR}/{path.name}"


def _state(until: datetime, now: datetime) -> str:
    days = (until - now).days
    if days < 0:
        return "over"
    return "now" if days < NOW_DAYS else "soon" if days < SOON_DAYS else "ok"


def _names(names: Sequence[str]) -> list[str]:
    try:
        found = list(dict.fromkeys(host(each) for each in names))
    except Wrong as error:
        raise BadValue(f"A name of the box {error}.") from None
    if not 1 <= len(found) <= _MOST_NAMES:
        raise BadValue(f"A certificate has 1 to {_MOST_NAMES} names.")
    return found


def _text(pem: str) -> bytes:
    if len(pem) > _LARGEST or not pem.isascii() or "PRIVATE KEY" in pem:
        raise BadValue("The file holds no certificate in PEM form.", action="No private key comes to this box.")
    return pem.encode("ascii")
