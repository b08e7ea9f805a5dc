"""Kills by the dozen: one box, one technician, one archive, and what was acknowledged against what is there.

A part is a number of kills on one box with one seed. Its result is a line of JSON, so that a long run can be cut
into pieces; `python -m tests.crash.killing FILE` adds the lines up and prints the totals.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pydicom

from tests.box import Box, until
from tests.crash.steps import ROLES, STEPS
from tests.crash.technician import PATIENCE_S, Technician
from tests.loopback.peers import StoreScp

AT_RANDOM = "at a random moment"
_UNTIL_S = 2.5  # a step that does not come in this time: the process is killed where it is


@dataclass(kw_only=True)
class Part:
    """What a number of kills on one box came to. `hits`: role and step to a count; `lost`, `wrong`: UIDs, words."""

    seed: int
    kills: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    arrived: int = 0
    rejected: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class WarmBox(Box):
    """A box whose three processes are forks of tests/crash/warm.py."""

    def __init__(self, folder: Path, *, careless: bool = False, **words: Any) -> None:
        super().__init__(folder, **words)
        self._words = ["careless"] if careless else []
        self._pids: dict[str, int] = {}
        self.deaths: dict[str, Queue[str]] = {role: Queue() for role in ROLES}  # of each role, the steps

    def start(self, *, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.warm", str(self.config), str(self.data), *self._words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        if wait:
            until("the box to be ready", self.is_ready)

    def stop(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(40)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self._listener.join(30)  # ends with the last process that could say something
            assert process.stdout
            process.stdout.close()

    def pid(self, role: str) -> int:
        return self._pids.get(role, 0)

    def kill_at(self, role: str, step: str, passing: int) -> None:
        """Let the process die at this step (steps.STEPS; "" = any), when so many of them have passed."""
        self._tell({"do": "kill-at", "role": role, "step": step, "passing": passing})

    def kill_now(self, role: str) -> None:
        self._tell({"do": "kill-now", "role": role})

    def _tell(self, order: dict[str, object]) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        last: dict[str, str] = {}
        for line in process.stdout or ():
            said = json.loads(line)
            if "killed" in said:
                last[said["killed"]] = said["step"]
            elif "started" in said:
                self._pids[said["started"]] = said["pid"]
            else:
                role = said["ended"]
                self._pids.pop(role, None)
                how = AT_RANDOM if said["by"] == -9 else f"ended by itself ({said['by']})"
                self.deaths[role].put(last.pop(role, how))


class Reaper:
    """Chooses who dies where: most at a named step, the others at any step after a start, or at any moment."""

    def __init__(self, box: WarmBox, chance: random.Random, roles: Sequence[str], count: int) -> None:
        self._box = box
        self._chance = chance
        self._roles = roles
        self._count = count
        self._planned: list[tuple[str, str]] = []  # each named step once, shuffled, then again
        self.hits: Counter[str] = Counter()
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def work(self) -> None:
        """Kill as often as was said."""
        try:
            while self.hits.total() < self._count and not self.stop.is_set():
                role, step = self.kill()
                self.hits[f"{role} {step}"] += 1
                time.sleep(self._chance.uniform(0.0, 0.3))  # until the next one
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.error = error

    def kill(self) -> tuple[str, str]:
        """Kill one process and return its role and the step at which it died."""
        kind = self._chance.random()
        role = self._chance.choice(self._roles)
        if kind < 0.7:
            role, step = self._next_step()
            self._box.kill_at(role, step, self._chance.choice((0, 0, 0, 1)))
        elif kind < 0.85:
            self._box.kill_at(role, "", self._chance.randint(0, 40))
        else:
            time.sleep(self._chance.uniform(0.02, 0.6))  # the random moment
            self._box.kill_now(role)
        deaths = self._box.deaths[role]
        try:
            return role, deaths.get(timeout=_UNTIL_S)
        except Empty:
            self._box.kill_now(role)
            return role, deaths.get(timeout=PATIENCE_S)

    def _next_step(self) -> tuple[str, str]:
        if not self._planned:
            self._planned = [(role, step) for role in self._roles for step in STEPS[role]]
            self._chance.shuffle(self._planned)
        return self._planned.pop()


@contextmanager
def boxed(folder: Path, *, careless: bool = False) -> Iterator[tuple[WarmBox, StoreScp]]:
    """Start an archive and a box that sends to it."""
    with StoreScp(folder / "archive", "+xa") as archive:
        destination = {
            "name": "pacs",
            "ae_title": archive.ae_title,
            "host": "127.0.0.1",
            "port": archive.port,
            "commitment": False,
        }
        with WarmBox(folder / "box", careless=careless, destinations=[destination]) as box:
            yield box, archive


def part(folder: Path, *, seed: int, kills: int, roles: Sequence[str] = ROLES, careless: bool = False) -> Part:
    """Kill that often, then let everything come to rest and compare. Half of the kills meet forward alone."""
    began = time.monotonic()
    result = Part(seed=seed)
    with boxed(folder, careless=careless) as (box, archive):
        technician = Technician(box, random.Random(seed), repairs=True, slow_s=1.0 if careless else 0.0)
        of_forward = kills // 2 if "forward" in roles else 0
        front = [role for role in roles if role != "forward"]
        reapers = [
            Reaper(box, random.Random(seed + 1), ("forward",), of_forward),
            Reaper(box, random.Random(seed + 2), front, kills - of_forward),
        ]
        killing = [threading.Thread(target=reaper.work) for reaper in reapers]
        at_work = threading.Thread(target=technician.work)
        for thread in (at_work, *killing):
            thread.start()
        if not kills:
            time.sleep(4)  # so many exams without a kill
        for thread in killing:
            while thread.is_alive():
                thread.join(0.1)
                if technician.error:
                    for reaper in reapers:
                        reaper.stop.set()
        technician.stop.set()
        at_work.join(PATIENCE_S * 2)
        errors = [one.error for one in (technician, *reapers) if one.error]
        assert not errors, repr(errors)
        result.hits = dict(reapers[0].hits + reapers[1].hits)
        result.kills = sum(result.hits.values())
        compare(result, technician, box, archive)
    result.seconds = round(time.monotonic() - began, 1)
    return result


def compare(result: Part, technician: Technician, box: Box, archive: StoreScp) -> None:
    """Note what was acknowledged and is nowhere, and what is anywhere and wrong."""
    owners = technician.owners
    result.acknowledged, result.rejected = len(owners), len(technician.rejected)
    until("the box to be ready", box.is_ready)
    for exam in technician.exams:
        if box.get(f"/exams/{exam}")["please_check"]:
            box.post(f"/exams/{exam}/confirm")
    states = until("everything to come to rest", lambda: at_rest(box, technician.exams), 120)
    result.lost = sorted(uid for uid in owners if states.get(uid) != "sent")
    arrived = {file.name.split(".", 1)[1]: file for file in archive.received.iterdir()}
    result.arrived = len(arrived)
    listed = set(states)
    result.wrong += [f"{uid}: nobody asked for it" for uid in listed - set(owners) - technician.rejected]
    result.wrong += [f"{uid}: sent, though it was taken out" for uid in technician.rejected & set(arrived)]
    result.wrong += [f"{uid}: called sent, and not there" for uid in owners if uid not in {*arrived, *result.lost}]
    for uid, file in arrived.items():
        result.wrong += wrong_in(uid, file, box, owners)


def at_rest(box: Box, exams: list[str]) -> dict[str, str]:
    """Return what became of each listed picture once nothing moves any more; empty before."""
    states = {}
    for exam in exams:
        for capture in box.get(f"/exams/{exam}")["captures"]:
            deliveries = capture["deliveries"]
            if capture["state"] == "rejected":
                states[capture["sop_instance_uid"]] = "rejected"
            elif deliveries and deliveries[0]["state"] in {"sent", "held"}:
                states[capture["sop_instance_uid"]] = deliveries[0]["state"]
            elif capture.get("problem"):
                states[capture["sop_instance_uid"]] = "problem"
            else:
                return {}
    return states or {"": "nothing"}


def wrong_in(uid: str, file: Path, box: Box, owners: dict[str, str]) -> Iterator[str]:
    """Say what is wrong with an object that arrived."""
    data = pydicom.dcmread(file)
    if (data.SOPInstanceUID, data.PatientID) != (uid, owners.get(uid)):
        yield f"{uid}: arrived as another's"
    found = list(box.data.glob(f"exams/*/{uid}.dcm"))
    if len(found) != 1 or pydicom.dcmread(found[0]).PixelData != data.PixelData:
        yield f"{uid}: arrived with other pixels"


# --- results -----------------------------------------------------------------------------------------------------


def note(file: Path, result: Part) -> None:
    """Add a part to a file of results."""
    with file.open("a", encoding="ascii") as out:
        out.write(json.dumps(asdict(result)) + "\n")


def noted(file: Path) -> list[Part]:
    """Return the parts of a file of results."""
    if not file.exists():
        return []
    return [Part(**json.loads(line)) for line in file.read_text(encoding="ascii").splitlines()]


def summary(parts: list[Part]) -> str:
    """Print the totals of some parts, and how the kills fell on the steps, as a table for people."""
    hits: Counter[str] = Counter()
    for one in parts:
        hits.update(one.hits)
    assert hits.total() == sum(one.kills for one in parts), "the parts do not add up"
    rows: dict[tuple[str, str], Counter[str]] = {}
    for name, count in hits.items():
        role, step = name.split(" ", 1)
        when, rest = step.split(" ", 1)
        if when not in {"before", "after"}:
            when, rest = "other", step
        rows.setdefault((role, rest), Counter())[when] += count
    lines = ["| process | step | before | after | other |", "|---|---|---:|---:|---:|"]
    for (role, step), counts in sorted(rows.items()):
        numbers = " | ".join(str(counts[when] or "") for when in ("before", "after", "other"))
        lines.append(f"| {role} | {step} | {numbers} |")
    total = (
        f"{hits.total()} kills in {len(parts)} parts, {sum(p.acknowledged for p in parts)} pictures acknowledged, "
        f"{sum(p.arrived for p in parts)} arrived, {sum(p.rejected for p in parts)} taken out by a person, "
        f"{sum(len(p.lost) for p in parts)} lost, {sum(len(p.wrong) for p in parts)} wrong"
    )
    return "\n".join([*lines, "", total])


if __name__ == "__main__":
    print(summary(noted(Path(sys.argv[1]))))
