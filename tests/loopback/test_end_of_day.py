"""The end of a day, with the real processes and a DCMTK archive: sent first, then off; sent again, once there."""

from pathlib import Path

import pydicom

from tests.box import Box, until
from tests.loopback.peers import StoreScp
from tests.loopback.whole_box import as_destination


def test_the_box_goes_off_when_the_last_picture_got_to_an_archive_that_came_back(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    archive = StoreScp(folder, "+xa")
    with Box(tmp_path / "box", destinations=[as_destination("pacs", archive)], panel={"switch_off": True}) as box:
        exam = box.open_typed()
        taken = {box.still(exam)["sop_instance_uid"] for _ in range(3)}
        box.finish(exam)
        until("the pictures to wait", lambda: box.get("/power")["objects_left"] == 3)
        assert box.post("/power/off", {"when": "sent"})["off_when_sent"] is True
        off = box.runtime / "switch-off"
        assert not off.exists()
        with archive:
            box.post("/deliveries/retry")
            until("the box to be switched off", off.exists)
            assert {pydicom.dcmread(file).SOPInstanceUID for file in archive.received.iterdir()} == taken
            done = {"can_switch_off": True, "off_when_sent": False, "objects_left": 0, "unmade": 0}
            until("the wish to be done with", lambda: box.get("/power") == done)
            assert box.post(f"/exams/{exam}/send-again")["queued"] == 3
            box.until_delivered(exam, 3)
            assert {pydicom.dcmread(file).SOPInstanceUID for file in archive.received.iterdir()} == taken
