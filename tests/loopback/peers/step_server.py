"""A strict procedure step server (PS3.4 F.7.2) that misbehaves on demand: bytes as they came, states, faults."""

import io
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep, Verification

from tests import step_checks
from tests.loopback.peers.faults import _Scp, commented

ABORT, DROP, MUTE, LATE, GARBAGE = "abort", "drop", "mute", "late", "garbage"
_UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")


@dataclass
class Message:
    """One message as it came."""

    kind: str
    step: str
    transfer_syntax_uid: str
    raw: bytes = field(repr=False)
    status: int = -1  # -1: not answered

    @property
    def data_set(self) -> Dataset:
        implicit = self.transfer_syntax_uid == _UNCOMPRESSED[1]
        return pydicom.filereader.read_dataset(io.BytesIO(self.raw), implicit, True)


class StepServer(_Scp):
    """Keeps steps as the standard says. `faults`: what to do with the next messages instead of answering well.

    A fault is a status, or a word: ABORT, DROP, MUTE (never answers), LATE (answers after `late_s`), each once the
    message was understood and kept; with BEFORE_ in front (`before_abort`) without keeping it.
    """

    ae_title = "STEPS"

    def __init__(
        self,
        *,
        syntaxes: tuple[str, ...] = _UNCOMPRESSED,
        late_s: float = 0.3,
        secured: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(secured=secured)
        self.heard: list[Message] = []
        self.states: dict[str, str] = {}
        self.creates: dict[str, Dataset] = {}
        self.problems: list[str] = []
        self.faults: list[int | str] = []
        self.comment = ""  # an ErrorComment with each fault
        self._late_s = late_s
        self._entity.add_supported_context(ModalityPerformedProcedureStep, list(syntaxes))
        self._entity.add_supported_context(Verification, list(_UNCOMPRESSED))

    @property
    def words(self) -> list[tuple[str, int]]:
        return [(message.kind, message.status) for message in self.heard]

    def handlers(self) -> list[Any]:
        return [(evt.EVT_N_CREATE, self._create), (evt.EVT_N_SET, self._set)]

    def _create(self, event: evt.Event) -> tuple[int | Dataset, Dataset | None]:
        message = self._hear(
            "create", event, str(event.request.AffectedSOPInstanceUID), event.request.AttributeList
        )
        return self._answer(event, message, self._created)

    def _set(self, event: evt.Event) -> tuple[int | Dataset, Dataset | None]:
        uid = str(event.request.RequestedSOPInstanceUID)
        return self._answer(event, self._hear("set", event, uid, event.request.ModificationList), self._changed)

    def _hear(self, kind: str, event: evt.Event, step: str, raw: Any) -> Message:
        syntax = str(event.context.transfer_syntax)
        message = Message(kind=kind, step=step, transfer_syntax_uid=syntax, raw=raw.getvalue())
        self.heard.append(message)
        return message

    def _answer(self, event: evt.Event, message: Message, keep: Any) -> tuple[int | Dataset, Dataset | None]:
        fault = self.faults.pop(0) if self.faults else 0
        kept = 0
        if isinstance(fault, str) and not fault.startswith("before_"):
            kept = keep(message)
        word = str(fault).removeprefix("before_")
        if isinstance(fault, int) and fault:
            message.status = fault
            return commented(fault, self.comment) if self.comment else fault, None
        if word == ABORT:
            event.assoc.abort()
        elif word == DROP:
            event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        elif word == MUTE:
            self.gone.wait(3)
        elif word == LATE:
            self.gone.wait(self._late_s)
            message.status = kept
            return kept, None
        else:
            kept = keep(message)
            message.status = kept & 0xFFFF
            if kept == _CLOSED:
                closed = Dataset()
                closed.Status = 0x0110
                closed.ErrorID = 0xA710
                return closed, None
            return kept, None
        return 0, None

    def _created(self, message: Message) -> int:
        if message.step in self.states:
            return 0x0111
        create = message.data_set
        found = step_checks.problems_of_create(create)
        self.problems += found
        if found:
            return 0x0120
        self.creates[message.step] = create
        self.states[message.step] = create.PerformedProcedureStepStatus
        return 0

    def _changed(self, message: Message) -> int:
        if message.step not in self.states:
            return 0x0112
        if self.states[message.step] != "IN PROGRESS":
            return _CLOSED
        change = message.data_set
        found = step_checks.problems_of_set(change, self.creates[message.step])
        self.problems += found
        if found:
            return 0x0106
        self.states[message.step] = change.PerformedProcedureStepStatus
        return 0


_CLOSED = 0x10110  # 0110 with Error ID A710: this step may no longer be updated
