"""N-CREATE and N-SET whose attribute list goes out as it is; pynetdicom's own calls would write it anew."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import cast

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_CREATE, N_SET


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What an N-CREATE or N-SET says. `data`: its attribute list, encoded in that transfer syntax."""

    number: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data: bytes


Send = Callable[[Association, Message], tuple[int, int] | None]
"""Sends a message; returns status and Error ID (0 = none), or None when no answer came."""


def n_create(association: Association, message: Message) -> tuple[int, int] | None:
    """Announce a step."""
    request = N_CREATE()
    request.AffectedSOPClassUID = UID(message.sop_class_uid)
    request.AffectedSOPInstanceUID = UID(message.sop_instance_uid)
    request.AttributeList = BytesIO(message.data)
    return _asked(association, request, message)


def n_set(association: Association, message: Message) -> tuple[int, int] | None:
    """Change a step."""
    request = N_SET()
    request.RequestedSOPClassUID = UID(message.sop_class_uid)
    request.RequestedSOPInstanceUID = UID(message.sop_instance_uid)
    request.ModificationList = BytesIO(message.data)
    return _asked(association, request, message)


def _asked(association: Association, request: N_CREATE | N_SET, message: Message) -> tuple[int, int] | None:
    """Send a request and wait for its answer. The reactor need not rest meanwhile: it takes no answers here."""
    request.MessageID = message.number
    wanted = (message.sop_class_uid, message.transfer_syntax_uid)
    accepted = association.accepted_contexts
    context = next(c for c in accepted if (str(c.abstract_syntax), str(c.transfer_syntax[0])) == wanted)
    association.dimse.send_msg(request, cast("int", context.context_id))
    _, answer = association.dimse.get_msg(block=True)
    if not isinstance(answer, (N_CREATE, N_SET)) or not answer.is_valid_response:
        return None
    return int(answer.Status or 0), int(getattr(answer, "ErrorID", None) or 0)
