"""The configuration as one file that goes out and comes in: a ZIP of the text and of the device profiles it names.

Secrets never go out: a password, a token, the key of a certificate stay on their box. What comes in is read within
limits that what it says of itself cannot move; no name in it becomes a path.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from gateway.config.changes import Change, Drop, Put, document_of
from gateway.config.keeping import LARGEST
from gateway.config.writing import edited
from gateway.errors import NoSettingsFile, SettingsForeign

CONFIGURATION = "scopegate.toml"
_FOLDER = "profiles/"
_PROFILE = re.compile(r"profiles/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.toml")
_MOST = 32  # files
_LARGEST_PROFILE = 65_536  # bytes; with a card of what the device shows without signal one has a few thousand
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes to unpack with
_OF_A_SECRET = ("token_file", "user", "password_file")
_WHEN = (2020, 1, 1, 0, 0, 0)  # the same configuration is the same file


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What goes out or came in. `profiles`: by the name that stands in the text, "profiles/NAME.toml"."""

    text: bytes
    profiles: Mapping[str, bytes]


def outgoing(text: str, base: Path) -> Bundle:
    """Return a configuration without its secrets, with the profiles that it names. Raises SettingsForeign."""
    document, changes = document_of(text), list[Change]()
    profiles: dict[str, bytes] = {}
    for number, destination in _elements(document, "destination"):
        changes += [Drop(place=("destination", number, key)) for key in _OF_A_SECRET if key in destination]
    for number, source in _elements(document, "source"):
        profile = source.get("profile", "")
        if isinstance(profile, str) and profile.endswith(".toml"):
            name = _name(base / profile, profiles)
            profiles[name] = _small(base / profile)
            changes.append(Put(place=("source", number, "profile"), value=name))
    return Bundle(text=(edited(text, changes) if changes else text).encode(), profiles=profiles)


def packed(bundle: Bundle) -> bytes:
    """Return it as the one file."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in ((CONFIGURATION, bundle.text), *sorted(bundle.profiles.items())):
            archive.writestr(zipfile.ZipInfo(name, _WHEN), raw, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def unpacked(raw: bytes) -> Bundle:
    """Return what such a file holds. Raises NoSettingsFile."""
    found: dict[str, bytes] = {}
    left = LARGEST
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            members = archive.infolist()
            if len(members) > _MOST:
                raise NoSettingsFile
            for member in members:
                name = member.filename
                if name in found or not (name == CONFIGURATION or _PROFILE.fullmatch(name)):
                    raise NoSettingsFile
                if member.compress_type not in _PACKED:
                    raise NoSettingsFile
                with archive.open(member) as file:
                    found[name] = file.read(left + 1)  # whatever the header says of its size
                left -= len(found[name])
                if left < 0:
                    raise NoSettingsFile
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError):
        raise NoSettingsFile from None
    if CONFIGURATION not in found:
        raise NoSettingsFile
    text = found.pop(CONFIGURATION)
    for profile in found.values():
        _check_profile(profile)
    return Bundle(text=text, profiles=found)


def _check_profile(raw: bytes) -> None:
    """Refuse what describes no device: a source that names it would show no picture. Raises NoSettingsFile."""
    if len(raw) > _LARGEST_PROFILE:
        raise NoSettingsFile
    try:
        document_of(raw.decode())
    except (UnicodeDecodeError, SettingsForeign):
        raise NoSettingsFile from None


def incoming(bundle: Bundle, here: Mapping[str, Any], *, keep: Mapping[str, str]) -> str:
    """Return the text that comes in with what stays of this box: secrets of its archives, its audit repository.

    `here`: this box's document; `keep`: where each profile lies now. Raises NoSettingsFile, SettingsForeign.
    """
    try:
        text = bundle.text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsForeign from None
    document, changes = document_of(text), list[Change]()
    known = {(each.get("name"), each.get("url")): each for _, each in _elements(here, "destination")}
    for number, destination in _elements(document, "destination"):
        ours = known.get((destination.get("name"), destination.get("url")), {})
        for key in _OF_A_SECRET:
            if key in ours and isinstance(ours[key], str):
                changes.append(Put(place=("destination", number, key), value=ours[key]))
            elif key in destination:
                changes.append(Drop(place=("destination", number, key)))
    for number, source in _elements(document, "source"):
        profile = source.get("profile", "")
        if isinstance(profile, str) and profile.startswith(_FOLDER):
            if profile not in keep:
                raise NoSettingsFile
            changes.append(Put(place=("source", number, "profile"), value=keep[profile]))
    changes += _audit(document, here)
    return edited(text, changes) if changes else text


def _audit(document: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what keeps the audit repository that this box has: no file turns it off or to another one."""
    ours, theirs = here.get("audit"), document.get("audit", {})
    if isinstance(ours, dict) and isinstance(theirs, dict):  # others are refused as a whole
        yield from (Drop(place=("audit", key)) for key in theirs if key not in ours)
        yield from (Put(place=("audit", key), value=value) for key, value in ours.items())


def _elements(document: Mapping[str, Any], table: str) -> Iterator[tuple[int, dict[str, Any]]]:
    value = document.get(table)
    for number, each in enumerate(value if isinstance(value, list) else []):
        if isinstance(each, dict):
            yield number, each


def _name(path: Path, taken: Mapping[str, bytes]) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).strip(".-")[:48] or "profile"
    names = (f"{_FOLDER}{stem}{'' if not number else f'-{number}'}.toml" for number in range(_MOST))
    return next(name for name in names if name not in taken)


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except OSError:
        raise SettingsForeign from None
