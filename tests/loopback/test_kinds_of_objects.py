"""Objects of every kind of source in real archives: taken, and unchanged there."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest

from gateway.config.settings import Destination
from gateway.dicom import objects, part10
from gateway.forward.making.key_objects import KeyObjects
from gateway.forward.sending.channel import connector
from gateway.forward.sending.sender import Sender
from gateway.model import KEY_OBJECTS, DeliveryState
from gateway.net.store import StoreAssociation, StoreResult, Wanted
from tests.box import Box
from tests.dicom_checks import problems
from tests.dicom_samples import CODECS, MODALITIES, clip, encoded, exam, made_as, seal, still
from tests.forward import bench
from tests.loopback.forward_archive import run
from tests.loopback.peers import items
from tests.loopback.whole_box import Archives

MADE = {
    **{(codec, samples): partial(still, codec=codec, samples=samples) for codec in CODECS for samples in (1, 3)},
    ("clip", 3): clip,
    ("h264", 3): encoded,
}

LOSSY = {"jpeg", "clip", "h264"}


def sealed_as(folder, kind, what):
    number = list(MODALITIES).index(kind) * 100 + list(MADE).index(what)
    record, streams = made_as(kind, MADE[what]())
    uid = f"2.25.6600{number}"
    record = replace(record, sop_instance_uid=uid)
    return seal(folder / "o.dcm", exam(), record, streams), record


@pytest.mark.parametrize("kind", MODALITIES)
@pytest.mark.parametrize("archive", ["orthanc", "archive_of_everything"])
def test_an_archive_keeps_what_a_source_of_every_kind_makes(request, tmp_path, archive, kind):
    peer = request.getfixturevalue(archive)
    destination = Destination(name="pacs", ae_title=peer.ae_title, host="127.0.0.1", port=peer.port)
    for what in MADE:
        path, record = sealed_as(tmp_path, kind, what)
        sop_class = objects.sop_class(record)
        syntax = part10.read_meta(path.read_bytes()[:4096]).transfer_syntax_uid
        wanted = [Wanted(sop_class_uid=sop_class, transfer_syntax_uid=syntax, lossy=what[0] in LOSSY)]
        with StoreAssociation(destination, our_ae="SCOPEGATE", wanted=wanted) as association:
            result = association.store(
                path,
                sop_class_uid=sop_class,
                sop_instance_uid=record.sop_instance_uid,
                transfer_syntax_uid=syntax,
            )
        assert result == StoreResult(status="0000")
        arrived = peer.file(record.sop_instance_uid)
        content = arrived if isinstance(arrived, bytes) else arrived.read_bytes()
        assert items.data_set_bytes(content) == items.data_set_bytes(path.read_bytes())


SOURCES = {
    "us": ("ultrasound", "jpeg-ls", "1.2.840.10008.1.2.4.80"),
    "scope": ("endoscopic", "uncompressed", "1.2.840.10008.1.2.1"),
    "camera": ("photographic", "jpeg", "1.2.840.10008.1.2.4.50"),
}


def test_a_box_with_three_kinds_of_sources_delivers_what_each_is_configured_for(
    tmp_path: Path, archives: Archives
) -> None:
    sources = [
        {"name": name, "device": "pattern:bars", "modality": MODALITIES[kind], "object": kind, "still": still}
        for name, (kind, still, _) in SOURCES.items()
    ]
    with Box(tmp_path, sources=sources, destinations=archives.as_destinations()) as box:
        exam = box.open_typed()
        taken = {name: box.still(exam, source=name)["sop_instance_uid"] for name in SOURCES}
        filmed = {name: box.clip(exam, 0.4, source=name)[0] for name in SOURCES}
        box.finish(exam)
        # The archive of Implicit VR gets the lossless stills alone.
        box.until_delivered(exam, 6 + 6 + 2)
        box.until_delivered(exam, 4, state="held")

    for name, (kind, _, syntax) in SOURCES.items():
        family = objects.FAMILIES[kind]
        for uid, sop_class, form in (
            (taken[name], family.still, syntax),
            (filmed[name], family.clip, "1.2.840.10008.1.2.4.50"),
        ):
            file = archives.everything.file(uid)
            assert problems(file) == []
            arrived = pydicom.dcmread(file)
            assert (arrived.SOPClassUID, arrived.file_meta.TransferSyntaxUID) == (sop_class, form)
            assert archives.orthanc.file(uid)[-1000:] == file.read_bytes()[-1000:]
        sent = pydicom.dcmread(archives.everything.file(taken[name])).pixel_array
        if syntax != "1.2.840.10008.1.2.4.50":
            plain = pydicom.dcmread(archives.implicit.file(taken[name]))
            assert plain.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
            assert np.array_equal(plain.pixel_array, sent)


@pytest.mark.parametrize("archive", ["orthanc", "archive_of_everything"])
def test_an_archive_keeps_the_pictures_and_the_list_of_the_key_images_among_them(request, spool, archive):
    peer = request.getfixturevalue(archive)
    to = Destination(name="pacs", ae_title=peer.ae_title, host="127.0.0.1", port=peer.port)
    exam = bench.open_exam(spool, bench.ordered("utf-8"))
    marked = [bench.still(spool, exam), bench.still(spool, exam), bench.clip(spool, exam)][1:]
    for capture in marked:
        spool.key_images.mark(capture.sop_instance_uid, key=True)
    exam = bench.let_go(spool, exam)
    bench.wrap_all(spool)
    KeyObjects(spool=spool, station=bench.STATION, settled=lambda *_, **__: True).step()
    run(Sender(spool=spool, destination=to, connect=connector(to, our_ae="SCOPEGATE")))
    assert {d.state for d in bench.deliveries(spool)} == {DeliveryState.SENT}
    (made,) = (each for each in spool.objects.of_exam(exam.id) if each.sop_class_uid == KEY_OBJECTS)
    path = spool.objects.path(made)
    assert [line for line in problems(path) if "99CLINIC" not in line] == []
    arrived = peer.file(made.sop_instance_uid)
    content = arrived if isinstance(arrived, bytes) else arrived.read_bytes()
    assert items.data_set_bytes(content) == items.data_set_bytes(path.read_bytes())
    named = [item.ReferencedSOPSequence[0] for item in pydicom.dcmread(path).ContentSequence]
    assert [each.ReferencedSOPInstanceUID for each in named] == [each.sop_instance_uid for each in marked]
    for each in named:
        assert peer.file(each.ReferencedSOPInstanceUID)
