"""Which attributes objects have, and whether with a value: read from objects of the richest and the poorest exams.

The words of a conformance statement (PS3.2): ALWAYS has a value; VNAP is there, its value not always; ANAP is not
always there; EMPTY is there without a value.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from gateway.config.settings import Station
from gateway.model import Capture, Exam, Procedure, Side, Step
from tests import dicom_samples as samples

KINDS = ("secondary-capture", "ultrasound", "endoscopic", "photographic")
_CODE = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080104})
_LEFT_OUT_BY_SOME_SERVERS = (
    0x00080050, 0x00080090, 0x00100021, 0x00100030, 0x00100040, 0x0020000D, 0x00321032, 0x00321060, 0x00321064,
    0x00380010, 0x00400007, 0x00400008, 0x00400009, 0x00401001,
)  # fmt: skip
_ADDED_BY_SOME_SERVERS = tuple(int(word[1:], 16) for word in samples.RICH)
_ODD_ROWS = 45
_UNIVERSAL_ISSUER = samples.element(0x00400032, "UT", b"1.2.3") + samples.element(0x00400033, "CS", b"ISO")
Place = tuple[int, ...]
Made = tuple[Capture, list[bytes]]
Case = tuple[Station, Exam, Made, bytes | None]


def as_markdown() -> str:
    """Print a row for each attribute: its tag, its VR, and whether stills and clips have it, by kind of source."""
    stills, clips = ({kind: _presence(_objects(kind, which)) for kind in KINDS} for which in ("still", "clip"))
    paths = sorted({path for each in (*stills.values(), *clips.values()) for path in each})
    codes = {path[:-1] for path in paths if path[-1] in _CODE}
    lines = ["| attribute | VR | stills | clips |", "|---|---|---|---|"]
    for path in paths:
        if path[:-1] not in codes:
            vr = f"{dictionary_VR(path[-1])}{' (code)' if path in codes else ''}"
            lines.append(f"| {_name(path)} | {vr} | {_cell(stills, path)} | {_cell(clips, path)} |")
    return "\n".join(lines) + "\n"


def _objects(kind: str, which: str) -> list[Dataset]:
    with TemporaryDirectory() as folder:
        return [_read(Path(folder) / "one.dcm", kind, one) for one in _every(which)]


def _every(which: str) -> Iterator[Case]:
    """Yield exams with what was captured in them: of talkative and silent servers, typed, temporary."""
    step = Step(sop_instance_uid="2.25.8001", id="e1-1", started=samples.OPENED, servers=("ris",))
    told = {"steps": (step,), "operator": "Rossi^Ada", "study_id": "RP-100"}
    alone = {"study_id": "3bd7cbffc7"}
    full, bare = samples.order_file(**samples.RICH), samples.order_file(without=_LEFT_OUT_BY_SOME_SERVERS)
    typed = samples.exam(procedure=Procedure(description="Abdomen"), **told)
    nobody = replace(typed.patient, birth_date="", sex="", issuer="")
    exams = (
        (samples.STATION, samples.exam_of(full, **told), full),
        (Station(name="US-ROOM-2"), samples.exam_of(bare, **alone), bare),
        (samples.STATION, typed, None),
        (Station(name="US-ROOM-2"), samples.exam(patient=nobody, **alone), None),
        (samples.STATION, samples.temporary(**alone), None),
    )
    captured = list(_stills() if which == "still" else _clips())
    yield from ((station, exam, made, order) for station, exam, order in exams for made in captured)
    for one in (*_LEFT_OUT_BY_SOME_SERVERS, *_ADDED_BY_SOME_SERVERS):
        more = {word: value for word, value in samples.RICH.items() if int(word[1:], 16) != one}
        order = samples.order_file(without=(one,), **more)
        yield samples.STATION, samples.exam_of(order, **alone), captured[0], order
    universal = {**samples.RICH, "x00080051": ("SQ", [_UNIVERSAL_ISSUER])}
    order = samples.order_file(**universal)
    yield samples.STATION, samples.exam_of(order, **alone), captured[0], order


def _stills() -> Iterator[Made]:
    usual = samples.still()[0].equipment
    yield samples.still(side=Side.LEFT)
    yield samples.still(equipment=replace(usual, manufacturer="", model="", serial_number="", department=""))
    yield samples.still(samples=1)
    yield samples.still(codec="jpeg", pixel_aspect="11\\10")
    yield samples.still(codec="uncompressed")
    yield samples.still(equipment=replace(usual, body_part="BREAST"), side=Side.RIGHT)


def _clips() -> Iterator[Made]:
    usual = samples.clip()[0].equipment
    yield samples.clip(side=Side.LEFT)
    yield samples.clip(equipment=replace(usual, manufacturer="", model="", serial_number="", department=""))
    yield samples.clip(frames=1)
    yield samples.clip(times=(2_000_000_000, 2_040_000_000, 2_090_000_000, 2_400_000_000, 2_440_000_000))
    yield samples.clip(equipment=replace(usual, body_part="BREAST"), side=Side.RIGHT)
    yield samples.encoded()
    yield samples.encoded(rows=_ODD_ROWS)


def _read(path: Path, kind: str, case: Case) -> Dataset:
    station, exam, (capture, streams), order = case
    equipment = replace(capture.equipment, object=kind, modality=samples.MODALITIES[kind])
    made = replace(capture, equipment=equipment)
    odd = {"recorded": replace(made, rows=_ODD_ROWS)} if made.rows == _ODD_ROWS + 1 else {}
    return pydicom.dcmread(samples.seal(path, exam, made, streams, order, station=station, **odd))


def _presence(objects: list[Dataset]) -> dict[Place, str]:
    there: Counter[Place] = Counter()
    filled: Counter[Place] = Counter()
    parents: Counter[Place] = Counter({(): len(objects)})
    for each in objects:
        _count(each, (), there, filled, parents)
    return {path: _word(there[path], filled[path], parents[path[:-1]]) for path in there}


def _count(
    data_set: Dataset, above: Place, there: Counter[Place], filled: Counter[Place], parents: Counter[Place]
) -> None:
    for element in data_set:
        path = (*above, int(element.tag))
        there[path] += 1
        filled[path] += not element.is_empty
        if element.VR == "SQ":
            parents[path] += len(element.value)
            for item in element.value:
                _count(item, path, there, filled, parents)


def _word(there: int, filled: int, of: int) -> str:
    if there < of:
        return "ANAP"
    return "ALWAYS" if filled == of else "VNAP" if filled else "EMPTY"


def _cell(kinds: Mapping[str, Mapping[Place, str]], path: Place) -> str:
    """Return one word where all kinds of sources are alike, else each with the kinds that it is of."""
    words: dict[str, list[str]] = {}
    for kind, found in kinds.items():
        words.setdefault(found.get(path, "-"), []).append(kind)
    if len(words) == 1:
        return next(iter(words))
    return "; ".join(f"{word}: {', '.join(of)}" for word, of in words.items() if word != "-")


def _name(path: Place) -> str:
    tag = Tag(path[-1])
    return f"{'> ' * (len(path) - 1)}({tag.group:04X},{tag.element:04X}) {keyword_for_tag(tag)}"
