"""`scopegate self-test`: the hardware of this box, for the service engineer. Never during an exam."""

import os
from collections.abc import Iterable
from pathlib import Path

from gateway.cli.opened import spool_of
from gateway.cli.processes import this_machine
from gateway.clock import Clock
from gateway.config import reader
from gateway.panel.self_test.check import KINDS, Check, Result
from gateway.panel.self_test.running import PEDALS_S, SelfTest
from gateway.panel.shown.report import Report
from gateway.panel.support.parts import live_of

_LOOK_S = 0.5
_MARKS = {Result.PASSED: "passed", Result.FAILED: "FAILED", Result.ABSENT: "not there"}


def run(config: Path) -> int:
    """Print each check as it is known; return 1 if one failed. Raises ExamOpen, ConfigurationError, SpoolError."""
    settings, clock = reader.read(config, os.environ), Clock()
    with spool_of(config) as (_, spool):
        live = live_of(settings, spool, clock)
        report = Report(spool=spool, settings=settings, clock=clock, live=live)
        test = SelfTest(spool=spool, clock=clock, live=live, report=report, says=this_machine())
        seen = test.begin(by="command-line", at_screen=False)
        said: set[Check] = set()
        _say(seen.checks, said)
        if not seen.ended:
            print(f"Press each pedal once ({PEDALS_S} s) ...", flush=True)
        while not seen.ended:
            clock.pause(_LOOK_S)
            seen = test.seen() or seen
            _say(seen.checks, said)
    return 1 if seen.of(Result.FAILED) else 0


def _say(checks: Iterable[Check], said: set[Check]) -> None:
    for check in checks:
        if check.result is Result.WAITING or check in said:
            continue
        said.add(check)
        code = f" [{check.code}]" if check.code else ""
        says = ". ".join(filter(None, (check.measured, check.what.rstrip("."))))
        action = f"  -> {check.action}" if check.action else ""
        name = " ".join(filter(None, (KINDS[check.kind], check.name)))
        print(f"{_MARKS[check.result]:<9}  {name}: {says}{code}{action}".rstrip(": "), flush=True)
