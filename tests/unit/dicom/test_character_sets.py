import pytest

from gateway.config import dicom as configured
from gateway.dicom import charset
from gateway.errors import TextDoesNotFit
from tests.dicom_samples import SCRIPTS

JAPANESE = SCRIPTS["iso-2022-jp"]


@pytest.mark.parametrize(
    ("character_set", "value", "text"),
    [
        ("ISO_IR 100", "Müller^Änne".encode("latin-1"), "Müller^Änne"),
        ("ISO_IR 192", "Łukasz=山田".encode(), "Łukasz=山田"),
        ("GB18030", "王^小东=𠀀".encode("gb18030"), "王^小东=𠀀"),
        ("GBK", "王^小东".encode("gbk"), "王^小东"),
        ("ISO_IR 126", "Διονυσίου".encode("iso8859-7"), "Διονυσίου"),
        ("ISO_IR 127", "قباني^لنزار".encode("iso8859-6"), "قباني^لنزار"),
        ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("\\ISO 2022 IR 87", JAPANESE[1], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 6\\ISO 2022 IR 87", JAPANESE[1], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong=洪^吉洞"),
        ("\\ISO 2022 IR 58", b"\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "张^小东"),
        ("ISO 2022 IR 100\\ISO 2022 IR 144", b"M\xfcller^\x1b-L\xbb\xee\xda", "Müller^Люк"),
    ],
)
def test_every_script_of_a_worklist_is_read_as_its_server_wrote_it(character_set, value, text):
    assert charset.decode(value, character_set) == text
    assert charset.decode_for_display(value + b" ", character_set) == text


@pytest.mark.parametrize("byte_that_looks_like_a_separator", ["\\", "^", "="])
def test_a_separator_inside_a_two_byte_character_separates_nothing(byte_that_looks_like_a_separator):
    code = bytes([0x30, ord(byte_that_looks_like_a_separator)])
    character = (b"\x1b$B" + code + b"\x1b(B").decode("iso2022_jp")

    assert charset.decode(b"\x1b$B" + code + b"\x1b(B", "\\ISO 2022 IR 87") == character


# The three traps of pydicom: each loses a name there, two of them with a mere warning, one without any.


def test_a_name_without_stated_character_set_shows_that_it_cannot_be_read():
    with pytest.raises(TextDoesNotFit):
        charset.decode(JAPANESE[1], "")
    assert charset.REPLACED in charset.decode_for_display(JAPANESE[1], "")
    assert charset.decode_for_display("Müller".encode("latin-1"), "") == "M\ufffdller"


def test_a_polish_name_is_not_written_as_a_question_mark_in_latin_1():
    with pytest.raises(TextDoesNotFit):
        charset.encode("Łukasz", "ISO_IR 100")


@pytest.mark.parametrize("character_set", ["", "\\ISO 2022 IR 87", "ISO_IR 6"])
def test_an_umlaut_is_not_written_as_a_raw_byte_where_only_ascii_is_allowed(character_set):
    with pytest.raises(TextDoesNotFit):
        charset.encode("Müller", character_set)


def test_kanji_do_not_slip_into_the_one_byte_japanese_set():
    with pytest.raises(TextDoesNotFit):
        charset.encode("山田", "ISO_IR 13")


@pytest.mark.parametrize("text", ["a\x1b$B", "a\0b", "M\ufffdller", "\ud800"])
def test_what_is_no_text_is_never_written(text):
    for character_set in ("", "ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 87"):
        with pytest.raises(TextDoesNotFit):
            charset.encode(text, character_set)


@pytest.mark.parametrize("character_set", ["latin1", "ISO_IR 999", "ISO_IR 192\\ISO 2022 IR 87", "\\nonsense"])
def test_an_undefined_character_set_is_refused_but_shown_as_well_as_can_be(character_set):
    assert not charset.known(character_set)
    with pytest.raises(TextDoesNotFit):
        charset.decode(b"Meier", character_set)
    assert charset.decode_for_display(b"Meier\xfc", character_set) == "Meier\ufffd"


def test_our_own_text_keeps_the_set_of_the_order_when_it_fits():
    assert charset.encode("Überprüfung", "ISO_IR 100") == "Überprüfung".encode("latin-1")
    assert charset.encode("Ultrasound", "\\ISO 2022 IR 87") == b"Ultrasound"
    assert charset.encode("腹部", "GB18030") == "腹部".encode("gb18030")


def test_every_character_set_that_the_configuration_takes_can_be_read():
    alone = configured._ALONE | configured._PLAIN | configured._EXTENDED
    assert len(alone) > 30
    assert [term for term in sorted(alone) if not charset.known(configured.charset(term))] == []
    assert [term for term in sorted(configured._EXTENDED) if not charset.known(f"\\{term}")] == []
