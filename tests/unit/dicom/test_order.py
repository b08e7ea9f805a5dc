import random
import struct
from datetime import date

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from gateway.dicom.order import scheduled_within, worklist_item, wrap_answer
from gateway.errors import WorklistError
from gateway.model import Patient
from tests.dicom_samples import EXPLICIT, IMPLICIT, SCRIPTS, STUDY, answer, element, order_file

TEXTS = {
    "latin-1": ("ISO_IR 100", "Müller^Änne", "Échographie"),
    "utf-8": ("ISO_IR 192", "Łukasz^Żaneta=山田^太郎", "Überprüfung ж"),
    "gb18030": ("GB18030", "Wang^XiaoDong=王^小东", "腹部超声"),
    "iso-2022-jp": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう", "超音波検査"),
}


def item(file=None, **other):
    return worklist_item(order_file(**other) if file is None else file, server="ris")


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_item_reads_as_its_server_wrote_it_in_every_script_and_syntax(script, explicit):
    found = item(script=script, explicit=explicit)
    character_set, name, description = TEXTS[script]

    assert found.patient == Patient(name=name, id="PAT-0815", issuer="CLINIC", birth_date="19580317", sex="F")
    assert (found.character_set, found.procedure.description) == (character_set, description)
    assert found.procedure.accession_number == "ACC 4711"
    assert (found.procedure.requested_procedure_id, found.procedure.step_id) == ("RP-100", "SPS-1")
    assert (found.procedure.modality, found.procedure.scheduled_at) == ("US", "20261121233000")
    assert found.procedure.referring_physician == "House^G"
    assert (found.study_instance_uid, found.missing) == (STUDY, ())


def test_the_kept_order_holds_the_received_bytes_and_nothing_else():
    raw = answer()
    kept = wrap_answer(raw, EXPLICIT)

    assert kept[128:132] == b"DICM"
    assert kept.endswith(raw)
    group_length = struct.unpack_from("<L", kept, 140)[0]
    assert kept[144 + group_length :] == raw
    assert wrap_answer(raw, EXPLICIT) == kept
    with pytest.raises(WorklistError):
        wrap_answer(raw, "1.2.840.10008.1.2.2")


def test_an_item_keeps_its_name_when_the_list_is_asked_again():
    first = item()

    assert item(x00080090=b"Other^Doc").id == first.id
    assert item(x0020000D=b"1.2.3").id != first.id
    assert item(x00400009=b"SPS-2").id != first.id
    assert item(x00100020=b"PAT-2").id != first.id, "two patients never share an item"
    for tag, value in (
        ("x00100010", b"Other^Anne"),
        ("x00100021", b"ELSEWHERE"),
        ("x00100030", b"19990101"),
        ("x00100040", b"M"),
    ):
        assert item(**{tag: value}).id != first.id, "what was confirmed is not what would be opened"
    assert worklist_item(order_file(), server="other").id != first.id
    nameless = {"without": {0x0020000D, 0x00080050, 0x00401001, 0x00400009}}
    assert item(**nameless).id == item(**nameless).id != item(x00100020=b"2", **nameless).id


def test_an_entry_that_nobody_could_read_on_a_screen_is_refused():
    def with_comments(length):
        return order_file() + struct.pack("<HH2sHL", 0x7777, 0x1001, b"UT", 0, length) + b" " * length

    assert worklist_item(with_comments(20_000), server="ris")
    with pytest.raises(WorklistError, match="longer"):
        worklist_item(with_comments(400_000), server="ris")


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ({0x0020000D}, ("StudyInstanceUID",)),
        ({0x00100010}, ("PatientName",)),
        ({0x00100020}, ("PatientID",)),
        ({0x00401001}, ("RequestedProcedureID",)),
        ({0x00400100}, ("ScheduledProcedureStepSequence",)),
        ({0x00400009, 0x00080060}, ("ScheduledProcedureStepID", "Modality")),
        ({0x00100030, 0x00100040, 0x00080050, 0x00080090}, ()),
    ],
)
def test_what_a_server_leaves_out_is_told_and_harms_nothing(left_out, said):
    assert item(without=left_out).missing == said


def test_empty_sequences_are_as_good_as_none():
    raw = b"".join(
        (
            element(0x00100010, "PN", b"Meier^Anna"),
            element(0x00100020, "LO", b"1"),
            element(0x00321064, "SQ", []),
            element(0x00400100, "SQ", [b""]),
        )
    )
    found = item(wrap_answer(raw, EXPLICIT))

    assert found.patient.name == "Meier^Anna"
    assert "ScheduledProcedureStepID" in found.missing


@pytest.mark.parametrize("name", [b"^", b"", b"^^", b"Wang^XiaoDong=^", b"????^??"])
def test_a_name_that_the_server_emptied_is_told(name):
    assert "PatientName" in item(x00100010=name).missing


@pytest.mark.parametrize(
    ("written", "read"),
    [(b"F", "F"), (b"M", "M"), (b"O", "O"), (b"m", "M"), (b"U", ""), (b"N", ""), (b"unknown", ""), (b"", "")],
)
def test_the_sex_is_other_only_when_the_source_says_other(written, read):
    assert item(x00100040=written).patient.sex == read


@pytest.mark.parametrize(
    ("written", "read"),
    [(b"19580317", "19580317"), (b"1958.03.17", "19580317"), (b"19581399", ""), (b"00000000", ""), (b"1958", "")],
)
def test_a_birth_date_is_a_day_or_nothing(written, read):
    assert item(x00100030=written).patient.birth_date == read


@pytest.mark.parametrize("uid", [b"1.2.abc", b"1..2", b"1." + b"2" * 70, b"."])
def test_a_study_uid_that_is_none_counts_as_missing(uid):
    found = item(x0020000D=uid)

    assert (found.study_instance_uid, found.missing) == ("", ("StudyInstanceUID",))


def test_a_server_that_does_not_say_its_character_set_gets_the_configured_one():
    file = order_file(without={0x00080005})

    found = worklist_item(file, server="ris", fallback_charset="ISO_IR 100")
    assert (found.character_set, found.patient.name, found.missing) == ("ISO_IR 100", "Müller^Änne", ())


def test_a_servers_own_word_is_not_overruled_by_a_guess():
    file = order_file(x00321060=b"it\x92s \x93late\x94")
    found = worklist_item(file, server="ris", fallback_charset="GB18030")

    assert (found.character_set, found.patient.name) == ("ISO_IR 100", "Müller^Änne")
    assert found.missing == ("SpecificCharacterSet",)


def test_utf_8_is_recognised_when_nobody_says_it():
    for stated in ({"without": {0x00080005}}, {"x00080005": b"latin1"}, {"x00080005": b"ISO_IR 6"}):
        found = item(script="utf-8", **stated)
        assert (found.character_set, found.patient.name, found.missing) == ("ISO_IR 192", TEXTS["utf-8"][1], ())


def test_a_name_that_nobody_can_read_is_shown_with_its_gaps_and_told():
    for stated in ({"without": {0x00080005}}, {"x00080005": b"ISO_IR 192"}, {"x00080005": b"ISO_IR 999"}):
        found = item(**stated)
        assert found.patient.name == "M\ufffdller^\ufffdnne"
        assert found.missing == ("SpecificCharacterSet",)


def test_ascii_needs_no_character_set():
    plain = {"x00100010": b"Meier^Anna", "x00321060": b"Abdomen", "without": {0x00080005, 0x00321064, 0x00400100}}
    found = item(**plain)

    assert (found.character_set, found.patient.name) == ("", "Meier^Anna")


@pytest.mark.parametrize(("keyword", "tag"), [("AccessionNumber", "x00080050"), ("PatientID", "x00100020")])
def test_a_value_that_no_object_could_carry_is_told(keyword, tag):
    assert item(**{tag: b"A" * 70}).missing == (keyword,)


def test_the_configured_issuer_stands_in_for_a_missing_one_only():
    file = order_file(without={0x00100021})

    assert worklist_item(file, server="ris", issuer="HOUSE").patient.issuer == "HOUSE"
    assert worklist_item(order_file(), server="ris", issuer="HOUSE").patient.issuer == "CLINIC"


TODAY = date(2026, 11, 21)


def is_for_today(modality="US", **other):
    return scheduled_within(item(**other), first=TODAY, last=TODAY, modality=modality)


def test_an_item_of_today_is_shown():
    assert is_for_today()
    assert scheduled_within(item(), first=date(2026, 11, 20), last=date(2026, 11, 22))


@pytest.mark.parametrize("day", [b"20261120", b"20261122", b"1970.01.01"])
def test_an_item_of_another_day_is_not(day):
    assert not is_for_today(x00400002=day)


def test_an_item_of_another_modality_is_not():
    assert not is_for_today(x00080060=b"ES")
    assert is_for_today(x00080060=b"ES", modality="")


@pytest.mark.parametrize("other", [{"x00400002": b""}, {"x00400002": b"20261399"}, {"x00400002": b"soon"}])
def test_an_item_that_names_no_day_is_shown_rather_than_lost(other):
    assert is_for_today(**other)


@pytest.mark.parametrize("left_out", [{0x00400100}, {0x00080060}, {0x00400002, 0x00400003}])
def test_an_item_whose_step_is_left_out_is_shown_rather_than_lost(left_out):
    assert is_for_today(without=left_out)


@pytest.mark.parametrize("explicit", [True, False])
def test_an_item_reads_the_same_when_its_lengths_are_left_open(explicit):
    found = dcmread(DicomBytesIO(order_file(explicit=explicit)))
    for sequence in ("ScheduledProcedureStepSequence", "RequestedProcedureCodeSequence"):
        found[sequence].is_undefined_length = True
        for each in found[sequence].value:
            each.is_undefined_length_sequence_item = True
    written = DicomBytesIO()
    found.save_as(written)
    open_ended = written.getvalue()

    assert open_ended.count(b"\xfe\xff\xdd\xe0") == 2
    assert (item(open_ended).patient, item(open_ended).procedure) == (
        item(explicit=explicit).patient,
        item(explicit=explicit).procedure,
    )


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\0" * 200,
        b"\xff" * 300,
        wrap_answer(b"", EXPLICIT),
        wrap_answer(b"GET / HTTP/1.1\r\n", IMPLICIT),
        wrap_answer(element(0x00080050, "SH", b"X"), EXPLICIT),
        wrap_answer(element(0x00100020, "LO", b"1") * 2, EXPLICIT),
        wrap_answer(struct.pack("<HHL", 0x40, 0x100, 0xFFFFFFFF) * 400, IMPLICIT),
    ],
)
def test_garbage_is_refused_as_a_worklist_error(garbage):
    with pytest.raises(WorklistError):
        item(garbage)


def test_damaged_answers_never_raise_anything_else():
    dice = random.Random(20261121)
    refused = 0
    for turn in range(600):
        script = list(SCRIPTS)[turn % 4]
        damaged = bytearray(order_file(script=script, explicit=turn % 3 != 0))
        for _ in range(dice.randint(0, 6)):
            damaged[dice.randrange(144, len(damaged))] ^= 1 << dice.randrange(8)
        if turn % 2:
            del damaged[dice.randrange(len(damaged)) :]
        try:
            item(bytes(damaged))
        except WorklistError:
            refused += 1
    assert 200 < refused < 600
