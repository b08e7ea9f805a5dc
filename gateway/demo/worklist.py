"""A modality worklist server for the demo's orders: C-FIND, matched as PS3.4 C.2.2.2 has it for the keys below.

Knows nothing of who asks, and changes nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import time
    ModalityWorklistInformationFind,
    Verification,
)

from gateway.demo.patients import Order
from gateway.demo.peer import DemoPeer

AE_TITLE = "DEMORIS"
_PENDING, _CANCELLED = 0xFF00, 0xFE00
_SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_STEP = "ScheduledProcedureStepSequence"

# How each key is compared; keys that are not here restrict nothing.
_SINGLE = ("PatientID", "AccessionNumber", "RequestedProcedureID", "StudyInstanceUID")
_SINGLE_OF_STEP = ("ScheduledStationAETitle", "Modality", "ScheduledProcedureStepID")
_RANGE_OF_STEP = ("ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime")


class DemoWorklist(DemoPeer):
    """`orders` is asked anew with every question: a demo may run past midnight."""

    def __init__(self, orders: Callable[[], Sequence[Order]], ae_title: str = AE_TITLE) -> None:
        self._orders = orders
        contexts = [build_context(uid, _SYNTAXES) for uid in (ModalityWorklistInformationFind, Verification)]
        handlers = [(evt.EVT_C_FIND, self._find), (evt.EVT_C_ECHO, lambda _: 0x0000)]
        super().__init__(ae_title, contexts=contexts, handlers=handlers)

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        question = event.identifier
        for item in map(item_of, self._orders()):
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            if matches(item, question):
                yield _PENDING, answer(item, question)


def item_of(order: Order) -> Dataset:
    """Return an order as the worklist's information model has it (PS3.4 table K.6-1)."""
    code = _code(order.code, order.meaning)
    step = Dataset()
    step.ScheduledStationAETitle = order.station_ae_title
    step.ScheduledProcedureStepStartDate = f"{order.scheduled_at:%Y%m%d}"
    step.ScheduledProcedureStepStartTime = f"{order.scheduled_at:%H%M%S}"
    step.Modality = order.modality
    step.ScheduledPerformingPhysicianName = ""
    step.ScheduledProcedureStepDescription = order.description
    step.ScheduledProtocolCodeSequence = Items([code])
    step.ScheduledProcedureStepID = order.step_id
    step.ScheduledProcedureStepStatus = "SCHEDULED"
    item = Dataset()
    item.SpecificCharacterSet = order.character_set.split("\\")
    item.AccessionNumber = order.accession_number
    item.ReferringPhysicianName = order.referring_physician
    item.PatientName = order.patient.name
    item.PatientID = order.patient.id
    item.IssuerOfPatientID = order.patient.issuer
    item.PatientBirthDate = order.patient.birth_date
    item.PatientSex = order.patient.sex
    item.StudyInstanceUID = order.study_instance_uid
    item.RequestedProcedureID = order.requested_procedure_id
    item.RequestedProcedureDescription = order.description
    item.RequestedProcedureCodeSequence = Items([code])
    item.RequestedProcedurePriority = "ROUTINE"
    item.ScheduledProcedureStepSequence = Items([step])
    return item


def matches(item: Dataset, question: Dataset) -> bool:
    """Say whether an item is among those asked for."""
    step, asked = item[_STEP].value[0], _first_item(question)
    return (
        all(_single(item, question, keyword) for keyword in _SINGLE)
        and all(_single(step, asked, keyword) for keyword in _SINGLE_OF_STEP)
        and all(_in_range(_text(step, keyword), _text(asked, keyword)) for keyword in _RANGE_OF_STEP)
        and _wildcard(_text(item, "PatientName"), _text(question, "PatientName"))
    )


def answer(item: Dataset, question: Dataset) -> Dataset:
    """Return what was asked of an item, each key once, empty where the item has nothing."""
    answered = _returned(item, question)
    answered.add(item["SpecificCharacterSet"])
    return answered


def _returned(item: Dataset, asked: Dataset) -> Dataset:
    found = Dataset()
    for key in asked:
        if key.tag not in item:
            found.add(DataElement(key.tag, key.VR, Items() if key.VR == "SQ" else None))
            continue
        element = item[key.tag]
        if key.VR == "SQ" and key.value:
            found.add(DataElement(key.tag, "SQ", Items(_returned(each, key.value[0]) for each in element.value)))
        else:
            found.add(element)
    return found


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = "99DEMO"
    code.CodeMeaning = meaning
    return code


def _first_item(question: Dataset) -> Dataset:
    steps = question.get(_STEP)
    return steps[0] if steps else Dataset()


def _text(data: Dataset, keyword: str) -> str:
    value = data.get(keyword)
    return "" if value is None else str(value).strip()


def _single(item: Dataset, question: Dataset, keyword: str) -> bool:
    asked = _text(question, keyword)
    return not asked or _text(item, keyword) == asked


def _in_range(value: str, asked: str) -> bool:
    """Compare a date or time with one, or with a range that may be open at one end (PS3.4 C.2.2.2.5)."""
    if not asked:
        return True
    first, dash, last = asked.partition("-")
    if not dash:
        return value.startswith(first)  # 0930 is 093000
    return (not first or value >= first) and (not last or value[: len(last)] <= last)


def _wildcard(name: str, asked: str) -> bool:
    """Compare a name with `*` and `?` in it, without regard to case; any of its groups may be meant."""
    if not asked:
        return True
    words = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in asked)
    pattern = re.compile("".join(words), re.IGNORECASE)
    return any(pattern.fullmatch(each) for each in (name, *name.split("=")))
