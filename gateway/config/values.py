"""What a single value of the configuration may be. Each check returns the value as the product uses it.

A check knows nothing of other keys, and refuses with `Wrong`, whose text ends the sentence "KEY: ...". The texts
are messages (docs/decisions/0027-words-and-languages.md): the screen says them in its language.
"""

import ipaddress
import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.config import forms
from gateway.config.forms import Form, Shaped, form_of
from gateway.config.settings import Address
from gateway.messages import N_

Check = Callable[[object], Any]

NOT_YET = "not in this version"
NO_PATH = "not a path"
WHY_NOT = N_(("No such file or directory", "Permission denied", "Is a directory", NO_PATH))  # as Linux says it
UNITS = N_(("days", "hours", "minutes", "seconds", "pixels", "pictures a second"))  # others are signs: MB, mm, %, s
_BOX = 4  # numbers
_LARGEST_PICTURE = 16_384

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LINK_LOCAL = ipaddress.IPv6Network("fe80::/10")
_PORT = re.compile(r"[!-$&-.0-9;-~]{1,15}")  # an interface's name as Linux takes it: no "/", no ":", no white space
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_LONGEST_LABEL = 63  # signs (RFC 1035 2.3.4); Python looks up no name with a longer or an empty one


class Wrong(ValueError):
    """Why a value cannot be used: the end of a sentence that begins with `KEY:`."""


def shown(value: object) -> str:
    """Return a value as a message quotes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return N_("a table")
    if isinstance(value, list):
        return N_("a list")
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a message stays on one line


def near(word: str, known: list[str]) -> str:
    """Return the known word that somebody may have meant, "" when none is close."""
    return next(iter(get_close_matches(word, known, n=1, cutoff=0.7)), "")


def later(value: object) -> None:
    """Refuse a key that a later version brings."""
    del value
    raise Wrong(NOT_YET)


def only(neutral: str | int, check: Check) -> Check:
    """Return a check for a value of which this version knows the neutral one alone."""

    def checked(value: object) -> str | int:
        if check(value) != neutral:
            raise Wrong(f"{shown(value)} is {NOT_YET}")
        return neutral

    return checked


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false, not {shown(value)}")
    return value


flag: Check = Shaped(form=Form(kind=forms.FLAG), check=_flag)


def number(low: int, high: int, unit: str = "") -> Check:
    """Return a check for a whole number in that range."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            if unit:
                raise Wrong(f"must be a whole number from {low} to {high} ({unit}), not {shown(value)}")
            raise Wrong(f"must be a whole number from {low} to {high}, not {shown(value)}")
        return value

    return Shaped(form=Form(kind=forms.NUMBER, low=low, high=high, unit=unit), check=check)


def words_of(value: object) -> str:
    """Return a value that must be text."""
    if not isinstance(value, str):
        raise Wrong(f"must be text in quotes, not {shown(value)}")
    return value


def _name(value: object) -> str:
    """Check the name of a source, worklist server or destination: it stands in addresses and logs."""
    words = words_of(value)
    if not _NAME.fullmatch(words):
        raise Wrong(
            "must be 1 to 32 letters, digits, dots, dashes or underscores, beginning with a letter or digit, "
            f"not {shown(value)}"
        )
    return words


name: Check = Shaped(form=Form(longest=32), check=_name)


def one_of(*now: str, then: tuple[str, ...] = ()) -> Check:
    """Return a check for a word out of a few; `then` are those of a later version."""

    def check(value: object) -> str:
        words = words_of(value)
        if words in then:
            raise Wrong(f"{shown(words)} is {NOT_YET}")
        if words not in now:
            choices = ", ".join(f'"{word}"' for word in now)
            if meant := near(words, [*now, *then]):
                raise Wrong(f"must be one of {choices}, not {shown(words)}; did you mean {meant}?")
            raise Wrong(f"must be one of {choices}, not {shown(words)}")
        return words

    return Shaped(form=Form(kind=forms.CHOICE, choices=now), check=check)


def several(check: Check) -> Check:
    """Return a check for a list whose values each pass `check`; no value stands there twice."""

    def checked(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Wrong(f"must be a list in brackets, not {shown(value)}")
        found = tuple(check(each) for each in value)
        if len(set(found)) != len(found):
            raise Wrong("names the same twice")
        return found

    return Shaped(form=Form(kind=forms.SEVERAL, choices=form_of(check).choices), check=checked)


def _box(value: object) -> tuple[int, int, int, int]:
    """Check a part of a picture: the left upper pixel, width and height."""
    if not isinstance(value, list) or len(value) != _BOX:
        raise Wrong(f"must be [x, y, width, height] in pixels, not {shown(value)}")
    x, y = (number(0, _LARGEST_PICTURE, "pixels")(each) for each in value[:2])
    width, height = (number(1, _LARGEST_PICTURE, "pixels")(each) for each in value[2:])
    return x, y, width, height


box: Check = Shaped(form=Form(kind=forms.NUMBERS, count=_BOX, high=_LARGEST_PICTURE), check=_box)


def profile(base: Path) -> Check:
    """Return a check for a device profile: the name of one that comes with the product, or a file."""

    def check(value: object) -> str:
        words = words_of(value)
        if words.endswith(".toml"):
            path = base / words
            if not path.is_file():
                raise Wrong(f"there is no file {shown(str(path))}")
            return str(path)
        if words and not _NAME.fullmatch(words):
            raise Wrong(f'must be the name of a device profile or a file that ends in ".toml", not {shown(words)}')
        return words

    return Shaped(form=Form(kind=forms.FILE), check=check)


def host(value: object) -> str:
    """Check a host name or an IP address; it may stand in other programs' files as it is.

    An address that names a port of this machine ("fe80::1%eth0") is none: a port's name may hold a quote, and
    neither nftables nor chrony takes one there.
    """
    words = words_of(value)
    if _scoped(words):
        raise Wrong(
            "must not name a port of this box after %: only archives, worklist and procedure step servers and the "
            "audit repository are reached so"
        )
    try:
        if "%" not in words:
            return str(ipaddress.ip_address(words))
    except ValueError:
        if _HOST.fullmatch(words) and not words.replace(".", "").isdigit() and _in_labels(words):
            return words
    raise Wrong(f"must be a host name or an IP address, not {shown(value)}")


def peer_host(value: object) -> str:
    """Check the host of a system that this box itself calls: also a link-local address with the port to it."""
    words = words_of(value)
    if "%" not in words:
        return _of_no_port(host(value))
    if found := _scoped(words):
        return found
    raise Wrong(
        'must be a link-local address with the name of a port of this box, such as "fe80::1%eth0", '
        f"not {shown(value)}"
    )


def _in_labels(words: str) -> bool:
    return all(0 < len(label) <= _LONGEST_LABEL for label in words.split("."))


def _of_no_port(found: str) -> str:
    """Refuse a link-local address alone: Linux does not know over which port it is meant, and calls nobody."""
    if ":" in found and ipaddress.IPv6Address(found) in _LINK_LOCAL:
        raise Wrong(f'must say over which port of this box it is reached, such as "{found}%eth0"')
    return found


def _scoped(words: str) -> str:
    """Return a link-local address with the port of this machine that leads to it (RFC 4007 11); "" for another."""
    where, _, port = words.partition("%")
    try:
        found = ipaddress.IPv6Address(where)
    except ValueError:
        return ""
    return f"{found}%{port}" if found in _LINK_LOCAL and _PORT.fullmatch(port) else ""


def address(value: object) -> Address:
    """Check `host:port`; an IPv6 address stands in brackets."""
    words = words_of(value)
    where, _, port = words.rpartition(":")
    where = where[1:-1] if where.startswith("[") and where.endswith("]") else where
    if not where or not port.isdecimal() or not 1 <= int(port[:6]) <= 65535:  # noqa: PLR2004 - TCP's
        raise Wrong(f'must be "host:port" with a port from 1 to 65535, not {shown(value)}')
    return Address(host=host(where), port=int(port))


def url(value: object) -> str:
    """Check the root of a DICOMweb service: http or https, a host, a path; it becomes one without a last slash."""
    words = words_of(value)
    try:
        parts = urlsplit(words)
        port = parts.port
    except ValueError:
        raise Wrong("is not an address of the web") from None
    if parts.username is not None or parts.password is not None:
        raise Wrong("must not hold a name or a password: they go into user and password_file")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise Wrong(f"must be https:// with a host and a path, without ? and #, not {shown(value)}")
    if port == 0 or not words.isascii() or not words.isprintable() or " " in words:
        raise Wrong("must have a port from 1 to 65535 and no spaces, in plain ASCII")
    host(parts.hostname)
    return words.rstrip("/")


def is_loopback(where: str) -> bool:
    """Say whether only this machine reaches that host."""
    try:
        return ipaddress.ip_address(where).is_loopback
    except ValueError:
        return where == "localhost"


def directory(base: Path) -> Check:
    """Return a check for a folder, which need not exist yet; a relative one is taken from `base`."""

    def check(value: object) -> Path:
        words = words_of(value)
        if not words or "\0" in words:
            raise Wrong("must be a folder")
        path = base / words
        if path.exists() and not path.is_dir():
            raise Wrong(f"{path} is not a folder")
        return path

    return check


def full_path(value: object) -> Path:
    """Check a folder that comes and goes with its medium: its full path."""
    words = words_of(value)
    if not words.startswith("/") or "\0" in words or words == "/" or ".." in Path(words).parts:
        raise Wrong(f"must be the full path of a folder, such as /media/usb, not {shown(value)}")
    return Path(words)


def directory_or_default(base: Path) -> Check:
    """Return a check for a folder; "" asks for the default and becomes an empty path."""
    check = directory(base)
    return lambda value: Path() if value == "" else check(value)


def device(base: Path, grabber: Callable[[str], str]) -> Check:
    """Return a check for a picture source, KIND:WHERE; relative files are taken from `base`.

    `grabber` checks where a grabber is plugged in.
    """

    def check(value: object) -> str:
        words = words_of(value)
        kind, colon, where = words.partition(":")
        if kind == "v4l2" and colon:
            return f"v4l2:{grabber(where)}"
        if kind == "pattern" and colon:
            if where not in {"bars", "ultrasound"}:
                raise Wrong(f'must be "pattern:bars" or "pattern:ultrasound", not {shown(words)}')
            return words
        if kind == "file" and where:
            return f"file:{readable(base / where)}"
        raise Wrong(
            'must be "v4l2:/dev/v4l/by-path/...", "file:PATH", "pattern:bars" or "pattern:ultrasound", '
            f"not {shown(words)}"
        )

    return check


def readable(path: Path) -> Path:
    """Check that a file can be read now."""
    try:
        other = path.exists() and not path.is_file()  # a pipe would be waited for without end
        if not other:
            with path.open("rb") as file:
                file.read(1)
    except (OSError, ValueError) as error:
        raise Wrong(f"{path} cannot be read: {why_not(error)}") from None
    if other:
        raise Wrong(f"{path} is not a file")
    return path


def why_not(error: OSError | ValueError) -> str:
    """Return why a file cannot be read, in a few words."""
    return error.strerror if isinstance(error, OSError) and error.strerror else NO_PATH


def version(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Wrong(f"must be 1, not {shown(value)}")
    if value > 1:
        raise Wrong(f"{value} is {NOT_YET}: this one reads config_version = 1")
    return value
