"""One configuration with every kind of peer at once: pictures reach all of them, across a stop and a lost index."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box import Box, until
from tests.loopback.peers import FaultWeb, StepServer, StoreScp, VouchingArchive, WlmScpfs
from tests.loopback.peers.items import NAMES, worklist_item
from tests.loopback.whole_box import as_worklist, today

KNOWN_ALREADY = 0x0111  # PS3.7 annex C: duplicate SOP instance

Line = tuple[str, str, str]  # destination, state, code
ARRIVED: dict[Line, int] = {
    ("vouching", "committed", ""): 3,
    ("stills", "sent", ""): 2,
    ("stills", "held", "sent-as-key-stills"): 1,
    ("web", "sent", ""): 3,  # it is asked a minute later
    ("usb", "sent", ""): 3,
}
LOST: dict[Line, int] = {
    ("vouching", "committed", ""): 3,  # asked whether it has them, then whether it keeps them
    ("stills", "held", "after-rebuild"): 3,
    ("web", "sent", ""): 3,
    ("usb", "held", "after-rebuild"): 3,
}


@pytest.fixture
def medium() -> Iterator[Path]:
    """A folder on another file system than that of the box's data."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def peer(name: str, server: StoreScp | StepServer | VouchingArchive, **more: object) -> dict[str, object]:
    return {"name": name, "ae_title": server.ae_title, "host": "127.0.0.1", "port": server.port, **more}


def lines(box: Box, exam: str) -> dict[Line, int]:
    return dict(Counter((d["destination"], d["state"], d["code"]) for d in box.deliveries(exam)))


def test_an_exam_reaches_every_kind_of_peer_across_a_stop_a_kill_and_a_lost_index(
    tmp_path: Path, medium: Path, worklist_server: WlmScpfs, archive_of_implicit: StoreScp
) -> None:
    character_set, name = NAMES["latin-1"]
    item = worklist_item(name=name, character_set=character_set, number=901, day=today(), modality="US")
    study = str(item.StudyInstanceUID)
    worklist_server.clear()
    worklist_server.add("item901", item)
    with StepServer() as steps, VouchingArchive() as vouching, FaultWeb() as web:
        web.study = study
        optional: dict[str, object] = {"required": False}
        box = Box(
            tmp_path,
            worklists=[as_worklist(worklist_server)],
            procedure_steps=[peer("ris", steps)],
            destinations=[
                peer("vouching", vouching, commitment=True, query=True),
                peer("stills", archive_of_implicit, fallback="key-stills", **optional),
                {"name": "web", "kind": "stow", "url": web.url, "query": True, "trust_query": True, **optional},
                {"name": "usb", "kind": "media", "folder": str(medium), **optional},
            ],
            release={"when": "at-once"},
        )
        vouching.box_port = box.dicom_port
        with box:
            exam = str(box.create("/exams", {"worklist_item": box.worklist_item(str(item.PatientID))})["id"])
            uids = [box.still(exam)["sop_instance_uid"]]
            box.stop()
            box.start()
            uids.append(box.still(exam)["sop_instance_uid"])
            box.kill("forward")
            uids += box.clip(exam, 1.0)
            box.finish(exam)
            until("everything to arrive", lambda: lines(box, exam) == ARRIVED)
            until("the step to end", lambda: [kind for kind, _ in steps.words][-1:] == ["set"])
            said = [word for word in steps.words if word != ("create", KNOWN_ALREADY)]
            assert (said, steps.problems) == ([("create", 0), ("set", 0)], [])
            assert len(steps.words) - len(said) <= 1, "only what was on its way at the kill may have gone twice"
            key_stills = steps_images(steps) - set(uids)
            assert steps_images(steps) >= set(uids)
            assert len(key_stills) == 3
            assert all(archive_of_implicit.file(uid).exists() for uid in {*uids[:2], *key_stills})
            assert set(web.has) == set(uids) == {each.sop_instance_uid for each in vouching.arrived}
            assert len(list(medium.glob("DICOM/*/I*"))) == 3
            box.stop()
            once = (len(vouching.arrived), len(web.posts()))
            assert once[0] in {3, 4}, "only what was on its way at the kill may have gone twice"
            assert once[1] in {3, 4}
            for path in box.data.glob("scopegate.db*"):
                path.unlink()
            vouching.has[study] = {"2.25.1": [each.sop_instance_uid for each in vouching.arrived]}
            box.start()
            until("the archives to say what they have", lambda: lines(box, exam) == LOST)
        assert (len(vouching.arrived), len(web.posts())) == once, "nothing goes again unasked"


def steps_images(steps: StepServer) -> set[str]:
    """Return what the end of the step lists."""
    series = steps.heard[-1].data_set.PerformedSeriesSequence
    return {image.ReferencedSOPInstanceUID for each in series for image in each.ReferencedImageSequence}
