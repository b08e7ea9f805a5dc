"""What an image is made of: a bill of materials (CycloneDX) and a list of licences, from its tree of files.

Runs in the tools tree. Refuses a tree with a file of which nobody knows where it comes from, with a licence of a
wheel that nobody looked at, with a package without its copyright file or not of Debian's `main`: see licences.toml.
"""

import argparse
import fnmatch
import logging
import os
import re
import sys
import tomllib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_string
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_supported_id
from cyclonedx.validation.json import JsonStrictValidator
from debian.copyright import Copyright, NotMachineReadableError
from debian.deb822 import Packages
from packageurl import PackageURL

DOC = "usr/share/doc"
WHEELS = "opt/scopegate/.venv/lib"
MOVED = re.compile(r"^(bin|sbin|lib|lib64)/")  # what a package calls by its old name, before Debian 13
LICENCE = re.compile(r"(licen[cs]e|copying)", re.IGNORECASE)
BYTECODE = re.compile(r"^(.*)/__pycache__/([^/]+)\.cpython-\d+\.pyc$")
SPDX = {
    "expat": "MIT", "bsd": "BSD-3-Clause", "public-domain": "public domain", "zlib": "Zlib", "x11": "X11",
    "bsd-2": "BSD-2-Clause", "bsd-3": "BSD-3-Clause", "apache-2": "Apache-2.0", "artistic": "Artistic-1.0-Perl",
}  # fmt: skip
GNU = re.compile(r"^(A?GPL|LGPL|GFDL)-?v?(\d)(?:\.(\d))?(\+?)$", re.IGNORECASE)


class Unknown(Exception):
    """What a person has to look at before this image may leave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A component of the image: where it comes from, what it may be used for, where its licence stands."""

    kind: str  # of its package URL: deb, pypi, generic
    name: str
    version: str
    licences: tuple[str, ...]
    text: str  # where the licence stands in the image
    source: str = ""
    hash: str = ""
    arch: str = ""
    files: tuple[str, ...] = field(default=(), repr=False)

    def url(self, suite: str) -> PackageURL:
        of_debian = {"arch": self.arch, "distro": suite} if self.kind == "deb" else None
        return PackageURL(
            type=self.kind,
            namespace="debian" if self.kind == "deb" else None,
            name=self.name.lower().replace("_", "-") if self.kind == "pypi" else self.name,
            version=self.version,
            qualifiers=of_debian,
        )


def spdx(word: str) -> str:
    """Return SPDX's name of a licence that Debian's copyright files name in their way, or the word as it is."""
    if gnu := GNU.match(word):
        name, major, minor, later = gnu.groups()
        return f"{name.upper()}-{major}.{minor or 0}-{'or-later' if later else 'only'}"
    known = SPDX.get(word.lower())
    return known or next((each for each in (word, word.replace("clause", "Clause")) if is_supported_id(each)), word)


# --- Debian's packages -----------------------------------------------------------------------------------


def licences_of(copyright_file: Path) -> tuple[str, ...]:
    """Return the licences that a Debian copyright file names, or none when it is not made for machines."""
    try:
        with copyright_file.open(encoding="utf-8", errors="replace") as file:
            told = Copyright(file, strict=False)
        names = {each.license.synopsis for each in told.all_files_paragraphs() if each.license}
    except (NotMachineReadableError, ValueError, AttributeError):
        return ()
    words = {word.strip() for name in names for word in re.split(r"\s+(?:or|and|and/or)\s+|,\s*", name) if word}
    return tuple(sorted({spdx(word) for word in words if 0 < len(word) <= 60}))  # noqa: PLR2004 - more is a text


def owned(info: Path, name: str, arch: str) -> Iterator[str]:
    for each in (info / f"{name}.list", info / f"{name}:{arch}.list"):
        if each.exists():
            for line in each.read_text().splitlines():
                yield MOVED.sub(r"usr/\1/", line.lstrip("/"))


def packages(tree: Path, dpkg: Path, *, kept: Sequence[str]) -> Iterator[Part]:
    """Yield the packages that dpkg installed. Raises Unknown."""
    with (dpkg / "status").open(encoding="utf-8") as file:
        every = Packages.iter_paragraphs(file, use_apt_pkg=False)
        installed = [each for each in every if each["Status"].endswith(" installed")]
    by_source: dict[str, str] = {}
    for each in installed:
        if (tree / DOC / each["Package"] / "copyright").exists():
            by_source.setdefault(source_of(each)[0], each["Package"])
    for each in installed:
        name, (source, version) = each["Package"], source_of(each)
        section = each.get("Section", "")
        if "/" in section and name not in kept:
            raise Unknown(f"the package {name} is of {section}: is that meant? (licences.toml)")
        told = name if (tree / DOC / name / "copyright").exists() else by_source.get(source)
        if told is None:
            raise Unknown(f"the package {name} has no copyright file")
        yield Part(
            kind="deb",
            name=name,
            version=each["Version"],
            arch=each["Architecture"],
            source=f"{source} {version}",
            licences=licences_of(tree / DOC / told / "copyright"),
            text=f"/{DOC}/{told}/copyright",
            files=tuple(owned(dpkg / "info", name, each["Architecture"])),
        )


def source_of(package: Mapping[str, str]) -> tuple[str, str]:
    said = re.match(r"(\S+)(?: \((\S+)\))?", package.get("Source", package["Package"]))
    assert said
    return said[1], said[2] or package["Version"]


# --- wheels ----------------------------------------------------------------------------------------------


def wheels(tree: Path, hashes: dict[str, str], *, said: dict[str, str], accepted: Sequence[str]) -> Iterator[Part]:
    """Yield the wheels of the environment, with the hash of the file that each came in. Raises Unknown."""
    for folder in sorted((tree / WHEELS).glob("python3*/site-packages/*.dist-info")):
        told = message_from_string((folder / "METADATA").read_text(encoding="utf-8", errors="replace"))
        name, version = told["Name"], told["Version"]
        licence = said.get(name.lower()) or told["License-Expression"]
        if not licence:
            raise Unknown(f"the wheel {name} does not name its licence: look at it, and say it in licences.toml")
        for word in re.split(r"[\s()]+(?:AND|OR|WITH)?[\s()]*", licence):
            if word and word not in accepted:
                raise Unknown(f"the wheel {name} is under {word}: is that meant? (licences.toml)")
        texts = sorted(each for each in folder.rglob("*") if LICENCE.match(each.name) and each.is_file())
        site = folder.parent
        lines = (folder / "RECORD").read_text(encoding="utf-8").splitlines()
        files = (os.path.normpath(site.relative_to(tree) / line.rsplit(",", 2)[0].strip('"')) for line in lines)
        yield Part(
            kind="pypi",
            name=name,
            version=version,
            hash=hash_of(hashes, name, version),
            licences=(licence,),
            text=f"/{(texts[0] if texts else folder / 'METADATA').relative_to(tree)}",
            files=tuple(files),
        )


def hash_of(hashes: dict[str, str], name: str, version: str) -> str:
    """Return the hash of the file that a wheel came in. Raises Unknown."""
    wanted = simple(f"{name}-{version}-")
    found = [value for file, value in hashes.items() if simple(file).startswith(wanted)]
    if len(found) != 1:
        raise Unknown(f"the wheel {name} {version} came in no file that is known")
    return found[0]


def simple(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# --- whose file ------------------------------------------------------------------------------------------


class Owners:
    """Which part each file of a tree belongs to."""

    def __init__(self, tree: Path, parts: Iterable[Part], made: dict[str, str]) -> None:
        self._tree = tree
        self._made = made
        self._parts = {each.name for each in parts}
        self._owner = {file: each.name for each in parts for file in each.files}
        if missing := {name for name in made.values() if name not in self._parts}:
            raise Unknown(f"licences.toml names parts that this image has not: {', '.join(sorted(missing))}")

    def of(self, path: str, *, links: int = 8) -> str | None:
        """Return the name of the part, or None. A link that no package brings is of what it leads to."""
        if path in self._owner:
            return self._owner[path]
        if bytecode := BYTECODE.match(path):
            return self.of(f"{bytecode[1]}/{bytecode[2]}.py")
        for pattern, name in self._made.items():
            if fnmatch.fnmatchcase(path, pattern):
                return name
        place = self._tree / path
        if not place.is_symlink() or not links:
            return None
        target = str(place.readlink())
        led = target.lstrip("/") if target.startswith("/") else str(Path(path).parent / target)
        return self.of(MOVED.sub(r"usr/\1/", os.path.normpath(led)), links=links - 1)


def files(tree: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(tree):
        folders.sort()
        links = [each for each in folders if (Path(folder) / each).is_symlink()]
        for name in sorted([*names, *links]):
            yield str((Path(folder) / name).relative_to(tree))


def whose(tree: Path, parts: Sequence[Part], made: dict[str, str]) -> dict[str, str]:
    """Return the part of each file. Raises Unknown with those that nobody knows."""
    owners = Owners(tree, parts, made)
    found = {path: owners.of(path) for path in files(tree)}
    if strays := [path for path, owner in found.items() if owner is None]:
        listed = "\n  ".join(strays[:40])
        raise Unknown(f"{len(strays)} files of the image come from nowhere (licences.toml):\n  {listed}")
    return {path: owner for path, owner in found.items() if owner}


# --- what is written -------------------------------------------------------------------------------------


def component(part: Part, suite: str) -> Component:
    if part.kind == "pypi":
        licences: list[Any] = [LicenseExpression(part.licences[0])]
    else:
        known = part.licences or (f"as {part.text} says",)
        licences = [DisjunctiveLicense(**{"id" if is_supported_id(each) else "name": each}) for each in known]
    url = part.url(suite)
    told = {"scopegate:source": part.source, "scopegate:licence": part.text}
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.APPLICATION if part.kind == "generic" else ComponentType.LIBRARY,
        bom_ref=url.to_string(),
        purl=url,
        licenses=licences,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.hash)] if part.hash else [],
        properties=[Property(name=name, value=value) for name, value in told.items() if value],
    )


def bill(product: Part, parts: Sequence[Part], tools: Sequence[Part], *, suite: str, date: int) -> str:
    """Return the bill of materials, checked against CycloneDX's schema."""
    box = component(product, suite)
    made = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"scopegate {product.version} {date}"),
        metadata=BomMetaData(
            component=box,
            timestamp=datetime.fromtimestamp(date, UTC),
            tools=ToolRepository(components=[component(each, suite) for each in tools]),
        ),
        components=[component(each, suite) for each in parts],
    )
    made.register_dependency(box, made.components)
    text = JsonV1Dot6(made).output_as_string(indent=1)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise Unknown(f"the bill of materials is none: {wrong.data.message}")
    return text + "\n"


def licence_list(parts: Sequence[Part]) -> str:
    lines = ["What this image is made of: name, version, licences, where their text stands in it."]
    for part in parts:
        lines.append(f"{part.name} {part.version}")
        lines.append(f"    {', '.join(part.licences) or 'see there'}")
        lines.append(f"    {part.text}")
    return "\n".join(lines) + "\n"


def words() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("tree", "facts", "tools", "out"):
        parser.add_argument(name, type=Path)
    for name in ("version", "suite"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--date", type=int, required=True)
    return parser.parse_args()


def main() -> int:
    said = words()
    logging.disable(logging.WARNING)  # how copyright files stray from their format
    kept = tomllib.loads((said.facts / "licences.toml").read_text())
    hashes = dict(reversed(line.split(None, 1)) for line in (said.facts / "wheels").read_text().splitlines())
    product = Part(
        kind="generic",
        name="scopegate",
        version=said.version,
        licences=tuple(kept["product"]["licences"]),
        text="/opt/scopegate/LICENSE",
        files=tuple((said.facts / "product").read_text().splitlines()),
    )
    try:
        parts = [
            *packages(said.tree, said.facts / "dpkg", kept=kept["packages"]["not_of_main"]),
            *wheels(said.tree, hashes, said=kept["wheels"]["said"], accepted=kept["wheels"]["accepted"]),
        ]
        tools = list(packages(said.tools, said.tools / "var/lib/dpkg", kept=()))
        owners = whose(said.tree, [product, *parts], kept["made"])
        text = bill(product, parts, tools, suite=said.suite, date=said.date)
    except Unknown as error:
        print(f"contents: {error}", file=sys.stderr)
        return 1
    (said.out / "bom.cdx.json").write_text(text)
    (said.out / "licences.txt").write_text(licence_list([product, *parts]))
    (said.out / "files.txt").write_text("".join(f"/{path}\t{owner}\n" for path, owner in owners.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
