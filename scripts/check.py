"""Runs checks and tests in stages, prints each one's seconds and an honest summary: every one that needs no virtual
machine, or those asked for.

Usage: check.py [STAGE ...] [--list] [--fix] [-- PYTEST WORDS]. Exit 0 only when every stage asked for passed;
a test stage in which no test ran has not passed.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LIMIT = 1200  # s; a stage that hangs is ended and has failed
EMULATED_LIMIT = 5400  # of one on an emulated processor
SILENCE = 300  # s; a single test that takes longer has its stacks printed
# The tests' boxes live on this machine's disk and warn as it fills (gateway/spool/disk/room.py): on a full one
# hundreds of tests fail for a reason that none of them names. So much is asked for besides what they warn of.
OWN_ROOM = 5_000_000_000
WARNED_OF = 0.20, 14_000_000_000  # free: of the disk, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One thing that can fail. Stages that are not `alone` run two at a time, as they measure no time.

    `workers`: processes that share a stage's test files; more than there are cores where tests mostly wait.
    """

    name: str
    what: str
    words: tuple[str, ...] = ()
    tests: str = ""
    options: tuple[str, ...] = ()  # of its pytest
    asked: bool = False  # runs only when it is asked for
    workers: int = 1
    # "loadfile": files stay whole; "load", "worksteal": each test stands alone; "loadgroup": but for marked groups
    by: str = "loadfile"
    alone: bool = False
    limit: int = LIMIT


@dataclass(kw_only=True, slots=True)
class Outcome:
    """How a stage ended."""

    stage: Stage
    seconds: float
    problem: str = ""
    counts: dict[str, int] = field(default_factory=dict)


STAGES = (
    Stage(name="types", what="mypy --strict", words=("mypy",)),
    # In a new copy, pytest prepares each file once here and not once in every process of the stages below.
    Stage(name="collect", what="every test can be read", words=("python", "-m", "pytest", "tests", "--co", "-qq")),
    Stage(name="format", what="ruff format", words=("ruff", "format", "--check", ".")),
    Stage(name="lint", what="ruff check", words=("ruff", "check", ".")),
    Stage(name="shell", what="shellcheck", words=("shellcheck",)),
    Stage(name="rules", what="layers, documents, units, lock files", tests="tests/rules"),
    Stage(
        name="unit",
        what="no network, no peers, no devices",
        tests="tests/unit",
        workers=4,
        by="worksteal",
        alone=True,
    ),
    Stage(
        name="hardware",
        what="what devices give, faked at the kernel's calls; other decoders",
        tests="tests/hardware",
        workers=4,
        by="worksteal",
        alone=True,
    ),
    Stage(
        name="forward",
        what="days on a moved clock, disks that fail",
        tests="tests/forward",
        workers=4,
        by="load",
        alone=True,
    ),
    Stage(name="loopback", what="real peers on this machine", tests="tests/loopback", workers=2, alone=True),
    Stage(name="crash", what="kill -9 and power cuts", tests="tests/crash", workers=2, alone=True),
    Stage(
        name="browser",
        what="the panel in a browser",
        tests="tests/browser",
        workers=3,
        by="loadgroup",
        alone=True,
    ),
    Stage(
        name="kernel",
        what="virtual devices in a virtual machine; only when asked for",
        tests="tests/kernel",
        options=("--vm", "-v"),
        asked=True,
        alone=True,
        limit=EMULATED_LIMIT,
    ),
)


def disk_trouble(total: int, free: int) -> str:
    """Say what is wrong with a disk of so many bytes for tests whose boxes have their data on it, if anything."""
    share, most = WARNED_OF
    needed = min(int(total * share), most) + OWN_ROOM
    if free >= needed:
        return ""
    return (
        f"{tempfile.gettempdir()} has {free / 1e9:.1f} GB free and the tests want {needed / 1e9:.0f}: a box on "
        "a disk that fills refuses pictures, as it should. Make room, or set TMPDIR to a folder of another disk."
    )


def shell_scripts() -> list[str]:
    """Return every tracked file that begins as a shell script."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            with path.open("rb") as file:
                first = file.readline(64)
            if first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"/bash", b" bash", b" sh")):
                found.append(name)
    return found


class Runner:
    """Runs stages and remembers the processes it started, so that an interrupt ends them all."""

    def __init__(self, *, pytest_words: Sequence[str], fix: bool, reports: Path) -> None:
        self._pytest_words = pytest_words
        self._fix = fix
        self._reports = reports
        self._running: list[subprocess.Popen[str]] = []
        self._screen = threading.Lock()

    def command(self, stage: Stage) -> list[str]:
        if stage.tests:
            return [
                str(BIN / "python"), "-m", "pytest", stage.tests, "--durations=5", "--durations-min=1",
                f"--junitxml={self._reports / stage.name}.xml", "-o", "junit_logging=system-out",
                "-o", f"faulthandler_timeout={SILENCE}",
                *(["-n", str(stage.workers), "--dist", stage.by] if stage.workers > 1 else []),
                *stage.options,
                *self._pytest_words,
            ]  # fmt: skip
        words = [str(BIN / stage.words[0]), *stage.words[1:]]
        if stage.name == "shell":
            words += shell_scripts()
        if self._fix and stage.name == "format":
            words.remove("--check")
        if self._fix and stage.name == "lint":
            words.append("--fix")
        return words

    def run(self, stage: Stage) -> Outcome:
        """Run one stage; its output appears at once when it is alone, else in one piece at its end."""
        self._print(f"=== {stage.name}: {stage.what}" if stage.alone else "")
        start = time.monotonic()
        process = subprocess.Popen(
            self.command(stage),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._running.append(process)
        late = threading.Timer(stage.limit, end_group, (process,))
        late.start()
        lines = []
        for line in process.stdout or ():
            if stage.alone:
                self._print(line.rstrip("\n"))
            else:
                lines.append(line)
        code = process.wait()
        late.cancel()
        outcome = Outcome(stage=stage, seconds=time.monotonic() - start)
        outcome.problem = f"exit code {code}" if code else ""
        if stage.tests:
            self._read_report(outcome)
        word = "FAILED" if outcome.problem else "passed"
        if not outcome.problem:  # where nothing is wrong one line is enough
            lines = [line for line in lines if line.strip()][-1:]
        head = "" if stage.alone else f"=== {stage.name}: {stage.what}\n"
        self._print(f"{head}{''.join(lines)}--- {stage.name} {word} in {outcome.seconds:.1f} s\n")
        return outcome

    def stop(self) -> None:
        """End whatever still runs."""
        for process in self._running:
            end_group(process)

    def _read_report(self, outcome: Outcome) -> None:
        """Take over what pytest counted, and print what its tests counted."""
        report = self._reports / f"{outcome.stage.name}.xml"
        suites = list(ET.parse(report).getroot().iter("testsuite")) if report.exists() else []
        counts = {key: sum(int(each.get(key, "0")) for each in suites) for key in ("tests", "skipped")}
        failed = sum(int(each.get(key, "0")) for each in suites for key in ("failures", "errors"))
        passed = counts["tests"] - failed - counts["skipped"]
        outcome.counts = {"passed": passed, "failed": failed, "skipped": counts["skipped"]}
        if not passed and not failed:
            outcome.problem = "no test ran"
        self._print("\n".join(f"    {line}" for line in figures(suites)))

    def _print(self, text: str) -> None:
        if text:
            with self._screen:
                print(text, flush=True)


def figures(suites: Sequence[ET.Element]) -> list[str]:
    """Return what tests printed: how often they did what, and what came of it. Tables are for `pytest -s`."""
    said = [out.text or "" for suite in suites for out in suite.iter("system-out")]
    lines = [line.strip() for text in said for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith(("|", "---"))]


def environment() -> dict[str, str]:
    """Put the environment's tools first, and those of administrators on the path."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1"}


def end_group(process: subprocess.Popen[str]) -> None:
    """End a stage and everything it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def summary(outcomes: list[Outcome], seconds: float) -> int:
    """Print one line a stage and the total; return the exit code."""
    print("=== summary")
    for outcome in outcomes:
        word = "FAILED" if outcome.problem else "passed"
        counted = ", ".join(f"{count} {what}" for what, count in outcome.counts.items() if count)
        notes = ", ".join(filter(None, [counted, outcome.problem]))
        print(f"{outcome.stage.name:<9} {word}  {outcome.seconds:6.1f} s  {notes}".rstrip())
    bad = [outcome.stage.name for outcome in outcomes if outcome.problem]
    print(f"{'FAILED: ' + ', '.join(bad) if bad else 'everything passed'} in {seconds:.0f} s")
    if any(outcome.counts for outcome in outcomes):
        total = {
            word: sum(outcome.counts.get(word, 0) for outcome in outcomes)
            for word in ("passed", "failed", "skipped")
        }
        print(", ".join(f"{count} {word}" for word, count in total.items()))
    return 1 if bad else 0


def arguments() -> tuple[argparse.Namespace, list[str]]:
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(
        prog="check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"any of: {', '.join(names)}")
    parser.add_argument("--list", action="store_true", help="name the stages and what they are")
    parser.add_argument("--fix", action="store_true", help="let ruff repair format and lint where it can")
    chosen = parser.parse_args(words[:cut])
    if unknown := set(chosen.stages) - set(names):
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    return chosen, words[cut + 1 :]


def main() -> int:
    chosen, pytest_words = arguments()
    if chosen.list:
        for stage in STAGES:
            print(f"{stage.name:<9} {stage.what}")
        return 0
    stages = [stage for stage in STAGES if stage.name in chosen.stages or not (chosen.stages or stage.asked)]
    room = shutil.disk_usage(tempfile.gettempdir())
    if any(stage.tests for stage in stages) and (trouble := disk_trouble(room.total, room.free)):
        print(f"check: {trouble}", file=sys.stderr)
        return 2
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="scopegate-check-") as reports:
        runner = Runner(pytest_words=pytest_words, fix=chosen.fix, reports=Path(reports))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        pool = ThreadPoolExecutor(max_workers=1 if chosen.fix else 2)
        try:
            outcomes = list(pool.map(runner.run, [stage for stage in stages if not stage.alone]))
            outcomes += [runner.run(stage) for stage in stages if stage.alone]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
    return summary(outcomes, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
