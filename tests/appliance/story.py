"""What a box acknowledged over all its days, and what of it is missing or wrong after a start.

The story is kept in the box's folder, so that a run goes on where the last one ended.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.appliance.received import Received

WHILE_WRITTEN = "while an update is written"  # the step of a technician beside whom that goes on
LEAST_OF_A_CLIP = 5  # pictures: of one that was told after five seconds, on the slowest machine
_JOURNAL_MB = 256 + 16  # its limit, and the file that is being written
_FORGIVEN = ("clock",)  # of `doctor`: nobody tells a box in a virtual machine the time


@dataclass(kw_only=True)
class Story:
    """`captures`: exam, patient, digest by UID; `settings`: what may stand there, acknowledged or asked since."""

    port: int  # of the archive: it stands in the box's settings
    day: int = 0
    captures: dict[str, list[str]] = field(default_factory=dict)
    settings: list[str] = field(default_factory=lambda: [""])
    told: dict[str, int] = field(default_factory=dict)  # the last record of each careless writer
    last: list[str] = field(default_factory=list)  # captures since the last start that was looked at
    finished: list[str] = field(default_factory=list)  # exams, by the box's word
    arrived: list[str] = field(default_factory=list)  # exams of which the box said that all is sent
    held: list[str] = field(
        default_factory=list
    )  # exams of which a new index may hold everything: a person decides
    cuts: list[dict[str, Any]] = field(default_factory=list)  # since the last start that was looked at

    @classmethod
    def of(cls, file: Path) -> "Story":
        return cls(**json.loads(file.read_bytes()))

    def keep(self, file: Path) -> None:
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(file)

    @property
    def exams(self) -> list[str]:
        return list(dict.fromkeys(exam for exam, _, _ in self.captures.values()))

    def hear(self, report: dict[str, Any]) -> None:
        """Take in what the technician in the box told."""
        if "capture" in report:
            uid = report["capture"]
            self.captures[uid] = [report["exam"], report["patient"], report.get("sha256", "")]
            self.last = list(dict.fromkeys([*self.last, uid]))
        elif "asked" in report:
            self.settings.append(report["asked"])
        elif "settings" in report:
            self.settings = [report["settings"]]
        elif "index" in report:
            self.held, self.arrived = self.exams, []
        for name, kept in (("finished", self.finished), ("arrived", self.arrived)):
            if name in report:
                kept.append(report[name])
        for name in ("memory", "disk"):
            if name in report:
                self.told[name] = report[name]


@dataclass(kw_only=True)
class Start:
    """What was found after a start. `careless`: how many of its records each careless writer lost."""

    machine: dict[str, Any] = field(default_factory=dict)
    waited_s: int = 0
    looked_at: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    careless: dict[str, int] = field(default_factory=dict)


class Found:
    """What the box told after a start, by kind."""

    def __init__(self) -> None:
        self.exams: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, list[str]] = {}
        self.pictures: dict[str, tuple[str, int]] = {}  # digest, pieces
        self.said: dict[str, Any] = {}

    def hear(self, report: dict[str, Any]) -> None:
        if "exam" in report:
            self.exams[report["exam"]] = report
        elif "uid" in report:
            self.folders[report["uid"]] = report["exams"]
        elif "picture" in report:
            self.pictures[report["picture"]] = report["sha256"], report["pieces"]
        else:
            self.said |= report

    def compared(self, story: Story, received: Received) -> Start:
        """Compare it with what was acknowledged, and with what the archive outside got."""
        machine, told = self.said["machine"], self.said["careless"]
        return Start(
            machine=machine,
            waited_s=self.said["waited_s"],
            looked_at=len(self.pictures),
            lost=[uid for uid in story.captures if not self._is_there(story, uid)],
            wrong=[
                *self._exams_wrong(story),
                *self._sent_wrong(story, received),
                *self._settings_wrong(story),
                *self._update_wrong(story),
                *self._box_wrong(),
            ],
            # One that was on the disk and not told yet is none that was lost.
            careless={name: max(0, count - told[name]) for name, count in story.told.items()},
        )

    def _is_there(self, story: Story, uid: str) -> bool:
        exam, _, digest = story.captures[uid]
        listed = self.exams.get(exam, {}).get("captures", {})
        found, pieces = self.pictures.get(uid, (digest, LEAST_OF_A_CLIP))
        # A clip that was cut off has what was taken of it by then, of which nobody told a digest.
        whole = found == digest if digest else pieces >= LEAST_OF_A_CLIP
        return uid in listed and exam in self.folders.get(uid, []) and whole

    def _exams_wrong(self, story: Story) -> Iterator[str]:
        yield from (f"{uid}: in {len(exams)} exams" for uid, exams in self.folders.items() if len(exams) > 1)
        for uid, (exam, patient, _) in story.captures.items():
            said = self.exams.get(exam, {})
            if said.get("patient") != patient:
                yield f"{uid}: of {said.get('patient')}, taken of {patient}"
        for exam, said in self.exams.items():
            numbers = [number for _, number, _ in said.get("captures", {}).values()]
            if len(set(numbers)) != len(numbers):
                yield f"{exam}: two captures of one number"

    def _sent_wrong(self, story: Story, received: Received) -> Iterator[str]:
        """Nothing is called sent that the archive does not have, and nothing that was done is to be done again."""
        for exam in story.finished:
            if self.exams.get(exam, {}).get("state") == "open":
                yield f"{exam}: open, and was finished"
        for uid, (exam, patient, digest) in story.captures.items():
            states = self.exams.get(exam, {}).get("captures", {}).get(uid, [None, None, []])[2]
            if ("sent" in states or exam in story.arrived) and (wrong := received.wrong(uid, patient, digest)):
                yield f"{uid}: sent, and {wrong}"
            if exam in story.arrived and set(states) != {"sent"}:
                yield f"{uid}: {states}, and was sent"

    def _update_wrong(self, story: Story) -> Iterator[str]:
        """An update that was cut off while it was written is none, or it is whole and proves itself."""
        if not story.cuts or story.cuts[-1]["step"] != WHILE_WRITTEN:
            return
        last = self.said["update"]["last"]
        if (last["phase"], last["reason"]) != ("failed", "cut-off") and last["phase"] not in {"trying", "good"}:
            yield f"the update that was being written: {last['phase']}, {last['reason']}"

    def _settings_wrong(self, story: Story) -> Iterator[str]:
        try:
            institution = tomllib.loads(self.said["settings"])["station"].get("institution", "")
        except (tomllib.TOMLDecodeError, KeyError) as error:
            yield f"settings: {error!r}"
            return
        if institution not in story.settings:
            yield f"settings: {institution!r}, not one of {story.settings}"

    def _box_wrong(self) -> Iterator[str]:
        machine, product = self.said["machine"], self.said["product"]
        if machine["failed"] or machine["state"] != "running":
            yield f"the machine is {machine['state']}: {machine['failed']}"
        if machine["active"] != ["active"] * 3:
            yield f"units are {machine['active']}"
        if machine["journal_mb"] > _JOURNAL_MB:
            yield f"the journal has {machine['journal_mb']} MB"
        yield from (f"kernel: {line}" for line in machine["kernel"] if "error" in line.lower())
        code, text = product["audit"]
        if code:
            yield f"audit verify: {text}"
        yield from (f"doctor: {each}" for each in product["doctor"] if not each.startswith(_FORGIVEN))
