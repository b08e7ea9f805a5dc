"""rsyslog as the audit repository: TLS only, callers must show a certificate of its authority."""

import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.certificates import Authority, Identity
from tests.loopback.peers.process import Server, free_port

_PATIENCE_S = 15.0
# RFC 5424 6: HEADER SP STRUCTURED-DATA SP MSG
_MESSAGE = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<when>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<process>[!-~]{1,128}) "
    r'(?P<id>[!-~]{1,32}) \[meta sequenceId="(?P<number>\d+)"\] \ufeff(?P<text><\?xml .*)'
)


@dataclass(frozen=True)
class Received:
    """One message, taken apart."""

    priority: int
    when: datetime
    host: str
    kind: str
    number: int
    text: str


class Rsyslog(Server):
    """Writes what it takes into a file, a message a line. Started again it has the same port and what it had."""

    def __init__(self, folder: Path, *, authority: Authority, shown: Identity, address: str = "127.0.0.1") -> None:
        self.port = free_port()
        super().__init__(folder=folder, ports=(self.port,))
        self.authority = authority
        self._shown = shown
        self._address = address
        self._out = folder / "messages"

    def command(self) -> list[str]:
        configuration = self.folder / "rsyslog.conf"
        configuration.write_text(
            f"""
            global(workDirectory="{self.folder}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
                   defaultNetstreamDriverCAFile="{self.authority.ca}"
                   defaultNetstreamDriverCertFile="{self._shown.certificate}"
                   defaultNetstreamDriverKeyFile="{self._shown.key}")
            module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"
                   streamDriver.authMode="x509/certvalid")
            template(name="whole" type="string" string="%rawmsg%\\n")
            input(type="imtcp" port="{self.port}" address="{self._address}" ruleset="audit")
            ruleset(name="audit") {{ action(type="omfile" file="{self._out}" template="whole") }}
            """,
            encoding="utf-8",
        )
        return ["/usr/sbin/rsyslogd", "-n", "-f", str(configuration), "-i", str(self.folder / "pid")]

    def after(self, count: int) -> list[Received]:
        """Return what it wrote down, once that are so many: it takes messages before it writes them."""
        until = time.monotonic() + _PATIENCE_S
        while len(self.received) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.received

    @property
    def received(self) -> list[Received]:
        """What it wrote down, in order. Raises AssertionError for what is no message of RFC 5424."""
        if not self._out.exists():
            return []
        return [_taken_apart(line) for line in self._out.read_text("utf-8").split("\n")[:-1]]


def _taken_apart(line: str) -> Received:
    found = _MESSAGE.fullmatch(line)
    assert found, line
    return Received(
        priority=int(found["priority"]),
        when=datetime.fromisoformat(found["when"]),
        host=found["host"],
        kind=found["id"],
        number=int(found["number"]),
        text=found["text"],
    )
