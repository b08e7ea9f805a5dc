"""Ten invented patients and what is ordered for them today. Nobody here exists; no network, no DICOM."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from gateway.model import Patient

MODALITY = "US"
_STEP = timedelta(minutes=30)  # between two orders
_BEFORE = 3  # orders that are late already
_GRID = 5  # minutes: appointments begin at round times


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One scheduled procedure step. `character_set` as SpecificCharacterSet says it, backslash-separated."""

    patient: Patient
    character_set: str
    description: str
    code: str  # of the department's own catalogue
    meaning: str  # of the code, in ASCII
    referring_physician: str
    accession_number: str
    requested_procedure_id: str
    step_id: str
    study_instance_uid: str
    scheduled_at: datetime  # local time
    modality: str = MODALITY
    station_ae_title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Person:
    name: str
    birth_date: str
    sex: str
    character_set: str
    code: str
    description: str
    physician: str


_PROCEDURES = {
    "USABD": "Ultrasound of the abdomen",
    "USTHY": "Ultrasound of the thyroid",
    "USKID": "Ultrasound of kidneys and bladder",
    "USLIV": "Ultrasound of the liver",
    "USCAR": "Ultrasound of the carotid arteries",
    "USLEG": "Ultrasound of the leg veins",
}

# Family names that mean "example" or "specimen", where the language has one. The first two are there to be mixed
# up; one birth date is not known. Arabic and Hebrew are stored in the order in which they are read.
_PEOPLE = (
    _Person(
        name="MEIER^Anna",
        birth_date="19680412",
        sex="F",
        character_set="ISO_IR 100",
        code="USABD",
        description="Sonografie Abdomen",
        physician="Mustermann^Jörg^^Dr.",
    ),
    _Person(
        name="MEYER^Anna",
        birth_date="19680421",
        sex="F",
        character_set="ISO_IR 100",
        code="USTHY",
        description="Sonografie Schilddrüse",
        physician="Mustermann^Jörg^^Dr.",
    ),
    _Person(
        name="Müller-Sørensen^Søren^Åge",
        birth_date="19510930",
        sex="M",
        character_set="ISO_IR 100",
        code="USCAR",
        description="Ultralyd halskar",
        physician="Mønster^Bjørn",
    ),
    _Person(
        name="Przykładowska-Żółć^Łucja",
        birth_date="19930117",
        sex="F",
        character_set="ISO_IR 101",
        code="USKID",
        description="USG nerek i pęcherza",
        physician="Wzorcowy^Święcisław",
    ),
    _Person(
        name="Παραδειγματίδου^Ελένη",
        birth_date="19790605",
        sex="F",
        character_set="ISO_IR 126",
        code="USLIV",
        description="Υπερηχογράφημα ήπατος",
        physician="Υποδειγματικός^Νίκος",
    ),
    _Person(
        name="Примеров^Юрий^Образцович",
        birth_date="",
        sex="M",
        character_set="ISO_IR 144",
        code="USABD",
        description="УЗИ брюшной полости",
        physician="Образцова^Юлия",
    ),
    _Person(
        name="Zhang^Yangli=张^样例",
        birth_date="20010228",
        sex="M",
        character_set="GB18030",
        code="USTHY",
        description="甲状腺超声检查",
        physician="Li^Shifan=李^示范",
    ),
    _Person(
        name="Mihon^Hanako=見本^花子=みほん^はなこ",
        birth_date="19461103",
        sex="F",
        character_set=r"\ISO 2022 IR 87",
        code="USABD",
        description="腹部超音波検査",
        physician="Hinagata^Tarou=雛形^太郎=ひながた^たろう",
    ),
    _Person(
        name="مثالي^ليلى",
        birth_date="20171224",
        sex="F",
        character_set="ISO_IR 127",
        code="USKID",
        description="تصوير الكلى والمثانة",
        physician="نموذجي^سمير",
    ),
    _Person(
        name="Dugma^Noam=דוגמה^נועם",
        birth_date="19850519",
        sex="O",
        character_set="ISO_IR 192",
        code="USLEG",
        description="אולטרסאונד ורידי רגליים",
        physician="Mofet^Tamar=מופת^תמר",
    ),
)


def orders(*, day: date, around: time, seed: str, station_ae_title: str = "") -> tuple[Order, ...]:
    """Return the orders of `day`, in order of time, spread around a time of it.

    The same seed and day give the same orders with the same UIDs; another seed is another clinic's.
    """
    first = _first(day, around)
    return tuple(
        _order(person, number, first + number * _STEP, seed, station_ae_title)
        for number, person in enumerate(_PEOPLE)
    )


def _first(day: date, around: time) -> datetime:
    """Return when the day's first order is, so that all are on that day."""
    minutes = around.hour * 60 + around.minute - around.minute % _GRID
    step = _STEP // timedelta(minutes=1)
    latest = 24 * 60 - _GRID - (len(_PEOPLE) - 1) * step
    start = min(max(0, minutes - _BEFORE * step), latest)
    return datetime.combine(day, time()) + timedelta(minutes=start)


def _order(person: _Person, number: int, at: datetime, seed: str, station: str) -> Order:
    accession = f"D{at:%y%m%d}{number + 1:02}"
    digest = hashlib.sha256(f"{seed} {accession}".encode()).digest()[:16]
    return Order(
        patient=Patient(name=person.name, id=f"DEMO-{1001 + number}", birth_date=person.birth_date, sex=person.sex),
        character_set=person.character_set,
        description=person.description,
        code=person.code,
        meaning=_PROCEDURES[person.code],
        referring_physician=person.physician,
        accession_number=accession,
        requested_procedure_id=f"RP{accession}",
        step_id=f"SPS{accession}",
        study_instance_uid=f"2.25.{int.from_bytes(digest, 'big')}",
        scheduled_at=at,
        station_ae_title=station,
    )
