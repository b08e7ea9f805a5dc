"""Runs the self-test. Most is looked at once, at its begin; presses and touches are waited for, for a while.

The record is a file beside the pictures, without patients: it outlives a restart and is in the support bundle.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from gateway.clock import Clock
from gateway.errors import BadValue, ExamOpen, SpoolError
from gateway.panel.machine_says import THIS_MACHINE, MachineSays
from gateway.panel.self_test import looks
from gateway.panel.self_test.check import Check, Result, absent, failed, judged
from gateway.panel.shown.report import Report
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
PEDALS_S, TOUCH_S = 15, 120  # how long somebody's hand is waited for
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A run as it stands. `seconds`: for which pedals are still waited for. `at`: when it was begun, ISO 8601."""

    at: str
    ended: bool
    seconds: int
    checks: tuple[Check, ...]
    corners: tuple[str, ...]

    def of(self, result: Result) -> int:
        return sum(check.result is result for check in self.checks)


class SelfTest:
    """One box. Blocks: reads files, and writes to the disk for some seconds."""

    def __init__(
        self,
        *,
        spool: Spool,
        clock: Clock,
        live: Mapping[str, LiveState],
        report: Report,
        says: MachineSays = THIS_MACHINE,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._capture = live["capture"]
        self._report = report
        self._says = says
        self._one = threading.Lock()

    def begin(self, *, by: str, at_screen: bool) -> Seen:
        """Look at everything. `at_screen`: corners can be touched. Raises ExamOpen, DiskFull, DiskFailed."""
        if self._spool.exams.open_one():
            raise ExamOpen("The box is not tested while an exam is open.", action="Finish the exam first.")
        with self._one:  # two at once would write over each other's file
            checks = list(self._looks())
        record = {
            "at": self._clock.utc().isoformat(timespec="seconds"),
            "boot_id": self._clock.boot_id,
            "begun_ns": self._clock.boottime_ns(),
            "at_screen": at_screen,
            "ended": False,
            "checks": [asdict(check) for check in checks],
            "pedals": self._presses(),
            "corners": [],
        }
        self._keep(record)
        self._spool.audit.note("self-test", by=by, failed=sum(check.result is Result.FAILED for check in checks))
        return self._seen(record)

    def felt(self, corner: str) -> Seen | None:
        """Note that a finger was felt in a corner. Raises BadValue."""
        if corner not in CORNERS:
            raise BadValue(f"corner is none of {', '.join(CORNERS)}.")
        record = self._record()
        if record is None or record["ended"]:
            return self.seen()
        record["corners"] = sorted({*record["corners"], corner})
        self._keep(record)
        return self._seen(record)

    def seen(self) -> Seen | None:
        """Return how the last run stands, None before the first, or when another version kept it."""
        record = self._record()
        try:
            return self._seen(record) if record else None
        except (KeyError, TypeError, ValueError):
            return None

    # --- inside -------------------------------------------------------------------------------------------

    def _looks(self) -> Iterator[Check]:
        report, capture, board = self._report.whole(), self._capture.read(), self._says.board()
        yield from looks.sources(report, capture)
        yield from looks.signs(report)
        yield looks.disk(self._spool, self._clock)
        yield from looks.of_root(self._says.folder, board)
        yield from looks.machine(report, capture, board)
        yield from looks.parts(board, self._clock)

    def _seen(self, record: dict[str, Any]) -> Seen:
        checks = [Check(**{**each, "result": Result(each["result"])}) for each in record["checks"]]
        left = self._left(record)
        if not record["ended"]:
            hands = [*self._pedals(record, left), self._touch(record, left)]
            checks += hands
            if all(check.result is not Result.WAITING for check in hands):
                record |= {"ended": True, "checks": [asdict(check) for check in checks]}
                with suppress(SpoolError):  # the next look ends it
                    self._keep(record)
        return Seen(
            at=record["at"],
            ended=record["ended"],
            seconds=0 if record["ended"] else max(0, round(PEDALS_S + left - TOUCH_S)),
            checks=tuple(checks),
            corners=tuple(record["corners"]),
        )

    def _left(self, record: dict[str, Any]) -> float:
        """Return for how many seconds a run goes on at most; after a restart it is over."""
        if record["boot_id"] != self._clock.boot_id:
            return 0.0
        return TOUCH_S - (self._clock.boottime_ns() - int(record["begun_ns"])) / 1e9

    def _pedals(self, record: dict[str, Any], left: float) -> Iterator[Check]:
        now, before = self._presses(), record["pedals"]
        lines = self._report.whole()["pedals"]
        for line in lines:
            name = line["name"]
            if now.get(name, 0) > before.get(name, 0):
                yield Check(kind="pedal", name=name, result=Result.PASSED)
            elif line["state"] == "missing":
                yield looks.of_line("pedal", line, name=name)
            elif left > TOUCH_S - PEDALS_S:
                yield Check(kind="pedal", name=name, result=Result.WAITING)
            else:
                yield failed("pedal", "pedal-not-heard", name=name)
        if not lines:
            yield absent("pedal")

    def _touch(self, record: dict[str, Any], left: float) -> Check:
        if not record["at_screen"]:
            return absent("touch")
        felt = len(record["corners"])
        if felt < len(CORNERS) and left > 0:
            return Check(kind="touch", result=Result.WAITING, measured=f"{felt}/{len(CORNERS)}")
        return judged("touch", "touch-corner", well=felt == len(CORNERS), measured=f"{felt}/{len(CORNERS)}")

    def _presses(self) -> dict[str, int]:
        said = self._capture.read() or {}
        return {str(each["name"]): int(each.get("presses", 0)) for each in said.get("pedals", [])}

    def _record(self) -> dict[str, Any] | None:
        try:
            with self._spool.layout.self_test.open("rb") as file:
                found: dict[str, Any] = json.loads(file.read(_MOST_BYTES))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and "ended" in found else None

    def _keep(self, record: dict[str, Any]) -> None:
        self._spool.files.write(self._spool.layout.self_test, [json.dumps(record, ensure_ascii=False).encode()])
