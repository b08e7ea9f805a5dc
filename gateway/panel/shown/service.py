"""What a service engineer sees: states, codes, versions, temperatures, lines of logs. Never a patient.

What others wrote may quote one: whatever leaves in the bundle is searched first, for the names and numbers of all
exams.
"""

import io
import json
import platform
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from gateway import __version__
from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.spool.database import VERSION
from gateway.spool.spool import Spool

PROCESSES = ("capture", "forward", "panel")
REMOVED = "[removed]"
_SHORTEST = 3  # letters: shorter words are parts of every text
_PACKAGES = ("pydicom", "pynetdicom", "starlette", "uvicorn", "av", "opencv-python-headless", "linuxpy")


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
    found["machine"] = platform.machine()
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


def without_patients(spool: Spool) -> Callable[[str], str]:
    """Return what takes every word out of a text that stands for a patient of this box or of its worklist."""
    words = set(_words_of_patients(spool))
    if not words:
        return lambda text: text
    longest_first = sorted(words, key=len, reverse=True)
    pattern = re.compile("|".join(map(_pattern, longest_first)), re.IGNORECASE)
    return lambda text: pattern.sub(REMOVED, text)


def bundle(
    *,
    spool: Spool,
    settings: Settings,
    clock: Clock,
    health: dict[str, Any],
    measured: Sequence[Temperature] = (),
) -> bytes:
    """Return a zip for whoever helps from afar: health, faults, versions, configuration without secrets, logs."""
    clean = without_patients(spool)
    facts: dict[str, Any] = {
        "health.json": health,
        "faults.json": [asdict(each) for each in faults(spool)],
        "versions.json": versions(),
        "temperatures.json": [asdict(each) for each in measured],
        "configuration.json": _configuration(settings),
    }
    parts = {name: _as_json(fact, clean) for name, fact in facts.items()}
    parts |= {f"{name}.log": clean(text) for name, text in _logs(settings.station.runtime_dir)}
    made = io.BytesIO()
    moment = clock.now().local.timetuple()[:6]
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (max(moment[0], 1980), *moment[1:])), text)
    return made.getvalue()


def _words_of_patients(spool: Spool) -> Iterator[str]:
    patients = [(each.patient, each.procedure) for each in spool.exams.list(limit=1_000_000)]
    patients += [(each.patient, each.procedure) for each in spool.worklist.items()]
    for patient, procedure in patients:
        numbers = (patient.id, patient.birth_date, procedure.accession_number)
        yield from (text for text in numbers if len(text) >= _SHORTEST)
        names = re.split(r"[\^= ]", patient.name)
        yield from (name for name in names if len(name) > 1 or (name and not name.isascii()))


def _pattern(word: str) -> str:
    """Return what finds a word: a short one of few letters ("Li") by itself, one of signs ("李") anywhere."""
    found = re.escape(word)
    return rf"\b{found}\b" if len(word) < _SHORTEST and word.isascii() else found


def _configuration(settings: Settings) -> dict[str, Any]:
    """Return what is configured. Secrets are files of which the configuration knows the place alone."""
    found = asdict(settings)
    found["panel"]["operators"] = len(settings.panel.operators)
    return found


def _logs(folder: Path) -> Iterable[tuple[str, str]]:
    for process in PROCESSES:
        text = ""
        for path in (folder / f"{process}.log.1", folder / f"{process}.log"):
            with suppress(OSError):
                text += path.read_text("utf-8", "replace")
        yield process, text


def _as_json(value: object, clean: Callable[[str], str]) -> str:
    """Return facts whose texts are clean. Letters stay letters, and numbers are ours."""

    def cleaned(found: Any) -> Any:  # noqa: ANN401 - whatever JSON has
        if isinstance(found, dict):
            return {key: cleaned(each) for key, each in found.items()}
        if isinstance(found, list):
            return [cleaned(each) for each in found]
        return clean(found) if isinstance(found, str) else found

    plain = json.loads(json.dumps(value, default=str))
    return json.dumps(cleaned(plain), indent=1, ensure_ascii=False)
