"""The words of the product as values: patients, worklist items, exams, captures, objects, deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.clock import Moment


class ExamState(StrEnum):
    OPEN = "open"
    FINISHED = "finished"
    RELEASED = "released"
    DISCONTINUED = "discontinued"


class CaptureState(StrEnum):
    RECORDING = "recording"
    SAVED = "saved"
    REJECTED = "rejected"


class DeliveryState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    COMMITTED = "committed"
    HELD = "held"


UNSETTLED = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD)  # what did not leave


class StepState(StrEnum):
    """What became of a performed procedure step."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    DISCONTINUED = "discontinued"


class MessageKind(StrEnum):
    CREATE = "create"
    SET = "set"


class MessageState(StrEnum):
    """Where the message about a procedure step is on its way to a server."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    HELD = "held"
    WITHDRAWN = "withdrawn"


UNTOLD = (MessageState.QUEUED, MessageState.SENDING, MessageState.HELD)  # what a server was not told


class RequestState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class CommitmentState(StrEnum):
    ASKED = "asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REPORTED = "reported"


class Identity(StrEnum):
    """Where an exam's patient comes from."""

    WORKLIST = "worklist"
    TYPED = "typed"
    TEMPORARY = "temporary"


KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"  # Key Object Selection Document Storage
WRONG_ENTRY = "110514"  # CID 9300: the incorrect worklist entry was selected


class PleaseCheck(StrEnum):
    """Why a person must look at an exam's patient before its pictures leave."""

    CLOSED_BY_NEXT = "closed-by-next"  # another patient was chosen while it was open
    IDLE = "idle"  # nobody worked on it for long while it was open
    REBOOT = "reboot"  # the box restarted while it was open
    STUDY_SHARED = "study-shared"  # the server gave its Study UID to another patient as well
    WRONG_ENTRY = "incorrect-worklist-entry"  # it was discontinued because of that: its patient is another one


class MediaKind(StrEnum):
    STILL = "still"
    CLIP = "clip"


class Side(StrEnum):
    """Of which side of the body a picture is: the values of Image Laterality (PS3.3 C.7.6.1)."""

    NOT_SAID = ""
    RIGHT = "R"
    LEFT = "L"
    BOTH = "B"
    UNPAIRED = "U"  # of the middle, of no side


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """As DICOM writes it: name with `^` and `=`, dates YYYYMMDD, sex M, F, O or empty."""

    name: str
    id: str
    issuer: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Procedure:
    """What was ordered, for people to read; objects copy the order's own bytes."""

    description: str = ""
    accession_number: str = ""
    requested_procedure_id: str = ""
    step_id: str = ""
    modality: str = ""
    scheduled_at: str = ""  # local date and time as the server wrote them, "YYYYMMDDHHMMSS" or shorter
    referring_physician: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorklistItem:
    """One scheduled procedure step of one worklist server.

    `id` is stable across refreshes: a digest of server, Study UID or accession, requested procedure and step.
    `answer` is a DICOM file (PS3.10) around the identifier's bytes exactly as received: the order.dcm to be.
    """

    id: str
    server: str
    patient: Patient
    procedure: Procedure
    study_instance_uid: str  # "" when the server sent none
    character_set: str  # SpecificCharacterSet as text, backslash-separated; "" = default repertoire
    missing: tuple[str, ...] = ()  # keywords of type 1 elements that the server left out
    answer: bytes = field(default=b"", repr=False, metadata={"apart": True})  # stored beside its record


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestStamp:
    """A caller's request id and a digest of what it asked, so that a repeated call finds its first answer."""

    id: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One series of an exam: one per source and SOP class family, numbered in order of first capture."""

    source: str
    family: str  # of SOP classes: "still", "clip", "key-still"; "ultrasound-still" and so on
    number: int
    series_instance_uid: str
    step: str = ""  # UID of the performed procedure step that it is of; "" in exams of release 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One performed procedure step of an exam (PS3.4 F.7). It is announced only where a server is configured.

    Its captures are those with an InstanceNumber above `above`, up to where the next step begins.
    """

    sop_instance_uid: str
    id: str  # PerformedProcedureStepID
    started: Moment
    above: int = 0
    ended: Moment | None = None
    state: StepState = StepState.IN_PROGRESS
    reason: str = ""  # CID 9300 code value when it was discontinued
    servers: tuple[str, ...] = ()  # to whom it is announced


@dataclass(frozen=True, kw_only=True, slots=True)
class FurtherOrder:
    """One more worklist entry that an exam is for, beside the one it is named after."""

    file: str  # name of the order file in the exam's folder
    worklist_item: str
    procedure: Procedure
    character_set: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyDocument:
    """One list of key images: what it names and for whom it is, decided before it is made."""

    sop_instance_uid: str
    number: int  # InstanceNumber: which list of this exam it is
    made: Moment
    pictures: tuple[str, ...]  # SOP Instance UIDs of the objects that it names, in the order of the presses
    destinations: tuple[str, ...]  # names of those that got these very objects
    step: str = ""  # UID of the procedure step that its series is of
    part_of: str = ""  # UID of the list of all key images, when this one is for archives that got fewer or others


@dataclass(frozen=True, kw_only=True, slots=True)
class Exam:
    """The content of exam.json: who, what, when, in which state. `revision` only grows."""

    id: str
    revision: int
    state: ExamState
    identity: Identity
    patient: Patient
    procedure: Procedure
    study_instance_uid: str
    study_key: str  # under which a missing Study UID was generated; "" when the server sent it
    study_id: str
    server: str  # name of the worklist server; "" when none
    character_set: str
    opened: Moment
    worklist_item: str = ""  # id of the item it was opened with
    order: str = ""  # name of the order file in the exam's folder; "" when there is none
    timezone_minutes: int = 0  # TimezoneOffsetFromUTC of every object, fixed when the exam opened
    confirmed: Moment | None = None  # when a person last said whose exam this is, after its opening
    ended: Moment | None = None
    released: Moment | None = None
    please_check: str = ""  # why a person must confirm the patient, a PleaseCheck; "" = no
    discontinued: str = ""  # CID 9300 code value; "" = completed
    series: tuple[Series, ...] = ()
    keep: bool = False  # a person wants its pictures to stay on this box
    request: RequestStamp | None = None
    reopened: Moment | None = None  # when it was last opened again
    further: tuple[FurtherOrder, ...] = ()  # of a grouped exam: the orders after the first
    side: Side = Side.NOT_SAID  # of what is taken from now on
    steps: tuple[Step, ...] = ()  # in order; none in exams of release 0.1
    operator: str = ""  # who said that they did it, a PN; "" = nobody said
    numbered: int = 0  # up to which InstanceNumbers were given to pictures that somebody moves here
    key_documents: tuple[KeyDocument, ...] = ()  # in the order in which they were decided on

    @property
    def begun(self) -> Moment:
        """From when on pictures may enter it."""
        return self.reopened or self.opened

    @property
    def accession_number(self) -> str:
        """The one that all of its orders have, else none: a study cannot have several (PS3.17 J.4.1)."""
        numbers = {self.procedure.accession_number, *(each.procedure.accession_number for each in self.further)}
        return numbers.pop() if len(numbers) == 1 else ""

    def step_of(self, instance_number: int) -> Step | None:
        """Return the performed procedure step that this picture belongs to."""
        return next((step for step in reversed(self.steps) if step.above < instance_number), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """The content of a sidecar: one still, or one part of a clip. Never rewritten."""

    sop_instance_uid: str
    exam: str
    kind: MediaKind
    source: str
    instance_number: int
    media: str  # file name inside the exam's folder
    codec: str  # "jpeg-lossless", "jpeg-ls", "jpeg" or "uncompressed": then its bytes are pixels, row by row
    rows: int
    columns: int
    samples: int  # 1 grey, 3 colour
    frames: int
    frame_times: tuple[int, ...] = field(repr=False)  # CLOCK_BOOTTIME ns, one a frame
    sequence: int  # of the (first) frame
    bytes: int  # codestream bytes
    sha256: str  # of the codestream bytes, a clip's concatenated
    taken: Moment  # the (first) frame's kernel time
    pressed: Moment
    patient: Patient  # evidence of what the screen said; the exam's current patient counts
    equipment: "Equipment"
    lossy_ratio: float = 0  # uncompressed bytes / those of its lossy form, also of one before; 0 = none
    lossy_before: float = 0  # likewise of a device's own JPEG that was changed and compressed anew; 0 = none
    pixel_aspect: str = ""  # of pixels that are no squares: their height and width, as PixelAspectRatio has it
    lost_frames: int = 0
    salvaged: bool = False
    clip_as: str = ""  # "h264": what its object is to be; "jpeg" and "" (release 0.1): as it is
    side: Side = Side.NOT_SAID  # at its press; what a person said later stands beside it (gateway.spool.sides)
    request: RequestStamp | None = None
    state: CaptureState = CaptureState.SAVED


@dataclass(frozen=True, kw_only=True, slots=True)
class Equipment:
    """The imaging device behind a source, as configured when the capture was taken."""

    modality: str
    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    station_name: str = ""
    institution: str = ""
    department: str = ""
    digital: bool = True  # HDMI, SDI, USB; False = composite, S-Video
    object: str = "secondary-capture"  # the family of SOP classes that its captures become
    body_part: str = ""  # a word of gateway.config.body_parts; "" = not known


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedObject:
    """A DICOM file that never changes again."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    exam: str
    capture: str
    bytes: int
    sha256: str
    lossy: bool
    frames: int
    sealed: Moment
    decoded: bool = False  # lossy once, but sealed without further loss since
    derived_from: str = ""  # UID of the object it was made of; "" = of its capture itself
    destinations: tuple[str, ...] = ()  # of a list of key images: for whom it was made

    @property
    def may_go_uncompressed(self) -> bool:
        """Say whether the lossless ladder applies: what decoding a lossy codestream gains, the archive can do."""
        return self.decoded or not self.lossy


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One object on its way to one destination."""

    id: int
    sop_instance_uid: str
    exam: str
    destination: str
    state: DeliveryState
    proof: str = ""  # "commitment" or "query" once committed
    attempts: int = 0
    next_attempt_ns: int = 0  # UTC, ns since 1970; 0 = now
    reason: str = ""  # for people
    code: str = ""  # stable
    status: str = ""  # the last DIMSE status as four hex digits, or "HTTP 409"
    changed_ns: int = 0  # UTC, ns since 1970
    in_doubt: bool = False  # a transfer began whose outcome nobody knows: the destination may have it
    setbacks: int = 0  # how often a transfer of it broke or was refused: what never was goes first


@dataclass(frozen=True, kw_only=True, slots=True)
class StepMessage:
    """One message about a procedure step on its way to one server."""

    id: int
    exam: str
    step: str  # UID
    server: str
    kind: MessageKind
    state: MessageState
    attempts: int = 0
    next_attempt_ns: int = 0  # UTC, ns since 1970; 0 = now
    reason: str = ""  # for people
    code: str = ""  # stable
    status: str = ""  # the last DIMSE status as four hex digits
    in_doubt: bool = False  # it left once and nobody knows what became of it
    changed_ns: int = 0  # UTC, ns since 1970


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentReport:
    """What an archive says of one storage commitment request: each SOP Instance UID it names, once."""

    transaction_uid: str
    stored: tuple[str, ...] = ()
    failed: Mapping[str, int] = field(default_factory=dict)  # SOP Instance UID -> FailureReason
