"""Objects of every kind of source in real archives: taken, and unchanged there."""

from dataclasses import replace
from functools import partial

import pytest

from gateway.config.settings import Destination
from gateway.dicom import objects, part10
from gateway.net.store import StoreAssociation, StoreResult, Wanted
from tests.dicom_samples import CODECS, MODALITIES, clip, exam, made_as, seal, still
from tests.loopback.peers import items

MADE = {
    **{(codec, samples): partial(still, codec=codec, samples=samples) for codec in CODECS for samples in (1, 3)},
    **{("clip", samples): partial(clip, samples=samples) for samples in (1, 3)},
}


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
        wanted = [Wanted(sop_class_uid=sop_class, transfer_syntax_uid=syntax, lossy=what[0] in {"jpeg", "clip"})]
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
