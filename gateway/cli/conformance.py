"""`scopegate conformance`: what this very box says over the wire, by its configuration and the tables of the code.

Markdown, in the order of docs/conformance.md; what is the same on every box stands there.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gateway import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, __version__
from gateway.clock import Clock
from gateway.config.dicom import TRANSFER_SYNTAXES
from gateway.config.settings import Destination, Settings, Source, Tls
from gateway.model import KEY_OBJECTS

_LITTLE_ENDIAN = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_VERIFICATION = "1.2.840.10008.1.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One row of the overview: a SOP class with one peer, and the transfer syntaxes of its contexts, in order."""

    sop_class: str
    role: str
    peer: str
    at: str
    secured: bool
    syntaxes: tuple[str, ...]


def look(config: Path) -> int:
    """Print the statement; return 0. Raises ConfigurationError."""
    from gateway.config import reader

    print("\n".join(statement(reader.read(config, os.environ), today=Clock().now().local.date())))
    return 0


def statement(settings: Settings, *, today: date) -> Iterator[str]:
    """Yield the lines. today: for the example of a worklist question's range of days."""
    yield f"# DICOM conformance of {settings.station.name}"
    yield f"Scopegate {__version__} as it is configured. What is the same on every box: docs/conformance.md."
    yield from _overview(settings)
    yield from _association(settings)
    yield from _web_and_media(settings.destinations)
    yield from _questions(settings, today)
    yield from _answers(settings)


def services(settings: Settings) -> Iterator[Service]:
    """Yield what this box asks of others, in the order of the file."""
    from gateway.net import commitment, procedure_step, query, worklist

    for server in settings.worklists:
        at, peer = f"{server.host}:{server.port}", f"{server.name} ({server.ae_title})"
        yield _asked(worklist.MODEL, peer, at, server.tls)
    for told in settings.procedure_steps:
        at, peer = f"{told.host}:{told.port}", f"{told.name} ({told.ae_title})"
        yield _asked(procedure_step.SOP_CLASS, peer, at, told.tls)
    for archive in settings.destinations:
        if archive.kind != "dicom":
            continue
        yield from _storing(archive, settings.sources)
        for model, who in ((commitment.PUSH_MODEL, archive.commitment), (query.MODEL, archive.query)):
            if entity := archive.entity(who):
                peer = f"{archive.name} ({entity.ae_title})"
                yield _asked(model, peer, f"{entity.host}:{entity.port}", archive.tls)


def _asked(sop_class: str, peer: str, at: str, tls: Tls | None) -> Service:
    return Service(
        sop_class=sop_class, role="SCU", peer=peer, at=at, secured=tls is not None, syntaxes=_LITTLE_ENDIAN
    )


def _storing(archive: Destination, sources: Iterable[Source]) -> Iterator[Service]:
    """Yield the storage contexts, as they are made for an association with every kind of object."""
    from gateway.dicom.image import TRANSFER_SYNTAX
    from gateway.dicom.objects import FAMILIES, clip_codecs, still_codecs
    from gateway.dicom.part10 import EXPLICIT_LE
    from gateway.net.store import Wanted, contexts_for

    types = archive.types or ("still", "clip")
    wanted: dict[str, list[Wanted]] = {}  # by SOP class
    for source in sources:
        if source.name not in (archive.sources or (source.name,)):
            continue
        stills = list(still_codecs(source)) if "still" in types else []
        stills += ["jpeg-lossless"] if archive.fallback == "key-stills" else []
        clips = list(clip_codecs(source)) if "clip" in types else []
        family = FAMILIES[source.object]
        for sop_class, codecs in ((family.still, stills), (family.clip, clips)):
            wanted.setdefault(sop_class, []).extend(
                Wanted(
                    sop_class_uid=sop_class,
                    transfer_syntax_uid=TRANSFER_SYNTAX[codec],
                    lossy=codec in {"jpeg", "h264"},
                )
                for codec in codecs
            )
    wanted[KEY_OBJECTS] = [Wanted(sop_class_uid=KEY_OBJECTS, transfer_syntax_uid=EXPLICIT_LE, lossy=False)]
    for sop_class, objects in wanted.items():
        if not objects:
            continue
        offered = contexts_for(objects, archive.transfer_syntaxes)
        yield Service(
            sop_class=sop_class,
            role="SCU",
            peer=f"{archive.name} ({archive.ae_title})",
            at=f"{archive.host}:{archive.port}",
            secured=archive.tls is not None,
            syntaxes=tuple(context.transfer_syntax for context in offered),
        )


def _overview(settings: Settings) -> Iterator[str]:
    station = settings.station
    yield from ("", "## Services")
    rows = [
        (_named(each.sop_class), each.sop_class, each.role, each.peer, each.at, _tls(each.secured), _words(each))
        for each in services(settings)
    ]
    listener = (str(station.listen), _tls(station.tls is not None), "Explicit or Implicit VR Little Endian")
    rows.append(("Verification", _VERIFICATION, "SCP", "the peers above", *listener))
    if any(each.commitment for each in settings.destinations):
        from gateway.net.commitment import PUSH_MODEL

        rows.append((_named(PUSH_MODEL), PUSH_MODEL, "SCU, called", "who vouches", *listener))
    yield from _table(("service", "SOP class", "role", "peer", "at", "secured", "transfer syntaxes"), rows)


def _association(settings: Settings) -> Iterator[str]:
    from gateway.net.listener import MOST_ASSOCIATIONS
    from gateway.net.tuning import Entity

    station = settings.station
    received = Entity(station.ae_title, stall=1, allowance=None).maximum_pdu_size
    yield from ("", "## Associations")
    rows = (
        ("AE title", station.ae_title),
        ("listens at", str(station.listen)),
        ("Implementation Class UID", IMPLEMENTATION_CLASS_UID),
        ("Implementation Version Name", IMPLEMENTATION_VERSION_NAME),
        ("largest PDU received", f"{received} bytes"),
        ("associations accepted at a time", str(MOST_ASSOCIATIONS)),
        ("modalities", ", ".join(sorted({source.modality for source in settings.sources}))),
    )
    yield from _table(("", ""), rows)


def _web_and_media(destinations: Iterable[Destination]) -> Iterator[str]:
    places = {
        "stow": "STOW-RS, QIDO-RS (PS3.18 10.5, 10.6)",
        "media": "STD-GEN-USB-JPEG (PS3.11 J), augmented by H.264 clips",
    }
    rows = [
        (each.name, places[each.kind], each.url or str(each.folder)) for each in destinations if each.kind in places
    ]
    if rows:
        yield from ("", "## Web archives and media", *_table(("name", "as", "where"), rows))


def _questions(settings: Settings, today: date) -> Iterator[str]:
    from gateway.net import worklist

    for server in settings.worklists:
        first, last = worklist.days(server, today)
        yield from ("", f"## Worklist questions to {server.name}")
        keys = [
            ("Scheduled Procedure Step Start Date", f"{first} to {last}, if today is {today}"),
            ("Modality", server.modality or "any"),
            ("Scheduled Station AE Title", server.station_ae_title or "any"),
        ]
        yield from _table(("matching key", "value"), keys)


def _answers(settings: Settings) -> Iterator[str]:
    """Yield what becomes of each status of the services that are configured."""
    from gateway.forward.proving import proof
    from gateway.net import statuses, step_statuses, webanswers

    kinds = {each.kind for each in settings.destinations}
    parts = (
        ("Answers to C-STORE", "dicom" in kinds, statuses.as_markdown),
        ("Answers to STOW-RS", "stow" in kinds, webanswers.as_markdown),
        (
            "Failure reasons of storage commitment",
            any(each.commitment for each in settings.destinations),
            proof.as_markdown,
        ),
        ("Answers about procedure steps", bool(settings.procedure_steps), step_statuses.as_markdown),
    )
    for title, wanted, table in parts:
        if wanted:
            yield from ("", f"## {title}", table().rstrip("\n"))


def _named(sop_class: str) -> str:
    from pydicom.uid import UID

    return UID(sop_class).name.removesuffix(" SOP Class")


def _words(service: Service) -> str:
    return ", ".join(TRANSFER_SYNTAXES[uid] for uid in service.syntaxes)


def _tls(secured: bool) -> str:  # noqa: FBT001 - a cell of a table
    return "TLS" if secured else "in clear"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = tuple(titles)
    for row in (titles, ("---",) * len(titles), *rows):
        yield f"| {' | '.join(row)} |"
