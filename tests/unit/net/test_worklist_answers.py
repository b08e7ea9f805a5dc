"""What a worklist answer's bytes are worth, and which answers are for these days."""

import random
from datetime import date
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from gateway.net.elements import Unreadable, elements, items
from gateway.net.worklist import RawAnswer, scheduled_within

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
TODAY = date(2026, 11, 21)


def _item(*, day: str = "20261121", modality: str = "US", undefined: bool = False) -> Dataset:
    code = Dataset()
    code.CodeValue = "1"
    step = Dataset()
    step.Modality = modality
    step.ScheduledProcedureStepStartDate = day
    step.ScheduledProtocolCodeSequence = Sequence([code])
    item = Dataset()
    item.PatientName = "Doe^Jane"
    item.ScheduledProcedureStepSequence = Sequence([step])
    if undefined:
        item["ScheduledProcedureStepSequence"].is_undefined_length = True
        step.is_undefined_length_sequence_item = True
        step["ScheduledProtocolCodeSequence"].is_undefined_length = True
        code.is_undefined_length_sequence_item = True
    return item


def _raw(item: Dataset, syntax: str) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian = True
    out.is_implicit_VR = syntax == IMPLICIT
    write_dataset(out, item)
    return out.getvalue()


def _answer(item: Dataset, syntax: str = EXPLICIT) -> RawAnswer:
    return RawAnswer(raw=_raw(item, syntax), transfer_syntax_uid=syntax)


def _is_for_today(answer: RawAnswer, modality: str = "US") -> bool:
    return scheduled_within(answer, first=TODAY, last=TODAY, modality=modality)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("undefined", [False, True])
def test_an_item_of_today_is_shown(syntax, undefined):
    assert _is_for_today(_answer(_item(undefined=undefined), syntax))


@pytest.mark.parametrize("day", ["20261120", "20261122", "19700101"])
def test_an_item_of_another_day_is_not(day):
    assert not _is_for_today(_answer(_item(day=day)))


def test_an_item_of_another_modality_is_not():
    assert not _is_for_today(_answer(_item(modality="ES")))
    assert _is_for_today(_answer(_item(modality="ES")), modality="")


@pytest.mark.parametrize("day", ["", "20261399", "soon"])
def test_an_item_that_names_no_day_is_shown_rather_than_lost(day):
    item = _item()
    raw = _raw(item, EXPLICIT).replace(b"20261121", day.ljust(8).encode())
    assert _is_for_today(RawAnswer(raw=raw, transfer_syntax_uid=EXPLICIT))


def test_an_item_without_a_step_is_shown_rather_than_lost():
    item = _item()
    del item.ScheduledProcedureStepSequence
    assert _is_for_today(_answer(item))


def test_every_value_comes_out_as_it_was_written():
    found = elements(_raw(_item(), EXPLICIT), explicit=True)
    assert found[0x00100010] == b"Doe^Jane"
    (step,) = items(found[0x00400100], explicit=True)
    assert step[0x00080060] == b"US"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_an_item_cut_anywhere_is_refused_or_read_as_far_as_it_goes(syntax):
    whole = _raw(_item(undefined=True), syntax)
    refused = 0
    for length in range(1, len(whole)):
        try:
            elements(whole[:length], explicit=syntax == EXPLICIT)
        except Unreadable:
            refused += 1
    assert refused > len(whole) - 5  # it ends well only between two elements


def test_noise_is_refused_and_nothing_else_happens():
    noise = random.Random(1)
    for _ in range(2000):
        raw = noise.randbytes(noise.randrange(1, 200))
        for explicit in (True, False):
            try:
                found = elements(raw, explicit=explicit)
                for value in found.values():
                    items(value, explicit=explicit)
            except Unreadable:
                continue
    assert not _is_for_today(RawAnswer(raw=b"<html>", transfer_syntax_uid=EXPLICIT))


def test_sequences_without_end_in_each_other_are_refused():
    bomb = BytesIO()
    for _ in range(5000):
        bomb.write(b"\x40\x00\x00\x01SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff")
    with pytest.raises(Unreadable):
        elements(bomb.getvalue(), explicit=True)
