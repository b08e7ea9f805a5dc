"""A long run of the appliance's tests in parts: a module that passed on this image is not run again. Parts add up.

`--parts FILE` (a plugin: `-p tests.appliance.parts`). A module counts as a whole, because its tests tell one story,
and as it is now, with what it leans on: a test that was changed has not passed.
"""

import hashlib
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
        self._all: list[str] = []
        self._left: Counter[str] = Counter()  # tests of a module that did not end yet
        self._outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(tryfirst=True)  # before -k leaves tests out: a module of which some did not run does not count
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self._all = list(dict.fromkeys(module_of(item.nodeid) for item in items))
        done = {str(part["module"]) for part in self._passed()}
        out = [item for item in items if module_of(item.nodeid) in done]
        items[:] = [item for item in items if module_of(item.nodeid) not in done]
        config.hook.pytest_deselected(items=out)
        self._left.update(module_of(item.nodeid) for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        module = module_of(report.nodeid)
        self._seconds[module] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[module][report.outcome] += 1

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        module = module_of(nodeid)
        self._left[module] -= 1
        seen = self._outcomes[module]
        if self._left[module] or seen["failed"] or not seen["passed"]:
            return
        part = {
            "image": self._image,
            "module": module,
            "tests": tests_key(module),
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
        for module in sorted(set(self._all) - {str(part["module"]) for part in parts}):
            terminalreporter.line(f"not yet: {module}")
        terminalreporter.line(f"in all {len(parts)} modules, {tests} tests passed, {seconds} s")

    def _passed(self) -> list[dict[str, str | int]]:
        """Return the lines of this image and these tests; one that was cut off with the machine is none."""
        found = []
        for line in self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else ():
            with suppress(ValueError):
                found.append(json.loads(line))
        ours = [part for part in found if part["image"] == self._image]
        return [part for part in ours if part.get("tests") == tests_key(str(part["module"]))]


def tests_key(module: str) -> str:
    """Return what changes with a module of tests, and with those of tests/appliance and tests/kernel that help."""
    root = Path(__file__).resolve().parents[2]
    beside = [*root.glob("tests/appliance/*.py"), *root.glob("tests/kernel/*.py")]
    leaned_on = [file for file in beside if not file.name.startswith("test_")]
    files = sorted({root / module, *leaned_on} - {Path(__file__)})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:16]


def module_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]
