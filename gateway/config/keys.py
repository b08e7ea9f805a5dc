"""Which tables and keys the configuration has, and what each may be. interface.md in code; no rule across keys.

A key that stands here but in no dataclass of `settings` belongs to a later version: its neutral value is
accepted and means nothing.
"""

from pathlib import Path

from gateway.config import certificates, contacts, dicom, grabber, peer_keys, values
from gateway.config.body_parts import BODY_PARTS
from gateway.config.settings import (
    LANGUAGES,
    Lan,
    Log,
    Metrics,
    Panel,
    Release,
    Retention,
    Sign,
    Source,
    Station,
    Trigger,
)
from gateway.config.table import Table


def tables(base: Path) -> dict[str, Table]:
    """Return every table by its name; relative paths are taken from `base`, the file's own folder."""
    return {
        "station": _station(base),
        "panel": _panel(base),
        "metrics": Table(made=Metrics, field="metrics", keys={"listen": values.address}),
        "log": Table(made=Log, field="log", keys={"format": values.one_of("text", "json")}),
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
        "worklist": peer_keys.worklist(base),
        "procedure_step": peer_keys.procedure_step(base),
        "destination": peer_keys.destination(base),
        "retention": Table(
            made=Retention,
            field="retention",
            keys={
                "keep_days": values.number(0, 36500, "days"),
                "rejected_days": values.number(1, 36500, "days"),
                "reserve_mb": values.number(64, 1_000_000, "MB"),
            },
        ),
        "audit": peer_keys.audit(base),
    }


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
            "tls": peer_keys.listener_tls(base),
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
