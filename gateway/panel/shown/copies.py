"""What a copy onto a medium needs, where it can go and how far it is, as the screens show it. Changes nothing."""

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

from gateway.config.settings import Destination
from gateway.dicom import medium_room
from gateway.messages import N_
from gateway.model import Exam, ExamState
from gateway.spool import pictures
from gateway.spool.spool import Spool

_MB, _GB = 1_000_000, 1_000_000_000
_MINUTE = 60
_ENDED = frozenset({ExamState.RELEASED, ExamState.DISCONTINUED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Medium:
    """One media destination as forward saw it last. `there` None: forward does not say. In bytes."""

    name: str
    folder: str
    there: bool | None
    free: int = 0
    read_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What would be written; `bytes`: the room that it needs on an empty medium.

    `hindered`: why it cannot be, "" when it can; `waits`: that ends by itself.
    """

    pictures: int
    bytes: int
    hindered: str = ""
    waits: bool = False


def media(destinations: Sequence[Destination], forward: Mapping[str, Any] | None) -> list[Medium]:
    """Return the media that are configured. `forward`: what it said of itself last, None when it is not there."""
    said = {each["name"]: each for each in (forward or {}).get("destinations", [])}
    return [_medium(each, said.get(each.name)) for each in destinations if each.kind == "media"]


def _medium(destination: Destination, said: Mapping[str, Any] | None) -> Medium:
    found = (said or {}).get("medium")
    return Medium(
        name=destination.name,
        folder=str(destination.folder),
        there=None if said is None else bool(found),
        free=found["free"] if found else 0,
        read_only=bool(found and found["read_only"]),
    )


def load(spool: Spool, exams: Sequence[Exam], waits: Callable[[Exam, Sized], bool], *, jpeg: bool) -> Load:
    """Return what exams come to on a medium, `jpeg`: with copies for looking at.

    `waits`: says of an exam and its pictures whether they stay until a person did something.
    """
    found = [(exam, pictures.of_exam(spool, exam.id)) for exam in exams]
    kept = [each for _, of_exam in found for each in of_exam if not each.removed and not each.listed.purged]
    objects = [o for exam in exams for o in spool.objects.of_exam(exam.id) if not o.derived_from]
    sizes = medium_room.on_an_empty_one(((o, spool.objects.path(o)) for o in objects), jpeg=jpeg)
    count = sum(not each.listed.problem_code for each in kept)
    if any(exam.state is ExamState.OPEN for exam in exams):
        return Load(pictures=count, bytes=sizes, hindered=N_("The exam is still open. Finish it first."))
    if not kept:
        return Load(pictures=0, bytes=0, hindered=N_("There are no pictures of it on this box."))
    if any(waits(exam, of_exam) for exam, of_exam in found):
        return Load(pictures=count, bytes=sizes, hindered=N_("Choose or check its patient first."))
    unmade = any(not each.sealed and not each.listed.problem_code for each in kept)
    if unmade or any(exam.state not in _ENDED for exam in exams):
        return Load(pictures=count, bytes=sizes, hindered=N_("Its pictures are being prepared."), waits=True)
    return Load(pictures=count, bytes=sizes)


def size(count: int) -> str:
    """Return a number of bytes for people: as sticks are sold, in thousands."""
    if count >= _GB:
        return f"{count / _GB:.1f} GB"
    return f"{-(-count // _MB)} MB"


def left(seconds: int) -> str:
    """Return how long something takes yet; never "0 s"."""
    if seconds >= 2 * _MINUTE:
        minutes = round(seconds / _MINUTE)
        return N_(f"about {minutes} min left")
    seconds = max(1, seconds)
    return N_(f"about {seconds} s left")
