"""In which form an object leaves, and what keeps it here."""

import io

import pydicom
import pytest

from gateway.config.settings import Destination
from gateway.errors import NeedsConfiguration, NeverAccepted, SpoolDamaged
from gateway.forward.sending.outgoing import prepare
from gateway.model import SealedObject
from gateway.spool.spool import Spool
from tests.dicom_samples import picture
from tests.forward.bench import let_go, objects, open_exam, sealed_exam, wrap_all
from tests.forward.bench import still as stored

LOSSLESS, JPEG_LS, BASELINE = (f"1.2.840.10008.1.2.4.{number}" for number in (70, 80, 50))
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)


@pytest.fixture
def still(spool: Spool) -> SealedObject:
    (found,) = objects(spool, sealed_exam(spool))
    return found


def still_in(spool: Spool, codec: str) -> SealedObject:
    exam = open_exam(spool)
    stored(spool, exam, codec=codec, rows=15, columns=17)
    exam = let_go(spool, exam)
    wrap_all(spool)
    (found,) = objects(spool, exam)
    return found


@pytest.fixture
def clip(spool: Spool) -> SealedObject:
    (found,) = objects(spool, sealed_exam(spool, stills=0, clips=1))
    return found


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ((LOSSLESS, EXPLICIT, IMPLICIT), LOSSLESS),
        ((IMPLICIT, LOSSLESS), LOSSLESS),
        ((EXPLICIT, IMPLICIT), EXPLICIT),
        ((IMPLICIT,), IMPLICIT),
        ((BASELINE, IMPLICIT), IMPLICIT),
    ],
)
def test_a_still_goes_as_it_is_sealed_or_uncompressed(
    spool: Spool, still: SealedObject, accepted: tuple[str, ...], chosen: str
) -> None:
    path = spool.objects.path(still)
    first, second = (prepare(path, still, accepted=accepted, destination=PACS) for _ in range(2))
    assert first == second
    assert first.transfer_syntax_uid == chosen
    assert isinstance(first.source, bytes) == (chosen != LOSSLESS)


@pytest.mark.parametrize(
    ("codec", "accepted", "chosen"),
    [
        ("jpeg-ls", (JPEG_LS, EXPLICIT, IMPLICIT), JPEG_LS),
        ("jpeg-ls", (EXPLICIT, IMPLICIT), EXPLICIT),
        ("jpeg-ls", (IMPLICIT,), IMPLICIT),
        ("uncompressed", (EXPLICIT, IMPLICIT), EXPLICIT),
        ("uncompressed", (IMPLICIT,), IMPLICIT),
        ("jpeg", (BASELINE,), BASELINE),
    ],
)
def test_stills_of_other_codecs_go_as_they_are_sealed_or_uncompressed(
    spool: Spool, codec: str, accepted: tuple[str, ...], chosen: str
) -> None:
    sealed = still_in(spool, codec)
    form = prepare(spool.objects.path(sealed), sealed, accepted=accepted, destination=PACS)
    assert form.transfer_syntax_uid == chosen
    content = form.source if isinstance(form.source, bytes) else form.source.read_bytes()
    found = pydicom.dcmread(io.BytesIO(content))
    assert found.file_meta.TransferSyntaxUID == chosen
    if codec != "jpeg":
        assert (found.pixel_array == picture(15, 17)).all()


@pytest.mark.parametrize(
    ("codec", "accepted", "named"),
    [
        ("jpeg-ls", (LOSSLESS,), JPEG_LS),
        ("uncompressed", (LOSSLESS, JPEG_LS), "uncompressed"),
        ("jpeg", (EXPLICIT, IMPLICIT, LOSSLESS), BASELINE),
    ],
)
def test_an_archive_that_takes_no_form_of_a_codec_is_told_which_to_take(
    spool: Spool, codec: str, accepted: tuple[str, ...], named: str
) -> None:
    sealed = still_in(spool, codec)
    with pytest.raises(NeedsConfiguration) as caught:
        prepare(spool.objects.path(sealed), sealed, accepted=accepted, destination=PACS)
    assert caught.value.code == "no-context"
    assert named in caught.value.action


@pytest.mark.parametrize("accepted", [(), (BASELINE,)])
def test_a_still_that_is_taken_in_no_form_says_what_to_set_up(
    spool: Spool, still: SealedObject, accepted: tuple[str, ...]
) -> None:
    with pytest.raises(NeedsConfiguration) as caught:
        prepare(spool.objects.path(still), still, accepted=accepted, destination=PACS)
    assert caught.value.code == "no-context"
    assert LOSSLESS in caught.value.action


@pytest.mark.parametrize("accepted", [(), (EXPLICIT, IMPLICIT)])
def test_a_clip_is_never_sent_uncompressed_and_says_what_to_set_up(
    spool: Spool, clip: SealedObject, accepted: tuple[str, ...]
) -> None:
    with pytest.raises(NeedsConfiguration) as caught:
        prepare(spool.objects.path(clip), clip, accepted=accepted, destination=PACS)
    assert caught.value.code == "no-context"
    assert "clips" in caught.value.what
    assert BASELINE in caught.value.action
    assert clip.sop_class_uid in caught.value.action


def test_an_object_larger_than_its_destination_gets_is_held(spool: Spool, still: SealedObject) -> None:
    path = spool.objects.path(still)
    path.write_bytes(path.read_bytes() + bytes(1_000_001))
    grown = SealedObject(
        **{name: getattr(still, name) for name in still.__dataclass_fields__} | {"bytes": 1_000_500}
    )
    small = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104, max_object_mb=1)
    with pytest.raises(NeverAccepted) as caught:
        prepare(path, grown, accepted=(LOSSLESS,), destination=small)
    assert caught.value.code == "too-large"
    assert "“Largest object”" in caught.value.action


@pytest.mark.parametrize("accepted", [(LOSSLESS,), (IMPLICIT,)])
def test_a_file_that_is_not_the_sealed_one_any_more_stays_here(
    spool: Spool, still: SealedObject, accepted: tuple[str, ...]
) -> None:
    path = spool.objects.path(still)
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    with pytest.raises(SpoolDamaged) as caught:
        prepare(path, still, accepted=accepted, destination=PACS)
    assert caught.value.code == "spool-damaged"
    path.unlink()
    with pytest.raises(SpoolDamaged) as caught:
        prepare(path, still, accepted=accepted, destination=PACS)
    assert caught.value.code == "file-missing"


def test_uncompressed_pixels_are_those_of_the_sealed_object(spool: Spool, still: SealedObject) -> None:
    path = spool.objects.path(still)
    form = prepare(path, still, accepted=(EXPLICIT,), destination=PACS)
    assert isinstance(form.source, bytes)
    plain = spool.layout.root / "plain.dcm"
    plain.write_bytes(form.source)
    assert (pydicom.dcmread(plain).pixel_array == pydicom.dcmread(path).pixel_array).all()
