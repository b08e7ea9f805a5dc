"""Which keys other systems have: worklist and procedure step servers, destinations; what secures the way."""

import dataclasses
from pathlib import Path

from gateway.config import certificates, dicom, secret, values
from gateway.config.settings import AuditRepository, Destination, ProcedureStep, Tls, Worklist
from gateway.config.table import Table


def tls(base: Path) -> Table:
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


def listener_tls(base: Path) -> Table:
    """Return what secures our listener: its own certificate, and whose callers it takes."""
    table = tls(base)
    keys = {key: check for key, check in table.keys.items() if key != "check_name"}
    return dataclasses.replace(table, keys=keys, needed=("ca", "certificate", "key"))


_PEER = ("name", "ae_title", "host", "port")


def _peer() -> dict[str, values.Check]:
    """Return what every DICOM server is called by, and where it is."""
    checks = (values.name, dicom.ae_title(), values.peer_host, values.number(1, 65535))
    return dict(zip(_PEER, checks, strict=True))


def worklist(base: Path) -> Table:
    return Table(
        made=Worklist,
        field="worklists",
        many=True,
        needed=_PEER,
        keys={
            **_peer(),
            "modality": dicom.code_string(empty=True),
            "station_ae_title": dicom.ae_title(empty=True),
            "days_back": values.number(0, 365, "days"),
            "days_ahead": values.number(0, 365, "days"),
            "fallback_charset": dicom.charset,
            "issuer": dicom.text(64),
            "tls": tls(base),
        },
    )


def procedure_step(base: Path) -> Table:
    return Table(
        made=ProcedureStep,
        field="procedure_steps",
        many=True,
        needed=_PEER,
        keys={
            **_peer(),
            "tls": tls(base),
        },
    )


def audit(base: Path) -> Table:
    return Table(
        made=AuditRepository,
        field="audit",
        needed=("host", "tls"),
        keys={
            "host": values.peer_host,
            "port": values.number(1, 65535),
            "tls": tls(base),
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


def destination(base: Path) -> Table:
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
            "host": values.peer_host,
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
            "tls": tls(base),
        },
    )
