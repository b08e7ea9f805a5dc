"""Which tables and keys the configuration has, and what each may be. interface.md in code; no rule across keys.

A key that stands here but in no dataclass of `settings` belongs to a later version: its neutral value is
accepted and means nothing.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.config import certificates, contacts, dicom, grabber, secret, values
from gateway.config.body_parts import BODY_PARTS
from gateway.config.settings import (
    LANGUAGES,
    Destination,
    Lan,
    Panel,
    ProcedureStep,
    Release,
    Retention,
    Sign,
    Source,
    Station,
    Tls,
    Trigger,
    Worklist,
)
from gateway.config.values import Check


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of the file, or one kind of element of an array of tables."""

    made: type | None  # the dataclass it becomes; None = a table of a later version
    field: str  # of Settings
    keys: "Mapping[str, Check | Table]" = dataclasses.field(default_factory=dict)  # a Table: an inline table
    many: bool = False  # [[name]] rather than [name]
    needed: tuple[str, ...] = ()
    needed_by_kind: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )  # `kind` -> what it needs besides; the first is the default kind
    only_for: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )  # key -> the kinds that have it; the others refuse it
    by_kind: Mapping[str, Mapping[str, Check]] = dataclasses.field(
        default_factory=dict
    )  # kind -> keys whose values differ from those of the other kinds


def tables(base: Path) -> dict[str, Table]:
    """Return every table by its name; relative paths are taken from `base`, the file's own folder."""
    return {
        "station": _station(base),
        "panel": _panel(base),
        "release": Table(
            made=Release,
            field="release",
            keys={
                "when": values.one_of("finish", "at-once"),
                "temporary": values.one_of("hold", "send"),
                "reopen_hours": values.number(0, 720),
            },
        ),
        "source": _source(base),
        "trigger": _TRIGGER,
        "sign": _SIGN,
        "worklist": _worklist(base),
        "procedure_step": _procedure_step(base),
        "destination": _destination(base),
        "retention": Table(
            made=Retention,
            field="retention",
            keys={
                "keep_days": values.number(0, 36500, "days"),
                "rejected_days": values.number(1, 36500, "days"),
                "reserve_mb": values.number(64, 1_000_000, "MB"),
            },
        ),
    }


def _tls(base: Path) -> Table:
    """Return what secures a connection to another system. `rules` looks at the files together."""
    return Table(
        made=Tls,
        field="",
        needed=("ca",),
        keys={
            "ca": certificates.authorities(base),
            "certificate": certificates.file(base),
            "key": certificates.file(base),
            "check_name": values.flag,
        },
    )


def _listener_tls(base: Path) -> Table:
    """Return what secures our listener: its own certificate, and whose callers it takes."""
    table = _tls(base)
    keys = {key: check for key, check in table.keys.items() if key != "check_name"}
    return dataclasses.replace(table, keys=keys, needed=("ca", "certificate", "key"))


def _station(base: Path) -> Table:
    return Table(
        made=Station,
        field="station",
        keys={
            "name": dicom.text(16, empty=False, ascii_only=True),
            "ae_title": dicom.ae_title(),
            "listen": values.address,
            "institution": dicom.text(64),
            "issuer": dicom.text(64),
            "data_dir": values.directory(base),
            "runtime_dir": values.directory_or_default(base),
            "temporary_id": dicom.temporary_id,
            "typed_id": dicom.temporary_id,
            "tls": _listener_tls(base),
        },
    )


def _panel(base: Path) -> Table:
    lan = Table(
        made=Lan,
        field="",
        needed=("certificate", "key"),
        keys={
            "listen": values.address,
            "certificate": certificates.file(base),
            "key": certificates.file(base),
            "capture": values.flag,
        },
    )
    return Table(
        made=Panel,
        field="panel",
        keys={
            "listen": values.address,
            "lan": lan,
            "language": values.one_of(*LANGUAGES),
            "theme": values.one_of("dark", "light"),
            "buttons": values.one_of("right", "left"),
            "operators": values.several(dicom.operator),
            "keyboard": values.one_of("auto", "qwerty", "qwertz", "azerty", "italian"),
            "screen_mm": values.number(0, 1000, "mm"),
            "switch_off": values.flag,
            "kiosk": values.flag,
            "practice": values.flag,
            "practice_of": values.address,
        },
    )


def _source(base: Path) -> Table:
    return Table(
        made=Source,
        field="sources",
        many=True,
        needed=("name", "device"),  # a forgotten device must not become a test picture
        keys={
            "name": values.name,
            "device": values.device(base, grabber.where),
            "input": grabber.input_name,
            "standard": grabber.standard,
            "size": grabber.size,
            "rate": values.number(0, 240, "pictures a second"),
            "format": grabber.formats,
            "profile": values.profile(base),
            "modality": dicom.code_string(empty=False),
            "object": values.one_of("secondary-capture", "ultrasound", "endoscopic", "photographic"),
            "still": values.one_of("auto", "jpeg-lossless", "jpeg-ls", "jpeg", "uncompressed"),
            "clip": values.one_of("auto", "jpeg", "h264"),
            "jpeg_quality": values.number(1, 100),
            "crop": values.box,
            "aspect": values.one_of("square", "keep"),
            "ring_mb": values.number(8, 8192, "MB"),
            "pre_record_s": values.number(0, 30, "seconds"),
            "clip_limit_s": values.number(10, 3600, "seconds"),
            "manufacturer": dicom.text(64),
            "model": dicom.text(64),
            "serial_number": dicom.text(64),
            "station_name": dicom.text(16),
            "station_ae_title": values.only("", dicom.ae_title(empty=True)),
            "department": dicom.text(64),
            "idle": values.one_of("auto", "cover", "strip", "off"),
            "idle_minutes": values.number(1, 240, "minutes"),
            "idle_end_minutes": values.number(0, 1440, "minutes"),
            "body_part": values.one_of("", *BODY_PARTS),
        },
    )


_TRIGGER = Table(
    made=Trigger,
    field="triggers",
    many=True,
    needed=("kind", "device", "source"),
    needed_by_kind=dict.fromkeys(contacts.TRIGGER_KINDS, ()),
    only_for={"identity": ("input",), "active": ("gpio",), "bias": ("gpio",)},
    by_kind=contacts.TRIGGER_KINDS,
    keys={
        "kind": values.one_of(*contacts.TRIGGER_KINDS),
        "device": values.words_of,
        "source": values.name,
        "still": values.words_of,
        "clip": values.words_of,
        "identity": contacts.identity,
        "active": values.one_of("low", "high"),
        "bias": values.one_of("", "pull-up", "pull-down", "none"),
    },
)

_SIGN = Table(
    made=Sign,
    field="signs",
    many=True,
    needed=("kind",),
    needed_by_kind={"tone": (), "gpio": ("device", "lamp"), "serial": ("device", "lamp")},
    only_for={"lamp": ("gpio", "serial"), "active": ("gpio", "serial"), "volume": ("tone",)},
    by_kind={
        "tone": {"device": contacts.sound_device},
        "gpio": {"device": contacts.gpio_device, "lamp": contacts.pin},
        "serial": {"device": contacts.serial_device, "lamp": values.one_of(*contacts.LAMP_LINES)},
    },
    keys={
        "kind": values.one_of("tone", "gpio", "serial"),
        "device": values.words_of,
        "lamp": values.words_of,
        "active": values.one_of("high", "low"),
        "volume": values.number(5, 100, "%"),  # never silence: a tone that nobody hears is no answer
    },
)


def _worklist(base: Path) -> Table:
    return Table(
        made=Worklist,
        field="worklists",
        many=True,
        needed=("name", "ae_title", "host", "port"),
        keys={
            "name": values.name,
            "ae_title": dicom.ae_title(),
            "host": values.host,
            "port": values.number(1, 65535),
            "modality": dicom.code_string(empty=True),
            "station_ae_title": dicom.ae_title(empty=True),
            "days_back": values.number(0, 365, "days"),
            "days_ahead": values.number(0, 365, "days"),
            "fallback_charset": dicom.charset,
            "issuer": dicom.text(64),
            "tls": _tls(base),
        },
    )


def _procedure_step(base: Path) -> Table:
    return Table(
        made=ProcedureStep,
        field="procedure_steps",
        many=True,
        needed=("name", "ae_title", "host", "port"),
        keys={
            "name": values.name,
            "ae_title": dicom.ae_title(),
            "host": values.host,
            "port": values.number(1, 65535),
            "tls": _tls(base),
        },
    )


_ONLY_FOR = {
    **dict.fromkeys(("ae_title", "host", "port"), ("dicom",)),
    **dict.fromkeys(("commitment", "commitment_hours", "commitment_wait_s"), ("dicom",)),
    **dict.fromkeys(("url", "token_file", "user", "password_file", "insecure"), ("stow",)),
    **dict.fromkeys(("tls", "transfer_syntaxes", "fallback", "key_stills"), ("dicom", "stow")),
    **dict.fromkeys(("query", "trust_query"), ("dicom", "stow")),
    "folder": ("media",),
}


def _destination(base: Path) -> Table:
    return Table(
        made=Destination,
        field="destinations",
        many=True,
        needed=("name",),
        needed_by_kind={"dicom": ("ae_title", "host", "port"), "stow": ("url",), "media": ("folder",)},
        only_for=_ONLY_FOR,
        keys={
            "name": values.name,
            "kind": values.one_of("dicom", "stow", "media"),
            "ae_title": dicom.ae_title(),
            "host": values.host,
            "port": values.number(1, 65535),
            "folder": values.full_path,
            "required": values.flag,
            "commitment": dicom.entity,
            "commitment_hours": values.number(1, 720, "hours"),
            "commitment_wait_s": values.number(0, 15, "seconds"),
            "query": dicom.entity,
            "trust_query": values.flag,
            "transfer_syntaxes": dicom.transfer_syntaxes,
            "max_object_mb": values.number(1, 100_000, "MB"),
            "sources": values.several(values.name),
            "types": values.several(values.one_of("still", "clip")),
            "longest_clip_s": values.number(0, 3600, "s"),
            "fallback": values.one_of("hold", "jpeg", "key-stills"),
            "key_stills": values.number(1, 9),
            "url": values.url,
            "token_file": secret.secret_file(base),
            "user": secret.user,
            "password_file": secret.secret_file(base),
            "insecure": values.flag,
            "tls": _tls(base),
        },
    )
