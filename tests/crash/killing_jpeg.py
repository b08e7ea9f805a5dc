"""Kills while JPEG is made of H.264 clips, for an archive that takes none: one JPEG clip of each, never two.

Once such an archive answered, later clips never become H.264. So all of them are taken while it is away, and the
making of a backlog is killed.
"""

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pynetdicom import ALL_TRANSFER_SYNTAXES, evt

from tests.box import Refusal, until
from tests.crash import holdings, telling
from tests.crash.clinic import quiet
from tests.crash.comparing import Found
from tests.crash.holdings import State
from tests.crash.killing import Part, Reaper
from tests.crash.steps import RUNG, named
from tests.crash.technician import PATIENCE_S
from tests.crash.telling import Told
from tests.crash.warm_box import WarmBox
from tests.dicom_checks import H264
from tests.loopback.peers import StepServer
from tests.loopback.peers.faults import FaultArchive

_CLIPS_OF_AN_EXAM, _CLIPS_OF_A_KILL = 6, 3
_CROP = [0, 0, 320, 240]  # small pictures: a clip is made in no time, again and again
_REST_S = 120.0
SEALED = ("after rename seal", "before commit seal rows")  # there is an object, and nothing else says which one


class WithoutH264(FaultArchive):
    """An archive that takes no H.264, and nothing at all while it is `away`."""

    def __init__(self) -> None:
        super().__init__()
        self.away = True
        for context in self._entity.supported_contexts:
            context.transfer_syntax = [each for each in ALL_TRANSFER_SYNTAXES if each != H264]

    def _requested(self, event: evt.Event) -> None:
        if self.away:
            self._reject(event.assoc, 2, 3, 1)  # transient, by the provider: temporary congestion (PS3.8 9.3.4)
        else:
            super()._requested(event)


@dataclass(kw_only=True)
class Backlog:
    """A box, what stands around it, and what was taken: UIDs of stills and clips by exam."""

    box: WarmBox
    archive: WithoutH264
    server: StepServer
    taken: dict[str, list[str]] = field(default_factory=dict)
    clips: set[str] = field(default_factory=set)

    @property
    def exams(self) -> Path:
        return self.box.data / "exams"

    def take(self, clips: int) -> None:
        """Take that many clips, a still in each exam, and wait until all of them are H.264."""
        while len(self.clips) < clips:
            exam = self.box.open_typed(patient_id=f"P{len(self.taken)}")
            self.taken[exam] = [str(self.box.still(exam)["sop_instance_uid"])]
            for _ in range(min(_CLIPS_OF_AN_EXAM, clips - len(self.clips))):
                (clip,) = self.box.clip(exam, 0.2)
                self.taken[exam].append(clip)
                self.clips.add(clip)
            self.box.finish(exam)
        everything = sum(map(len, self.taken.values()))
        until("all clips to be H.264", lambda: len(self.deliveries()) == everything, _REST_S)

    def deliveries(self) -> list[dict[str, Any]]:
        return list(self.box.get("/deliveries?limit=2000")["deliveries"])

    def let(self) -> None:
        """Let the archive be there, and the box know."""
        self.archive.away = False
        waits = next((each for each in self.deliveries() if each["state"] == "queued"), None)
        if waits is None:
            return
        try:
            self.box.post(f"/deliveries/{waits['id']}/retry")
        except Refusal as refusal:
            if refusal.code != "wrong-state":  # it went by itself meanwhile
                raise

    def moves(self) -> str:
        """Return what is still to be done, "" when nothing is."""
        for each in self.deliveries():
            if each["state"] != "sent" and each["code"] != "sent-as-jpeg":
                return f"{each['sop_instance_uid']} is {each['state']} {each['code']}"
        untold = (exam for exam in self.taken if not telling.is_told(self.box.get(f"/exams/{exam}"), leaves=True))
        return next((f"the steps of exam {exam}" for exam in untold), "")


@contextmanager
def backlog(folder: Path, *, forgetful: bool) -> Iterator[Backlog]:
    with quiet(), WithoutH264() as archive, StepServer() as server:
        peer = {"host": "127.0.0.1", "fallback": "jpeg", "commitment": False}
        box = WarmBox(
            folder / "box",
            medium=folder / "medium",
            forgetful=forgetful,
            procedure_steps=[
                {"name": "ris", "ae_title": server.ae_title, "host": "127.0.0.1", "port": server.port}
            ],
            destinations=[{"name": "pacs", "ae_title": "TAKES", "port": archive.port, **peer}],
            sources=[
                {"name": "us", "device": "pattern:ultrasound", "modality": "US", "clip": "h264", "crop": _CROP}
            ],
            retention={"reserve_mb": 64},
        )
        with box:
            yield Backlog(box=box, archive=archive, server=server)


def part(folder: Path, *, seed: int, kills: int, forgetful: bool = False) -> Part:
    """Kill forward that often while it makes JPEG, then let everything come to rest and compare.

    `forgetful`: it keeps no plan of what it makes, and dies where that shows.
    """
    began = time.monotonic()
    chance = random.Random(seed)
    plan, aim = {"forward": chance.sample(named(RUNG), len(named(RUNG)))}, {"rest_s": 0.0}
    if forgetful:
        plan, aim = {"forward": list(SEALED)}, {"rest_s": 0.0, "aimed": 1.0, "patience_s": PATIENCE_S}
    with backlog(folder, forgetful=forgetful) as around:
        around.take(_CLIPS_OF_A_KILL * kills or 2)
        reaper = Reaper(around.box, chance, plan, kills, **aim)
        around.let()
        reaper.work()
        if reaper.error:
            raise reaper.error
        until("the box to be ready", around.box.is_ready)
        found = compare(around)
    seconds = round(time.monotonic() - began, 1)
    return Part(**asdict(found), seed=seed, kills=kills, hits=dict(reaper.hits), seconds=seconds)


def compare(around: Backlog) -> Found:
    """Wait until nothing moves, then compare what the box, the archive and the server have with what was taken."""
    end = time.monotonic() + _REST_S
    while moving := around.moves():
        assert time.monotonic() < end, f"after {_REST_S:g} s this is still not done: {moving}"
        time.sleep(0.05)
    state = State(exams={exam: around.box.get(f"/exams/{exam}") for exam in around.taken}, at={}, copies={})
    seals = (json.loads(seal.read_bytes()) for seal in around.exams.glob("*/*.seal"))
    made = {said["sop_instance_uid"]: said for said in seals if said["derived_from"]}
    stills = {uid for uids in around.taken.values() for uid in uids} - around.clips
    arrived = {each.sop_instance_uid for each in around.archive.arrived}
    there = {made[uid]["derived_from"] for uid in arrived & made.keys()}
    told = telling.told(around.server)
    found = Found(
        acknowledged=len(stills) + len(around.clips),
        arrived=len(arrived),
        clips=len(around.clips),
        films=len(holdings.films(around.exams)),
        jpegs=len(made),
        steps=len(told.steps),
        repeats=told.repeats,
    )
    found.lost = sorted((stills - arrived) | (around.clips - there))
    for each in (
        jpegs_wrong(around, made, state),
        bytes_wrong(around, stills | made.keys()),
        holdings.films_wrong(around.exams, state),
        holdings.sums_wrong(around.exams),
        told.problems,
        steps_wrong(around, told, made, state),
    ):
        found.wrong += each
    return found


def jpegs_wrong(around: Backlog, made: dict[str, dict[str, Any]], state: State) -> Iterator[str]:
    """Check that of each clip there is one JPEG clip, with every frame."""
    count = Counter(said["derived_from"] for said in made.values())
    yield from (f"{clip}: {count[clip]} JPEG clips of it" for clip in around.clips if count[clip] != 1)
    for uid, said in made.items():
        frames = state.captures[said["derived_from"]]["frames"]
        if said["frames"] != frames:
            yield f"{uid}: {said['frames']} frames of {frames}"


def bytes_wrong(around: Backlog, known: set[str]) -> Iterator[str]:
    """Compare what arrived, each time that it did, with the sealed file."""
    for each in around.archive.arrived:
        uid = each.sop_instance_uid
        if uid not in known:
            yield f"{uid}: sent, though nobody asked for it"
            continue
        (file,) = around.exams.glob(f"*/{uid}.dcm")
        sealed = json.loads(file.with_suffix(".seal").read_bytes())
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != sealed["sha256"]:
            yield f"{uid}: not as it was sealed"
        if each.transfer_syntax_uid == sealed["transfer_syntax_uid"] and not content.endswith(each.data_set):
            yield f"{uid}: arrived with other bytes"


def steps_wrong(around: Backlog, told: Told, made: dict[str, dict[str, Any]], state: State) -> Iterator[str]:
    """Check that the end of each procedure step lists its exam's pictures, and what was made of its clips."""
    for exam, taken in around.taken.items():
        (step,) = state.exams[exam]["steps"]
        wanted = {*taken, *(uid for uid, said in made.items() if said["derived_from"] in taken)}
        if told.images.get(step["sop_instance_uid"]) != wanted:
            yield f"{exam}: its step does not list what it has"
