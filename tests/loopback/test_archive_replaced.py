"""Another archive under the same name, in mid-backlog: both together have everything, each picture once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.box import Box, until
from tests.loopback.peers import Orthanc, StoreScp, free_port
from tests.loopback.peers.items import data_set_bytes

PER_EXAM = 3
CALLED_SAFE = {"committed"}


def destination(ae_title: str, port: int) -> dict[str, Any]:
    return {"name": "pacs", "ae_title": ae_title, "host": "127.0.0.1", "port": port, "commitment": False}


def exam_of(box: Box, patient_id: str) -> tuple[str, list[str]]:
    exam = box.open_typed(f"Test^{patient_id}", patient_id)
    uids = [str(box.still(exam)["sop_instance_uid"]) for _ in range(PER_EXAM)]
    uids += box.clip(exam, 0.3)
    box.finish(exam)
    return exam, uids


def in_state(box: Box, exams: Sequence[str], *states: str) -> set[str]:
    """Return the pictures whose delivery is in one of these states."""
    return {one["sop_instance_uid"] for exam in exams for one in box.deliveries(exam) if one["state"] in states}


def received(archive: StoreScp) -> dict[str, Path]:
    return {file.name.split(".", 1)[1]: file for file in archive.received.iterdir()}


def test_another_archive_under_the_same_name_gets_what_still_waits_and_both_have_it_all(
    tmp_path: Path, orthanc: Orthanc
) -> None:
    """The old one goes for good with part of the backlog; the new one is another program, port and title."""
    port = free_port()
    box = Box(tmp_path / "box", destinations=[destination("STORESCP", port)])
    owners: dict[str, str] = {}
    exams = []

    def add(patient_id: str) -> str:
        exam, uids = exam_of(box, patient_id)
        owners.update(dict.fromkeys(uids, patient_id))
        exams.append(exam)
        return exam

    with StoreScp(tmp_path / "old", "+xa", port=port) as old, box:
        for patient_id in ("R1", "R2"):
            box.until_delivered(add(patient_id), PER_EXAM + 1)
        old.stop()  # in the middle: what comes now waits
        for patient_id in ("R3", "R4"):
            add(patient_id)
        until("the backlog to wait", lambda: len(in_state(box, exams, "queued")) == 2 * (PER_EXAM + 1))
        box.stop()
        on_old = set(received(old))

        before = box.config.read_text()
        box.config.write_text(
            before.replace(f"port = {port}", f"port = {orthanc.port}").replace('"STORESCP"', '"ORTHANC"')
        )
        assert box.config.read_text() != before
        box.start()
        add("R5")
        until("nothing to wait any more", lambda: in_state(box, exams, "sent", "held") == set(owners))
        on_new = set(orthanc.sop_instance_uids()) & set(owners)
        waiting = in_state(box, exams, "queued", "sending", "held")
        print(f"\narchive replaced: {len(owners)} acknowledged, {len(on_old)} on the old archive, "
              f"{len(on_new)} on the new one, {len(waiting)} waiting")  # fmt: skip
        assert on_old | on_new | waiting == set(owners)
        assert len(on_new) == 3 * (PER_EXAM + 1)
        assert not on_old & on_new, "nothing goes to the new one that the old one was told to have"
        assert not in_state(box, exams, *CALLED_SAFE), "nobody vouches for anything"
        for uid, owner in owners.items():
            (sealed,) = box.data.glob(f"exams/*/{uid}.dcm")
            file = received(old)[uid].read_bytes() if uid in on_old else orthanc.file(uid)
            assert data_set_bytes(file) == data_set_bytes(sealed.read_bytes())
            assert pydicom.dcmread(sealed, stop_before_pixels=True).PatientID == owner


@pytest.mark.parametrize("answer", ["--abort-after", "--refuse"])
def test_an_archive_that_took_nothing_for_sure_is_replaced_and_the_new_one_gets_it_all(
    tmp_path: Path, answer: str
) -> None:
    port, other = free_port(), free_port()
    box = Box(tmp_path / "box", destinations=[destination("STORESCP", port)])
    with StoreScp(tmp_path / "old", "+xa", answer, port=port), box:
        exam, uids = exam_of(box, "R9")
        until("the first try to fail", lambda: any(one["code"] for one in box.deliveries(exam)))
        box.stop()
        box.config.write_text(box.config.read_text().replace(f"port = {port}", f"port = {other}"))
        with StoreScp(tmp_path / "new", "+xa", port=other) as new:
            box.start()
            box.post("/deliveries/retry")  # as whoever changed the setting does
            box.until_delivered(exam, PER_EXAM + 1)
            assert set(received(new)) == set(uids)
            assert not in_state(box, [exam], *CALLED_SAFE)
            box.stop()
