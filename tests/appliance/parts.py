"""A long run of the appliance's tests in parts: a module that passed on this image is not run again. Parts add up.

`--parts FILE` (a plugin: `-p tests.appliance.parts`). A module counts as a whole, because its tests tell one story.
"""

import json
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--parts", default="", help="file of what passed on this image, which is not run again")


def pytest_configure(config: pytest.Config) -> None:
    if file := config.getoption("--parts"):
        if config.getoption("lf", default=False) or any("::" in word for word in config.args):
            raise pytest.UsageError("--parts counts whole modules: without --lf and names of single tests")
        image = (Path(config.getoption("--appliance")) / "roothash").read_text(encoding="ascii").strip()
        config.pluginmanager.register(Parts(Path(file), image))


class Parts:
    """One run. `file`: a line of JSON for each module that passed, now or before; `image`: its root hash."""

    def __init__(self, file: Path, image: str) -> None:
        self._file = file
        self._image = image
        self._left: Counter[str] = Counter()  # tests of a module that did not end yet
        self._outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(tryfirst=True)  # before -k leaves tests out: a module of which some did not run does not count
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        done = {str(part["module"]) for part in self._passed()}
        out = [item for item in items if _module(item.nodeid) in done]
        items[:] = [item for item in items if _module(item.nodeid) not in done]
        config.hook.pytest_deselected(items=out)
        self._left.update(_module(item.nodeid) for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        module = _module(report.nodeid)
        self._seconds[module] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[module][report.outcome] += 1

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        module = _module(nodeid)
        self._left[module] -= 1
        seen = self._outcomes[module]
        if self._left[module] or seen["failed"] or not seen["passed"]:
            return
        part = {
            "image": self._image,
            "module": module,
            "passed": seen["passed"],
            "skipped": seen["skipped"],
            "seconds": round(self._seconds[module]),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(part) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        parts = self._passed()
        terminalreporter.section(f"parts of image {self._image[:12]}")
        for part in parts:
            terminalreporter.line("{at} {module}: {passed} passed, {skipped} skipped, {seconds} s".format(**part))
        tests, seconds = (sum(int(part[key]) for part in parts) for key in ("passed", "seconds"))
        terminalreporter.line(f"in all {len(parts)} modules, {tests} tests passed, {seconds} s")

    def _passed(self) -> list[dict[str, str | int]]:
        """Return the lines of this image; one that was cut off with the machine is none."""
        found = []
        for line in self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else ():
            with suppress(ValueError):
                found.append(json.loads(line))
        return [part for part in found if part["image"] == self._image]


def _module(nodeid: str) -> str:
    return nodeid.partition("::")[0]
