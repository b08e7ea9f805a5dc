"""A DICOM server in JavaScript (dcmjs-dimse): shares no line with pynetdicom, and answers what a test wants."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.loopback.peers.process import Server, free_port

_HERE = Path(__file__).parent / "javascript"


class JavaScriptPeer(Server):
    """Takes objects and procedure steps; `heard` is what it was told, in its own reading."""

    ae_title = "JSPEER"

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        self.port = free_port()
        self._address = address
        self._record = folder / "record.jsonl"
        self._answers = folder / "answers.json"
        super().__init__(folder=folder, ports=(self.port,))

    def command(self) -> list[str]:
        node = shutil.which("node")
        assert node, "nodejs is not installed: scripts/setup.py test"
        self.forget()
        words = self.port, self._record, self._answers, self._address
        return [node, str(_HERE / "server.js"), *map(str, words)]

    def forget(self) -> None:
        """Be as at the beginning: nothing heard, everything taken."""
        self._record.write_text("")
        self.answers()

    def answers(self, **statuses: list[int]) -> None:
        """Give these statuses next, by kind: create, set, store; then 0."""
        self._answers.write_text(json.dumps(statuses))

    @property
    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._record.read_text().splitlines()]
