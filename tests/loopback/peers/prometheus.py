"""Debian's Prometheus, which scrapes a box and judges the product's own alert rules."""

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from tests.box import until
from tests.loopback.peers.process import free_port

RULES = Path(__file__).resolve().parents[3] / "docs" / "prometheus" / "scopegate.rules.yml"
_SCRAPE = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: scopegate
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """One server; `rules` is the text of its rules."""

    def __init__(self, folder: Path, *, target: str, rules: str) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        (folder / "rules.yml").write_text(rules, encoding="utf-8")
        text = _SCRAPE.format(rules=folder / "rules.yml", target=target)
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until("Prometheus to be ready", self._is_ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def value(self, question: str) -> float | None:
        """Return the first value that answers a question in PromQL, None when there is none."""
        found = self._get(f"query?query={quote(question)}")["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {each["labels"]["alertname"] for each in self._get("alerts")["alerts"] if each["state"] == "firing"}

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)["data"]
        return found

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text(encoding="utf-8")[-2000:]
        try:
            return "alerts" in self._get("alerts")
        except (OSError, urllib.error.URLError):
            return False
