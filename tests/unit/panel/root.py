"""What obeys the panel on a real box: takes a request away and says how it went (gateway/machine)."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path

from gateway.clock import Clock


class Root:
    """Answers requests of one `subject`. `usual`: what is said of it beside the `answer`."""

    def __init__(self, subject: str, *, requests: Path, says: Path, usual: Mapping[str, object]) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: dict[str, object] = {}
        self._subject = subject
        self._request = requests / subject
        self._says = says
        self._usual = usual
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        says.mkdir(exist_ok=True)
        self._thread.start()

    def say(self, **said: object) -> None:
        self.tell(self._subject, {**self._usual, **said})

    def tell(self, subject: str, said: Mapping[str, object]) -> None:
        part = self._says / f"{subject}.part"
        part.write_text(json.dumps(said))
        part.replace(self._says / f"{subject}.json")

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not Clock().wait(self._end, 0.01):
            if self._request.exists():
                self.asked.append(json.loads(self._request.read_bytes()))
                self._request.unlink()
                self.say(**{**self.answer, "number": self.asked[-1]["number"]})
