"""Executes trials: reads what was asked about as the configuration would, asks the other system, says line by line.

Nothing is kept of it, and nothing is changed: neither here nor there.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from gateway.config import dicom, reader, values
from gateway.config.settings import Address, AuditRepository, Destination, ProcedureStep, Worklist
from gateway.errors import BadValue, ConfigurationError
from gateway.forward.trying import worklists
from gateway.forward.trying.archives import ArchiveTrial
from gateway.log import event
from gateway.messages import N_
from gateway.net import syslog
from gateway.net.echo import EchoAnswer, echo
from gateway.net.peers import Timeouts
from gateway.spool.processes import trials
from gateway.spool.processes.requests import Request
from gateway.spool.processes.trials import Line
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_ECHO_S = 8.0
_TITLE = dicom.ae_title()


class Trials:
    """The requests of kind `trial`. `archives`: how an archive is tried.

    `our_ae`, `listen`: as whom and where this box is known now; a request may have others, which are kept already.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        our_ae: str,
        listen: Address,
        archives: ArchiveTrial,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._spool = spool
        self._our_ae = our_ae
        self._listen = listen
        self._archives = archives
        self._timeouts = timeouts

    def step(self) -> bool:
        """Execute one trial, if there is one; say whether there was. Raises SpoolError."""
        request = self._spool.requests.begin(trials.REQUEST)
        if request is None:
            return False
        found: list[Line] = []
        try:
            for line in self._tried(request):
                found.append(line)
                self._spool.requests.progress(request, {"lines": [each.to_json() for each in found]})
        except BadValue as error:
            self._spool.requests.failed(request, error)
            return True
        self._spool.requests.done(request, {"lines": [each.to_json() for each in found]})
        event(
            _log, "tried", table=str(request.arguments.get("table")), ok=all(each.ok is not False for each in found)
        )
        return True

    def _tried(self, request: Request) -> Iterator[Line]:
        made, ours = _made(request), self._ours(request)
        if isinstance(made, Worklist):
            today = self._spool.clock.now().local.date()
            yield from worklists.tried(made, our_ae=ours, today=today, timeouts=self._timeouts)
        elif isinstance(made, Destination):
            yield from self._archives.tried(made, self._where(request), our_ae=ours)
        elif isinstance(made, AuditRepository):
            answer = syslog.knock(syslog.repository(made), deadline_s=_ECHO_S)
            yield _said(answer, N_("It lets this box in. No audit message went out."))
        else:
            yield self._step_server(made, ours)

    def _step_server(self, server: ProcedureStep, ours: str) -> Line:
        answer = echo(
            server.host,
            server.port,
            server.ae_title,
            ours,
            kind="procedure step server",
            name=server.name,
            deadline_s=_ECHO_S,
            tls=server.tls,
        )
        return _said(answer, N_("It answers."))

    def _ours(self, request: Request) -> str:
        """Return the title by which this box is going to be known."""
        try:
            return str(_TITLE(request.arguments.get("ae_title") or self._our_ae))
        except values.Wrong as error:
            raise BadValue(f"This is no AE title: {error}.") from None

    def _where(self, request: Request) -> Address:
        """Return where the box would listen with what was asked about: not yet where it does, perhaps."""
        wanted = request.arguments.get("listen")
        try:
            return values.address(wanted) if wanted else self._listen
        except values.Wrong as error:
            raise BadValue(f"This is no address: {error}.") from None


def _said(answer: EchoAnswer, good: str) -> Line:
    if answer.ok:
        return Line(part="answers", ok=True, what=good)
    return Line(part="answers", ok=False, what=answer.what, action=answer.action, code=answer.code)


def _made(request: Request) -> Worklist | ProcedureStep | Destination | AuditRepository:
    """Return what a request is about. Raises BadValue."""
    table, raw = request.arguments.get("table"), request.arguments.get("values")
    if table not in trials.TABLES or not isinstance(raw, dict):
        raise BadValue(trials.NO_OTHER)
    try:
        made = reader.read_element(str(table), raw, base=Path(str(request.arguments.get("base", "/"))))
    except ConfigurationError as error:
        wrong = error.problems[0]
        raise BadValue(f"This cannot be used: {wrong.key} {wrong.reason}.") from None
    assert isinstance(made, Worklist | ProcedureStep | Destination | AuditRepository)
    return made
