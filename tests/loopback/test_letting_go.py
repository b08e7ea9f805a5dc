"""What leaves the disk of a running box: what its archive vouches for, nothing else, and who has it stays known."""

import json
from contextlib import closing
from pathlib import Path

from gateway.clock import Clock
from gateway.spool.opening import open_spool
from gateway.spool.purging import Purging
from tests.box import Box, until
from tests.loopback.peers import StoreScp, VouchingArchive
from tests.loopback.whole_box import as_destination, today


def files(box: Box, uid: str) -> set[str]:
    """Return what lies on the disk of one capture."""
    return {path.suffix for path in box.data.glob(f"exams/*/{uid}.*")}


def test_a_picture_goes_once_its_archive_vouches_and_the_box_still_says_who_has_it(
    tmp_path: Path, archive_of_everything: StoreScp
) -> None:
    with VouchingArchive("same") as vouching:
        box = Box(
            tmp_path,
            destinations=[
                {**as_destination("pacs", vouching), "commitment": True, "types": ["still"]},
                {**as_destination("plain", archive_of_everything), "types": ["clip"]},
            ],
            retention={"keep_days": 0, "rejected_days": 1},
        )
        vouching.box_port = box.dicom_port
        with box, closing(open_spool(box.data, clock=Clock())) as spool:

            def noted() -> dict[str, str]:
                return {each.uid: each.settled_why for each in Purging(spool).here(after=0)[0]}

            only_sent = box.open_typed(patient_id="P1")
            (sent,) = box.clip(only_sent, 0.3)
            box.finish(only_sent)
            exam = box.open_typed(patient_id="P2")
            removed, vouched = (box.still(exam)["sop_instance_uid"] for _ in range(2))
            box.post(f"/captures/{removed}/reject", {"reason": "blurred"})
            box.finish(exam)
            box.until_delivered(only_sent, 1)
            box.until_delivered(exam, 1, state="committed")
            kept = {uid: files(box, uid) for uid in (sent, removed)}
            # Every start begins a run, and two are needed: one that sees that it may go, one that lets it go.
            box.kill("forward")
            until("it to be seen", lambda: noted() == {sent: "", removed: "rejected", vouched: "committed"})
            box.kill("forward")
            until("its files to go", lambda: files(box, vouched) == {".json", ".seal", ".purged"})
            assert {uid: files(box, uid) for uid in (sent, removed)} == kept, "they come before it in every run"
            for view in ("thumbnail", "image", "frames/1", "media", "dicom"):
                status, body = box.request("GET", f"/captures/{vouched}/{view}")
                assert (status, json.loads(body)["code"]) == (410, "purged")
            for uid in (sent, removed):
                assert box.request("GET", f"/captures/{uid}/image")[0] == 200
            (capture,) = [c for c in box.get(f"/exams/{exam}")["captures"] if c["sop_instance_uid"] == vouched]
            assert (bool(capture["purged_at"]), capture["fate"]) == (True, "Safe in PACS")
            day = box.get(f"/days/{today()[:4]}-{today()[4:6]}-{today()[6:]}")["total"]
            assert (day["let_go"], day["safe"], day["sent"], day["removed"]) == (1, 1, 1, 1)
    lines = [json.loads(line) for line in (box.data / "audit.jsonl").read_text().splitlines()]
    gone = [(line["capture"], line["held_by"]) for line in lines if line["what"] == "capture-purged"]
    assert gone == [(vouched, "pacs (commitment)")]
