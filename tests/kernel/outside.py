"""Two ends of one test run: inside the virtual machine tests run and report, outside their reports are told as if
they had run there. A test that says nothing, or a machine that is no good, is a failure like any other.
"""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from _pytest.reports import TestReport

from tests.kernel.machine import PRODUCT, Machine, MachineFailed

FOLDER = Path(__file__).resolve().parent
SILENCE_S = 600  # within which every test must report
_REPORT = "SCOPEGATE_REPORT"


def is_inside() -> bool:
    return _REPORT in os.environ


def is_ours(item: pytest.Item) -> bool:
    return FOLDER in item.path.parents


class Inside:
    """Passes every report on."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._out = os.fdopen(int(os.environ[_REPORT]), "w", buffering=1)

    def pytest_runtest_logreport(self, report: TestReport) -> None:
        told = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._out.write(json.dumps(told, default=str) + "\n")


class Outside:
    """Has the tests of this folder run in the machine, which is booted for the first of them."""

    def __init__(self, config: pytest.Config, made: AbstractContextManager[Machine]) -> None:
        self._config = config
        self._machine = made
        self._stack = ExitStack()
        self._answers: Iterator[dict[str, Any]] | None = None
        self._early: dict[str, list[TestReport]] = {}
        self._end = ""  # why there are no reports any more

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not is_ours(item):
            return None
        if self._answers is None and not self._end:
            self._boot([each.nodeid for each in item.session.items if is_ours(each)])
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        self._stack.close()

    def _boot(self, names: list[str]) -> None:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        assert capture
        with capture.global_and_fixture_disabled():
            try:
                made = self._stack.enter_context(self._machine)
            except MachineFailed as error:
                self._end = str(error)
                return
        words = [
            "-p",
            "no:cacheprovider",
            "-q",
            "--basetemp=/var/tmp/tests",
            "-o",
            f"faulthandler_timeout={SILENCE_S - 60}",
            *names,
        ]
        self._answers = made.run(
            [f"{PRODUCT}/.venv/bin/python", "-m", "pytest", *words],
            silence_s=SILENCE_S,
            folder=PRODUCT,
            environment={"PYTHONPATH": "/srv/pytest", "PATH": f"{PRODUCT}/.venv/bin:{os.defpath}:/usr/sbin:/sbin"},
        )

    def _reports(self, item: pytest.Item) -> Iterator[TestReport]:
        """Yield the reports of one test, the last of them that of its teardown."""
        while True:
            for report in self._early.pop(item.nodeid, []):
                yield report
                if report.when == "teardown":
                    return
            if self._end or not self._take():
                yield self._failure(item)
                return

    def _take(self) -> bool:
        """Take one more report; False when there are none any more."""
        assert self._answers is not None
        try:
            answer = next(self._answers)
        except MachineFailed as error:
            self._end = str(error)
            return False
        if "exit" in answer:
            self._end = f"the tests in the machine ended with {answer['exit']}:\n{answer['output'][-6000:]}"
            return False
        report = self._config.hook.pytest_report_from_serializable(config=self._config, data=answer["report"])
        if isinstance(report.longrepr, list):  # of a skip; JSON knows no tuples
            report.longrepr = tuple(report.longrepr)
        self._early.setdefault(report.nodeid, []).append(report)
        return True

    def _failure(self, item: pytest.Item) -> TestReport:
        why, self._end = self._end, self._end.splitlines()[0]  # the whole story once
        return TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="failed",
            longrepr=f"no report came of this test: {why}",
            when="call",
        )
