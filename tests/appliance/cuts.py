"""Power cuts by the dozen: one box, a technician, an archive outside, and after each start what is there.

`scripts/appliance-cuts` runs it. A box lies in a folder, its story and the lines of its cuts beside it, so that a
long run can be cut into pieces: the same command goes on. Each start is that of the cut before.
"""

import argparse
import json
import random
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import monotonic

from gateway.clock import Clock
from gateway.config.recovery_code import new_code
from tests.appliance.appliance import HOST
from tests.appliance.at_work import READY_S, WAYS
from tests.appliance.cut_box import CutBox
from tests.appliance.data_keys import ask
from tests.appliance.received import Received
from tests.appliance.story import WHILE_WRITTEN, Found, Start, Story
from tests.appliance.updated_box import stick_words
from tests.box import configuration, until
from tests.kernel.machine import one_at_a_time
from tests.loopback.peers.dcmtk import StoreScp
from tests.loopback.peers.process import free_port

TURN_S = 400  # after which no further day begins before others had the machine
STARTING = "starting"  # the way of a day that ends while the box starts
UPDATING = "updating"  # that of a day with a stick in the box
SHARES = {"exams": 7, "sending": 4, "settings": 3, "rebuilding": 1, UPDATING: 2, STARTING: 3}  # of 20 days
WORK_S = (1.0, 45.0)  # after the first exam began
UPDATING_S = (0.0, 300.0)  # after the first byte was written: an emulated box needs six minutes
START_S = (4.0, 60.0)
SENT_S = 1800  # until a box that was cut off again and again has sent everything
KEEPS = 0.5  # of the cuts: something of what was not flushed is on the disk all the same
CARELESS_S = (40.0, 60.0)  # there is something to lose, younger than what the kernel writes out by itself
EVENING = time(17, 57)  # what the box's clock says when it is switched on


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One cut, and what the start after it found. `steps`: what the technician was doing."""

    day: int
    seed: int
    way: str
    step: str
    after_s: float
    acknowledged: int
    lost: list[str]
    wrong: list[str]
    careless: dict[str, int]
    start_s: float  # that systemd needed
    waited_s: int  # for a picture, after that
    journal_mb: int
    used_mb: int
    kernel: list[str] = field(default_factory=list)
    keeps: bool = False  # some of what was not flushed

    @property
    def is_none(self) -> bool:
        """Say whether it took nothing with it: then it proves nothing."""
        return bool(self.careless) and not any(self.careless.values())

    @property
    def line(self) -> str:
        kept = ", some blocks kept" if self.keeps else ""
        control = ", ".join(f"{name} {count}" for name, count in self.careless.items())
        return (
            f"cut {self.day}: {self.way}, {self.step}, after {self.after_s:.1f} s{kept}: "
            f"{self.acknowledged} acknowledged, {len(self.lost)} lost, {len(self.wrong)} wrong {self.wrong or ''}; "
            f"careless writers lost: {control}; started in {self.start_s:.0f} s, ready {self.waited_s} s later; "
            f"journal {self.journal_mb} MB, used {self.used_mb} MB"
        )


class Place:
    """A box's folder: its disk, its story, its archive, the lines of its cuts."""

    def __init__(self, folder: Path, image: Path, *, update: Path | None = None, has_chip: bool = False) -> None:
        """`update`: a bundle that lies on a stick in the box; has_chip: a TPM holds the key of its data."""
        self.folder = folder
        self.image = image
        self.ways = {way: share for way, share in SHARES.items() if update or way != UPDATING}
        self._file = folder / "story.json"
        self.results = folder / "cuts.jsonl"
        if self._file.exists():
            self.story = Story.of(self._file)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self.story = Story(port=free_port())
        stick = stick_words(folder, {"update.raucb": update}) if update else []
        self.box = CutBox(folder, image=image, extra=stick, has_chip=has_chip)

    @property
    def is_new(self) -> bool:
        return not self._file.exists()

    @property
    def received(self) -> Received:
        return Received(self.folder / "archive" / "received")

    def way_of(self, day: int, chance: random.Random) -> str:
        """Return what a day is cut off in: each way once, then as chance will."""
        ways = list(self.ways)
        return ways[day - 1] if day <= len(ways) else chance.choices(ways, weights=list(self.ways.values()))[0]

    def keep(self) -> None:
        self.story.keep(self._file)

    def archive(self) -> StoreScp:
        return StoreScp(self.folder / "archive", "+xa", port=self.story.port)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Leave the box switched off, however it ends."""
        try:
            yield
        finally:
            self.box.stop()

    def first_start(self) -> None:
        """Start a box for the first time and set it up; then its power is cut like any other day."""
        self.box.switch_on()
        self.box.configure(configuration_for(self.story.port))
        self.box.python(_SET_UP)
        if self.box.has_chip:
            assert ask(self.box, "recovery-code", new_code(Clock().token))["guard"] == "tpm"
        self.box.shell("sync")
        self.box.stop()
        self.keep()


_SET_UP = f"""
import json
from tests.appliance.at_work import Administrator, PORT, ready
from tests.box import Panel, until
until("the box to be ready", lambda: ready(Panel(PORT)), {READY_S}, pause_s=1)
Administrator().first()
print(json.dumps(True))
"""


def configuration_for(port: int) -> str:
    pacs = {"name": "pacs", "host": HOST, "port": port, "ae_title": "STORESCP"}
    source = {"name": "us", "device": "pattern:ultrasound", "modality": "US"}
    panel = {"listen": "127.0.0.1:8080"}
    return configuration(
        [("[station]", {"institution": ""}), ("[panel]", panel), ("[[source]]", source), ("[[destination]]", pacs)]
    )


def looked(place: Place, *, everything: bool = False, full: bool = False) -> Start:
    """Look at a box that was started: what it acknowledged since the last look, or ever, is compared in full.

    full: its disk is, so it takes no picture.
    """
    story, found = place.story, Found()
    asked = {"exams": story.exams, "pictures": list(story.captures) if everything else story.last, "full": full}
    place.box.unpack_text("/run/asked.json", json.dumps(asked))
    for report in place.box.reports("after_cut", "/run/asked.json"):
        found.hear(report)
    return found.compared(story, place.received)


def day(place: Place, *, seed: int, way: str = "", evenings: bool = False, careless: bool = False) -> None:
    """Start the box, look what the cuts before left of it, have the technician work, and cut the power."""
    story, box = place.story, place.box
    story.day += 1
    chance = random.Random(f"{seed} {story.day}")
    way = way or place.way_of(story.day, chance)
    box.chance = chance if chance.random() < KEEPS and not careless else None
    if evenings:
        date = datetime.now(UTC).date() + timedelta(days=story.day)
        box.clock = datetime.combine(date, EVENING).isoformat()
    span = CARELESS_S if careless else {STARTING: START_S, UPDATING: UPDATING_S}.get(way, WORK_S)
    step, after_s, before = STARTING, round(chance.uniform(*span), 1), 0
    if way == STARTING:
        box.start_and_cut(after_s)
    else:
        box.switch_on()
        look(place)
        if careless:
            box.never_flush()
        before = len(story.captures)
        asked = json.dumps({"seed": chance.random(), "day": story.day, "way": way})
        written = False
        for report in box.until_cut(after_s, "at_work", asked, since="writes" if way == UPDATING else ""):
            story.hear(report)
            written = written or "writes" in report
            step = WHILE_WRITTEN if written else report.get("step", step)
        before = len(story.captures) - before
    cut = {"day": story.day, "seed": seed, "way": way, "step": step, "after_s": after_s, "acknowledged": before}
    cut["keeps"] = box.chance is not None
    story.cuts.append(cut)
    place.keep()


def look(place: Place, *, everything: bool = False) -> Start:
    """Look at a box that was started, and note what became of the cuts before."""
    story = place.story
    start = looked(place, everything=everything)
    for number, cut in enumerate(story.cuts, 1):
        last = number == len(story.cuts)  # of two cuts without a look in between nobody knows whose fault it was
        done = Cut(
            **cut,
            lost=start.lost if last else [],
            wrong=start.wrong if last else [],
            careless=start.careless if last else {},
            start_s=seconds_of(start.machine["took"]),
            waited_s=start.waited_s,
            journal_mb=start.machine["journal_mb"],
            used_mb=start.machine["used_mb"][0],
            kernel=start.machine["kernel"],
        )
        with place.results.open("a", encoding="utf-8") as results:
            results.write(json.dumps(asdict(done)) + "\n")
        print(done.line, flush=True)
    if not story.cuts and start.wrong:
        print(f"before any cut: {start.wrong}", flush=True)
    for uid in start.lost:  # once
        story.captures.pop(uid)
    story.cuts, story.last, story.told = [], [], {}
    place.keep()
    return start


def seconds_of(text: str) -> float:
    """Return the sum in what systemd-analyze says: "Startup finished in 3.2s (kernel) + ... = 1min 12.345s"."""
    words = text.splitlines()[0].rpartition("= ")[2].split()
    units = {"h": 3600.0, "min": 60.0, "ms": 0.001, "s": 1.0}
    found = (re.fullmatch(r"([0-9.]+)(h|min|ms|s)", word) for word in words)
    return sum(float(each[1]) * units[each[2]] for each in found if each)


def noted(file: Path) -> list[Cut]:
    """Return the cuts of a file of results."""
    if not file.exists():
        return []
    return [Cut(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def summary(cuts: Sequence[Cut]) -> str:
    """Add cuts up, as a table for people."""
    rows: dict[str, Counter[str]] = {}
    for cut in cuts:
        rows.setdefault(f"{cut.way}: {cut.step}", Counter()).update(
            {"cuts": 1, "acknowledged": cut.acknowledged, "lost": len(cut.lost), "wrong": len(cut.wrong)}
        )
    lines = ["| at work: when the power went | cuts | acknowledged | lost | wrong |", "|---|---:|---:|---:|---:|"]
    names = ("cuts", "acknowledged", "lost", "wrong")
    for name, row in sorted(rows.items()):
        lines.append(f"| {name} | {' | '.join(str(row[each]) for each in names)} |")
    total = {each: sum(row[each] for row in rows.values()) for each in names}
    lines.append(f"| all | {' | '.join(str(total[each]) for each in names)} |")
    lost = Counter[str]()
    for cut in cuts:
        lost.update(cut.careless)
    worked = [cut for cut in cuts if cut.careless]
    bit = sum(not cut.is_none for cut in worked)
    lines += ["", f"records of careless writers lost: {dict(lost)}; something after {bit} of {len(worked)} cuts"]
    for name in ("start_s", "waited_s", "journal_mb", "used_mb"):
        values = [getattr(cut, name) for cut in cuts]
        if values:
            lines.append(f"{name}: first {values[0]:.0f}, last {values[-1]:.0f}, most {max(values):.0f}")
    return "\n".join(lines)


def run(place: Place, count: int, *, seed: int, evenings: bool = False, way: str = "") -> Start:
    """Have so many days more, and look at the box at their end. Others get their turn at the machine meanwhile."""
    with place.archive():
        while count:
            with one_at_a_time(), place.stopped():
                began = monotonic()
                if place.is_new:
                    place.first_start()
                while count and monotonic() < began + TURN_S:
                    day(place, seed=seed, evenings=evenings, way=way)
                    count -= 1
        with one_at_a_time(), place.stopped():
            place.box.switch_on()
            end = look(place, everything=True)
            end.wrong += sent_all(place)
            return end


def sent_all(place: Place) -> list[str]:
    """Wait until the archive has the pictures of every finished exam; return what is wrong with any of them."""
    story, received = place.story, place.received
    leave = set(story.finished) - set(story.held)
    wanted = {uid: words for uid, words in story.captures.items() if words[0] in leave}
    left = list(wanted)

    def none_left() -> bool:
        left[:] = [uid for uid in left if not received.has(uid)]
        return not left

    until(f"{len(wanted)} pictures of finished exams to arrive", none_left, SENT_S, pause_s=5)
    found = {uid: received.wrong(uid, patient, digest) for uid, (_, patient, digest) in wanted.items()}
    return [f"{uid}: {wrong}" for uid, wrong in found.items() if wrong]


def first_start_cut(place: Place, after_s: float, *, has: str = "") -> Start:
    """Cut the power while a box starts for the first time; start it again, set it up, and look.

    has: count the seconds from when the disk has that partition.
    """
    with place.archive(), one_at_a_time(), place.stopped():
        place.box.start_and_cut(after_s, has=has)
        place.first_start()
        place.box.switch_on()
        return look(place)


def main() -> int:
    parser = argparse.ArgumentParser(description="Cut a box's power again and again.")
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of the box; one that there is goes on")
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument(
        "--way", default="", choices=["", *WAYS, STARTING], help="what is cut off; else as chance will"
    )
    parser.add_argument("--update", type=Path, help="a bundle, which is installed on some days")
    parser.add_argument("--evenings", action="store_true", help="each cut is at 18:00 of the next day")
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it started ends with it
    if words.way == UPDATING and not words.update:
        parser.error("--way updating wants --update")
    place = Place(words.folder, words.image, update=words.update, has_chip=True)
    print(f"seed {words.seed}", flush=True)
    began = monotonic()
    run(place, words.cuts, seed=words.seed, evenings=words.evenings, way=words.way)
    everything = noted(place.results)
    print(summary(everything))
    print(f"{words.cuts} cuts in {monotonic() - began:.0f} s")
    return int(any(cut.lost or cut.wrong or cut.is_none for cut in everything))


if __name__ == "__main__":
    sys.exit(main())
