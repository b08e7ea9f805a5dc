"""Patients and dates as people read them. Displays only: the values that leave the box are never touched."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from gateway.messages import N_

DAYS = N_(
    (
        "{day}-Jan-{year}",
        "{day}-Feb-{year}",
        "{day}-Mar-{year}",
        "{day}-Apr-{year}",
        "{day}-May-{year}",
        "{day}-Jun-{year}",
        "{day}-Jul-{year}",
        "{day}-Aug-{year}",
        "{day}-Sep-{year}",
        "{day}-Oct-{year}",
        "{day}-Nov-{year}",
        "{day}-Dec-{year}",
    )
)
NO_BIRTH_DATE = N_("Birth date not given: ask")
SEXES = N_({"M": "Male", "F": "Female", "O": "Other", "": "Sex not given"})
_COMPONENTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A person name on the screen: `first` large, `second` under it when there are two groups."""

    first: str
    second: str = ""


def person(name: str) -> Shown:
    """Return a PN (PS3.5 6.2.1.2) for the screen: the ideographic group first when there is one."""
    alphabetic, ideographic, _ = (*name.split("="), "", "")[:3]
    western, own = _alphabetic(alphabetic), _ideographic(ideographic)
    if own and western:
        return Shown(first=own, second=western)
    return Shown(first=own or western or N_("Name not given"))


def one_line(name: str) -> str:
    shown = person(name)
    return f"{shown.first} ({shown.second})" if shown.second else shown.first


def plain(name: str) -> str:
    """Return the name of somebody who works here, as it was written: "Huber, Maria" of "Huber^Maria"."""
    family, given, middle, prefix, suffix = _components(name)
    return ", ".join(filter(None, (family, " ".join(filter(None, (prefix, given, middle, suffix))))))


def initials(name: str) -> str:
    """Return what stands for a patient where anybody may look: "M. A.", of an ideographic name its first sign."""
    alphabetic, ideographic, _ = (*name.split("="), "", "")[:3]
    parts = _components(alphabetic)[:2]
    if any(parts):
        return " ".join(f"{part[:1].upper()}." for part in parts if part)
    return ideographic.strip("^ ")[:1]


def day(value: str) -> str:
    """Return YYYYMMDD as DD-Mon-YYYY; "" for what is no day."""
    parsed = as_date(value)
    return DAYS[parsed.month - 1].format(day=f"{parsed.day:02d}", year=f"{parsed.year:04d}") if parsed else ""


def birth_date(value: str) -> str:
    return day(value) or NO_BIRTH_DATE


def age(value: str, today: date) -> str:
    """Return a patient's age in the unit that people use for it; "" when it is not known."""
    born = as_date(value)
    if born is None or born > today:
        return ""
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    if months >= 24:  # noqa: PLR2004
        return N_(f"{months // 12} years")
    if months >= 2:  # noqa: PLR2004
        return N_(f"{months} months")
    days = (today - born).days
    return N_("1 day") if days == 1 else N_(f"{days} days")


def scheduled_time(value: str) -> str:
    """Return HH:MM of "YYYYMMDDHHMM..."; "" when the server gave no time."""
    return f"{value[8:10]}:{value[10:12]}" if re.fullmatch(r"\d{12}\d*", value) else ""


def clock_time(moment: datetime) -> str:
    return f"{moment.hour:02d}:{moment.minute:02d}"


def clock_time_of_day(moment: datetime, today: date) -> str:
    """Return when that was: the time alone of today, else with its day."""
    time = clock_time(moment)
    return time if moment.date() == today else f"{day(f'{moment:%Y%m%d}')} {time}"


def as_date(value: str) -> date | None:
    """Return the day that YYYYMMDD names, or None."""
    if not re.fullmatch(r"\d{8}", value, re.ASCII):
        return None
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None


def _alphabetic(group: str) -> str:
    family, given, middle, prefix, suffix = _components(group)
    large = _capitals(family)
    rest = " ".join(filter(None, (prefix, given, middle, suffix)))
    return ", ".join(filter(None, (large, rest)))


def _capitals(family: str) -> str:
    """Return a family name in capitals: with the capital sharp s, and Greek without accents, as people write."""
    large = family.replace("ß", "\N{LATIN CAPITAL LETTER SHARP S}").upper()
    return "".join(_bare(letter) for letter in large)


def _bare(letter: str) -> str:
    greek = "GREEK CAPITAL" in unicodedata.name(letter, "") and "WITH TONOS" in unicodedata.name(letter, "")
    return unicodedata.normalize("NFD", letter)[0] if greek else letter


def _ideographic(group: str) -> str:
    family, given, middle, prefix, suffix = _components(group)
    return " ".join(filter(None, (family, given, middle, prefix, suffix)))


def _components(group: str) -> list[str]:
    parts = [part.strip() for part in group.split("^")]
    return (parts + [""] * _COMPONENTS)[:_COMPONENTS]
