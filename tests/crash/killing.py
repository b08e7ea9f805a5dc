"""Kills by the dozen: one box, one technician, one clinic, and what was acknowledged against what is there.

A part is a number of kills on one box with one seed. Its result is a line of JSON, so that a long run can be cut
into pieces; `python -m tests.crash.killing FILE` adds the lines up and prints the totals.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty

from tests.crash.busy import BusyTechnician
from tests.crash.clinic import MEDIUM, clinic
from tests.crash.comparing import Found, compare
from tests.crash.steps import AT_ONCE, FILMING, PURGING, RARE, ROLES, STEPS, STILLS, named
from tests.crash.technician import PATIENCE_S
from tests.crash.warm_box import WarmBox

_UNTIL_S = 2.5  # a step that does not come in this time: the process is killed where it is
_NAMED_SHARE = 0.7  # of the kills; of the others one half is at any step, one at any moment
_AIMED_AT = 6  # steps at a time: what is rare is waited for while others are met
_OF_ITS_OWN = 2  # times that a plan has what only its box does
_A_PARTS_STEPS = 14  # that a part comes to, of the forward process


@dataclass(kw_only=True)
class Part(Found):
    """What a number of kills on one box came to. `hits`: role and step to a count."""

    seed: int
    kills: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How the box of a part is set up: in one part of three pictures leave at once, in one they are let go.

    In every other part clips become H.264, and no archive wants stills of them.
    """

    at_once: bool
    purging: bool
    films: bool

    @classmethod
    def of(cls, seed: int) -> "Setting":
        return cls(at_once=seed % 3 == 1, purging=seed % 3 == 2, films=seed % 2 == 0)

    def plan(self, role: str, seed: int, *, medium: bool) -> list[str]:
        """Return the named steps that such a box meets, in an order in which parts take turns at beginning."""
        own = named((*(AT_ONCE if self.at_once else ()), *(PURGING if self.purging else ())))
        own += named(FILMING if self.films else STILLS)
        rare = named(RARE)
        steps = [step for step in STEPS[role] if role != "forward" or step not in rare]
        if role == "forward":
            steps += own * _OF_ITS_OWN  # only a third of the parts can meet them, or a half
        steps = [step for step in steps if medium or " medium " not in step]
        random.Random(role).shuffle(steps)
        first = seed // 3 * _A_PARTS_STEPS % len(steps)
        return [*steps[first:], *steps[:first]]


class Reaper:
    """Chooses who dies where: most at a named step, the others at any step after a start, or at any moment."""

    def __init__(
        self,
        box: WarmBox,
        chance: random.Random,
        plans: dict[str, list[str]],
        count: int,
        *,
        aimed: float = _NAMED_SHARE,
        rest_s: float = 0.8,
        patience_s: float = _UNTIL_S,
    ) -> None:
        """`plans`: steps of each role; `aimed`: the share of the kills that are aimed at them.

        `rest_s`: at most, between two kills; `patience_s`: for a step to come.
        """
        self._box = box
        self._chance = chance
        self._roles = list(plans)
        self._plans = {role: list(steps) for role, steps in plans.items()}
        self._count = count
        self._aimed = aimed
        self._rest_s = rest_s
        self._patience_s = patience_s
        self.hits: Counter[str] = Counter()
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def work(self) -> None:
        """Kill as often as was said."""
        try:
            while self.hits.total() < self._count and not self.stop.is_set():
                role, step = self.kill()
                self.hits[f"{role} {step}"] += 1
                time.sleep(self._chance.uniform(0.0, self._rest_s))  # until the next one: work gets on meanwhile
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.error = error

    def kill(self) -> tuple[str, str]:
        """Kill one process and return its role and the step at which it died."""
        kind = self._chance.random()
        role = self._chance.choice(self._roles)
        if kind < self._aimed:
            # Some pass: stills that are sealed together make the same step several times.
            self._box.kill_at(role, self._plans[role][:_AIMED_AT], self._chance.choice((0, 0, 0, 1, 2)))
        elif kind < (1 + self._aimed) / 2:
            self._box.kill_at(role, [], self._chance.randint(0, 40))
        else:
            time.sleep(self._chance.uniform(0.02, 0.6))  # the random moment
            self._box.kill_now(role)
        return role, self._death(role)

    def _death(self, role: str) -> str:
        """Wait for the end of a process and plan what is next: what was met, or did not come, goes to the end."""
        deaths, plan = self._box.deaths[role], self._plans[role]
        try:
            step = deaths.get(timeout=self._patience_s)
        except Empty:
            self._box.kill_now(role)
            step = deaths.get(timeout=PATIENCE_S)
            plan.append(plan.pop(0))
        if step in plan:
            plan.remove(step)
            plan.append(step)
        return step


def part(
    folder: Path,
    *,
    seed: int,
    kills: int,
    roles: Sequence[str] = ROLES,
    careless: bool = False,
    met: Collection[str] = (),
) -> Part:
    """Kill that often, then let everything come to rest and compare. Half of the kills meet forward alone.

    met: hits of other parts; what none of them met is aimed at first.
    """
    began = time.monotonic()
    setting = Setting(at_once=False, purging=False, films=False) if careless else Setting.of(seed)
    with clinic(
        folder, careless=careless, at_once=setting.at_once, purging=setting.purging, films=setting.films
    ) as around:
        technician = BusyTechnician(
            around.box,
            random.Random(seed),
            orders=around.orders,
            at_once=setting.at_once,
            captures_only=careless,
            medium=MEDIUM if around.medium else "",
        )
        of_forward = kills // 2 if "forward" in roles else 0
        plans = {role: setting.plan(role, seed, medium=around.medium is not None) for role in roles}
        plans = {role: sorted(plan, key=lambda step: f"{role} {step}" in met) for role, plan in plans.items()}
        if careless:  # only what it does with stills is careless
            plans = {role: [step for step in steps if " clip " not in step] for role, steps in plans.items()}
        alone = {role: plans.pop(role) for role in ("forward",) if role in plans}
        reapers = [
            Reaper(around.box, random.Random(seed + 1), alone, of_forward),
            Reaper(around.box, random.Random(seed + 2), plans, kills - of_forward),
        ]
        work(technician, reapers, least_s=0 if kills else 4)
        hits = reapers[0].hits + reapers[1].hits
        found = compare(technician, around)
    seconds = round(time.monotonic() - began, 1)
    return Part(**asdict(found), seed=seed, kills=hits.total(), hits=dict(hits), seconds=seconds)


def work(technician: BusyTechnician, reapers: Sequence[Reaper], *, least_s: float) -> None:
    """Let the technician work for as long as the reapers do, and so many seconds at least."""
    killing = [threading.Thread(target=reaper.work) for reaper in reapers]
    at_work = threading.Thread(target=technician.work)
    for thread in (at_work, *killing):
        thread.start()
    time.sleep(least_s)  # so many exams without a kill
    for thread in killing:
        while thread.is_alive():
            thread.join(0.1)
            if technician.error:
                for reaper in reapers:
                    reaper.stop.set()
    technician.stop.set()
    at_work.join(PATIENCE_S * 2)
    errors = [one.error for one in (technician, *reapers) if one.error]
    if errors:
        raise errors[0]


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
        f"{sum(p.arrived for p in parts)} arrived, {sum(p.kept_back for p in parts)} kept back and "
        f"{sum(p.rejected for p in parts)} taken out by a person, {sum(p.committed for p in parts)} vouched for, "
        f"{sum(p.purged for p in parts)} let go; {sum(p.films for p in parts)} clips became "
        f"H.264, of {sum(p.jpegs for p in parts)} of these JPEG was made; "
        f"{sum(p.steps for p in parts)} procedure steps told, "
        f"{sum(p.repeats for p in parts)} messages repeated, {sum(p.copied for p in parts)} exams copied; "
        f"{sum(len(p.lost) for p in parts)} lost, {sum(len(p.wrong) for p in parts)} wrong"
    )
    every = {f"{role} {step}" for role, steps in STEPS.items() for step in steps}
    at_them = sum(hits[step] for step in every)
    met = f"{len(every & hits.keys())} of {len(every)} named steps were met, by {at_them} of the kills"
    return "\n".join([*lines, "", total, met])


def never_met(parts: list[Part]) -> list[str]:
    """Return the named steps that no kill of these parts met."""
    met = {name for one in parts for name in one.hits}
    return [f"{role} {step}" for role, steps in STEPS.items() for step in steps if f"{role} {step}" not in met]


if __name__ == "__main__":
    everything = noted(Path(sys.argv[1]))
    print(summary(everything))
    print("never:", ", ".join(never_met(everything)) or "none")
