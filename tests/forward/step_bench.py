"""A procedure step server that answers what a test wants, and the parts that speak to it."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pydicom

from gateway.config.settings import Source
from gateway.errors import DeliveryError
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.making.procedure_steps import ProcedureSteps, Settled
from gateway.forward.making.release import Release
from gateway.forward.sending.step_sender import StepSender
from gateway.model import MessageKind, Patient
from gateway.net.procedure_step import StepAnswer, Took
from gateway.spool.spool import Spool
from tests.forward.bench import STATION, wrap_all

OTHER = Patient(name="Zweite^Zoe", id="OTHER-1")
EXPLICIT = "1.2.840.10008.1.2.1"
Say = Callable[[str, str, bool], StepAnswer]  # kind, step, sent before


@dataclass
class Told:
    """One message as the server got it."""

    kind: str
    step: str
    data_set: pydicom.Dataset
    raw: bytes = field(repr=False)
    sent_before: bool = False


def takes(kind: str, step: str, sent_before: bool) -> StepAnswer:  # noqa: FBT001 - as Say
    del kind, step, sent_before
    return StepAnswer(took=Took.NOW, status="0000")


def answers(**by_kind: object) -> Callable[[str, str, bool], StepAnswer]:
    """Answer each kind with its list, then take everything."""
    left = {kind: list(said) for kind, said in by_kind.items()}  # type: ignore[call-overload]

    def say(kind: str, step: str, sent_before: bool) -> StepAnswer:  # noqa: FBT001 - as Say
        del step, sent_before
        answer = left[kind].pop(0) if left.get(kind) else StepAnswer(took=Took.NOW, status="0000")
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, StepAnswer)
        return answer

    return say


def failure(kind: type[DeliveryError], code: str, status: str = "") -> DeliveryError:
    error = kind("no", code=code)
    error.status = status
    return error


class Server:
    """Stands where an association would; `say` returns an answer or raises."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.say: Say = takes
        self.away: DeliveryError | None = None
        self.calls = 0
        self.usable = True

    def connect(self) -> AbstractContextManager["Server"]:
        @contextmanager
        def link() -> Iterator[Server]:
            self.calls += 1
            if self.away:
                raise self.away
            yield self

        return link()

    def create(self, step: str, attributes: Mapping[str, bytes], *, sent_before: bool) -> StepAnswer:
        return self._hear("create", step, attributes, sent_before)

    def set(self, step: str, modifications: Mapping[str, bytes], *, sent_before: bool) -> StepAnswer:
        return self._hear("set", step, modifications, sent_before)

    def _hear(self, kind: str, step: str, said: Mapping[str, bytes], sent_before: bool) -> StepAnswer:  # noqa: FBT001 - inside
        raw = said[EXPLICIT]
        data_set = pydicom.dcmread(io.BytesIO(raw), force=True)
        self.told.append(Told(kind=kind, step=step, data_set=data_set, raw=raw, sent_before=sent_before))
        return self.say(kind, step, sent_before)

    @property
    def words(self) -> list[tuple[str, str]]:
        """What was said, in order: kind and status."""
        return [(each.kind, each.data_set.PerformedProcedureStepStatus) for each in self.told]


def planner(spool: Spool, *servers: str, temporary: str = "hold", settled: Settled | None = None) -> ProcedureSteps:
    return ProcedureSteps(
        spool=spool,
        servers=servers or ("ris",),
        station=STATION,
        sources=[Source(name="us", modality="US")],
        temporary=temporary,
        settled=settled or Fallbacks(spool=spool, station=STATION, destinations=()).settled,
    )


def teller(spool: Spool, server: Server, name: str = "ris") -> StepSender:
    return StepSender(spool=spool, server=name, connect=server.connect)  # type: ignore[arg-type]  # stands in for it


def tell(spool: Spool, server: Server, times: int = 10, *, name: str = "ris") -> None:
    """Let the messages leave for one server."""
    part = teller(spool, server, name)
    for _ in range(times):
        part.step()


def forward_works(spool: Spool, *servers: str, temporary: str = "hold") -> None:
    """Let everything happen that forward does on its own, as its thread does it."""
    steps = planner(spool, *servers, temporary=temporary)
    release = Release(spool=spool, temporary=temporary, announce=steps.announce)
    for _ in range(5):
        steps.step()
        release.step()
        wrap_all(spool)


def kinds(spool: Spool, exam: str) -> list[tuple[str, str]]:
    """Return each message's kind and state."""
    return [(str(m.kind), str(m.state)) for m in spool.steps.of_exam(exam)]


def create_file(spool: Spool, exam: str, step: str) -> pydicom.Dataset:
    return pydicom.dcmread(spool.steps.path(exam, step, MessageKind.CREATE))
