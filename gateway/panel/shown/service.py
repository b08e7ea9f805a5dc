"""What a service engineer sees: codes, versions, temperatures. Never a patient."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from gateway import __version__
from gateway.spool.database import VERSION
from gateway.spool.spool import Spool

_PACKAGES = ("pydicom", "pynetdicom", "starlette", "uvicorn", "av", "opencv-python-headless", "linuxpy")
_AS_DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}  # the word of images and updates


@dataclass(frozen=True, kw_only=True, slots=True)
class Temperature:
    """One of the machine's, in degrees Celsius."""

    name: str
    celsius: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """How many things bear a stable code now; `what`: deliveries, messages, captures."""

    code: str
    what: str
    count: int


def temperatures(capture: Mapping[str, Any] | None) -> list[Temperature]:
    """Return what the recorder said last, which alone reads the sensors; nothing while it is away."""
    zones = ((capture or {}).get("machine") or {}).get("zones", [])
    return [Temperature(name=each["name"], celsius=each["celsius"]) for each in zones]


def versions() -> dict[str, str]:
    """Return which program runs, on what."""
    found = {"scopegate": __version__, "index": str(VERSION), "python": platform.python_version()}
    found["kernel"] = platform.release()
    found["machine"] = _AS_DEBIAN.get(platform.machine(), platform.machine())
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def faults(spool: Spool) -> list[Fault]:
    """Return what is in trouble now, by code, the most frequent first."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT code, 'deliveries' AS what, count(*) AS count FROM delivery WHERE code <> '' GROUP BY code "
            "UNION ALL SELECT code, 'messages', count(*) FROM step_message WHERE code <> '' GROUP BY code "
            "UNION ALL SELECT problem_code, 'captures', count(*) FROM capture WHERE problem_code <> '' GROUP BY 1 "
            "ORDER BY count DESC, 1, 2"
        ).fetchall()
    return [Fault(code=row["code"], what=row["what"], count=row["count"]) for row in rows]
