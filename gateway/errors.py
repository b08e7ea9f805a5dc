"""Every error of the product: what happened, is the work safe, what to do, a stable code.

ScopegateError
├── ConfigurationError
├── SettingsReadOnly
├── SpoolError
│   ├── DiskFull, DiskFailed, SpoolBusy, SpoolLocked, SpoolDamaged
│   └── NotFound
├── Refused                      the present state does not allow this; nothing was changed
│   ├── ExamOpen, ExamChanged, NoExam, ExamEnded, ClipRecording, NotSealed, Purged, WrongState
│   ├── RequestReused, BadValue (NoSettingsFile), SettingsWrong, SettingsMoved, SettingsForeign, NothingBefore
│   └── FrameGone, Busy, TooHot, NoSignal, CaptureGone (CaptureSilent), NotTried
├── ListenerFailed
├── WorklistError
├── ObjectError                  a capture that cannot become a DICOM object as things are
│   └── TextDoesNotFit, CodestreamBroken
└── DeliveryError
    ├── TryLater                 the same object may be taken later
    │   └── MediaError           a stick or a folder that is written to
    │       └── MediaAbsent, MediaBusy, MediaFull, MediaReadOnly, MediaGone, MediaForeign, MediaDamaged
    ├── NeedsConfiguration       nothing will be taken until somebody changes a setting, here or there
    └── NeverAccepted            this object will not be taken as it is; others may
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ScopegateError(Exception):
    """The root. `what` is for people; it never contains patient data."""

    code: ClassVar[str] = "internal"
    safe: ClassVar[str] = ""
    action: ClassVar[str] = "Try again; if it happens again, call service."

    def __init__(self, what: str = "", *, code: str = "", safe: str = "", action: str = "") -> None:
        self.what = what or (type(self).__doc__ or "").splitlines()[0]
        if code:
            self.code = code  # type: ignore[misc]  # a finer code of the same kind
        if safe:
            self.safe = safe  # type: ignore[misc]  # what is meant is not what this kind mostly means
        if action:
            self.action = action  # type: ignore[misc]  # better advice than the kind's
        super().__init__(f"{self.what} [{self.code}]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake in a configuration file. `line` counts from 1; 0 when the file has no such line.

    `place` are the steps to it: ("destination", 0, "host"); () when it is about the file as a whole.
    """

    line: int
    key: str
    reason: str
    place: tuple[str | int, ...] = ()


class ConfigurationError(ScopegateError):
    """The configuration was refused as a whole."""

    code = "configuration"
    safe = "Nothing was started."
    action = "Correct the lines named here and try again."

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        lines = [f"{file}:{p.line}: {p.key}: {p.reason}" for p in problems]
        super().__init__("\n".join(lines))


class SettingsReadOnly(ScopegateError):
    """The configuration can be seen here and not changed: the panel may not write the file."""

    code = "settings-read-only"
    safe = "Nothing was changed."
    action = "IT: change the file itself, or let the group scopegate write its folder (docs/it.md)."


# --- the spool -------------------------------------------------------------------------------------------


class SpoolError(ScopegateError):
    """The box's own storage failed."""

    code = "spool"
    safe = "What was acknowledged before is on the disk."


class DiskFull(SpoolError):
    """The box is full: this was NOT stored."""

    code = "disk-full"
    safe = "Pictures stored before are safe on this box."
    action = "Finish the exam and call IT: the disk of the box needs room."


class DiskFailed(SpoolError):
    """The box's disk cannot be written: this was NOT stored."""

    code = "disk-failed"
    safe = "Pictures stored before may still be readable; do not switch the box off and on again."
    action = "Call service."


class SpoolBusy(SpoolError):
    """The box's index could not be written in time."""

    code = "spool-busy"
    action = "Try again in a few seconds."


class SpoolLocked(SpoolError):
    """Another process holds this role."""

    code = "spool-locked"
    action = "Stop the other process first."


class SpoolDamaged(SpoolError):
    """A file of the spool does not match its record."""

    code = "spool-damaged"
    action = "Call service; change nothing in the data folder."


class NotFound(SpoolError):
    """There is no such exam, capture or delivery."""

    code = "not-found"
    safe = ""
    action = "Go back to the list."


# --- refusals --------------------------------------------------------------------------------------------


class Refused(ScopegateError):
    """The present state does not allow this; nothing was changed."""

    code = "refused"
    safe = "Nothing was changed."


class ExamOpen(Refused):
    """Another exam is still open."""

    code = "exam-open"
    action = "Finish the open exam first, or ask to close it."


class ExamChanged(Refused):
    """The picture was NOT stored: another exam is open now."""

    code = "exam-changed"
    action = "Check the patient on the screen, then capture again."


class NoExam(Refused):
    """The picture was NOT stored: no patient is chosen."""

    code = "no-exam"
    action = "Choose a patient or start without patient, then capture again."


class ExamEnded(Refused):
    """This exam has ended."""

    code = "exam-ended"
    action = "Open an exam for further pictures."


class ClipRecording(Refused):
    """A clip is being recorded, or is still being stored."""

    code = "clip-recording"
    action = "Stop the clip first, or wait until it is stored."


class NotSealed(Refused):
    """The DICOM object of this capture has not been made yet."""

    code = "not-sealed"
    action = "It is made when the exam is finished and its patient is confirmed."


class Purged(Refused):
    """The box let its copy of this picture go."""

    code = "purged"
    action = "Look at it in the PACS."


class WrongState(Refused):
    """This cannot be done any more, or not yet."""

    code = "wrong-state"
    action = "Look at the present state: reload the page, or list it again."


class RequestReused(Refused):
    """This request id was used for another request."""

    code = "request-reused"
    action = "Use a new request id for a new request."


class BadValue(Refused):
    """A value is missing or not usable."""

    code = "bad-value"
    action = "Correct the value and try again."


class SettingsWrong(Refused):
    """This cannot be used as it is."""

    code = "settings-wrong"
    action = "Correct what is named here, then try again."

    def __init__(
        self, what: str = "", *, problems: Sequence[Problem] = (), code: str = "", action: str = ""
    ) -> None:
        self.problems = problems
        super().__init__(what, code=code, action=action)


class SettingsMoved(Refused):
    """The settings were changed meanwhile."""

    code = "settings-moved"
    action = "Look at them again, then change what is still to be changed."


class SettingsForeign(Refused):
    """This cannot be changed here: the file is written in a way that only a person should edit."""

    code = "settings-foreign"
    action = "IT: change it in the configuration file itself."


class NoSettingsFile(BadValue):
    """This is no file of settings, or it is damaged."""

    code = "no-settings-file"
    action = "Use a file that a box wrote with Export."


class NothingBefore(Refused):
    """There is no earlier state to go back to."""

    code = "nothing-before"
    action = "Change the settings themselves."


class FrameGone(Refused):
    """The picture was NOT stored: that frame is no longer in memory."""

    code = "frame-gone"
    action = "Capture again."


class Busy(Refused):
    """The picture was NOT stored: the box is still storing the previous ones."""

    code = "busy"
    action = "Wait a second, then capture again."


class TooHot(Refused):
    """No clip was started: the box is too hot."""

    code = "too-hot"
    action = "Take pictures; clips work again when it has cooled. Check that its vents are free."


class NoSignal(Refused):
    """The picture was NOT stored: there is no picture from the device."""

    code = "no-signal"
    action = "Check that the device is on and its cable is plugged in."


class NoSignalPicture(NoSignal):
    """The picture was NOT stored: it is the one that the device shows when it has no signal."""

    code = "no-signal-picture"
    action = "Check that the scanner is on and its cable is plugged in. Is it the scanner's own? Store it anyway."


class NotTried(Refused):
    """This device cannot be tried."""

    code = "not-tried"
    action = "Check it, or choose another one."


class ProfileUnfit(NotTried):
    """This profile is for pictures of another size."""

    code = "profile-unfit"
    action = "Choose another profile."


class CaptureGone(Refused):
    """The picture was NOT stored: the recorder is not running."""

    code = "recorder-gone"
    action = "Wait a few seconds until it has started again, then capture again."


class CaptureSilent(CaptureGone):
    """Whether this was stored is not known yet: the recorder does not answer."""

    code = "recorder-silent"
    safe = "If it was stored, it stays and is among the pictures of this exam."
    action = "Look at the pictures of this exam, then capture again what is missing."


# --- the outside -----------------------------------------------------------------------------------------


class MachineFailed(ScopegateError):
    """A program of the system did not do what the settings of the machine need."""

    code = "machine-failed"
    safe = "Pictures are taken and kept all the same."
    action = "Look at More, Settings, This box, Network of this box; if it happens again, call service."


class MachineRequest(Refused):
    """The request for the machine is none that can be done."""

    code = "machine-request"
    action = "Try again on the page."


class CertificateNotMade(ScopegateError):
    """The key or the certificate could not be made."""

    code = "certificate-not-made"
    safe = "What was there is as it was."
    action = "Try again; if it happens again, call service."


class ListenerFailed(ScopegateError):
    """The box cannot listen for other systems."""

    code = "listener"
    safe = "Pictures are stored and sent all the same; archives cannot report to this box."
    action = (
        "Call IT: stop the other program, or change “Address at which archives report”. "
        "It is tried again by itself."
    )


class WorklistError(ScopegateError):
    """The worklist server gave no usable answer."""

    code = "worklist"
    safe = "The last list stays usable; new patients may be missing."
    action = "Type the patient or start without patient; call IT if it lasts."


class ObjectError(ScopegateError):
    """This capture cannot become a DICOM object as things are."""

    code = "object"
    safe = "The picture is on this box."
    action = "Call service."


class TextDoesNotFit(ObjectError):
    """A text does not fit the character set of the data set."""

    code = "text-does-not-fit"
    action = "Correct the text, or call the vendor of the worklist server."


class CodestreamBroken(ObjectError):
    """The compressed picture does not say what its record says."""

    code = "codestream-broken"


class DeliveryError(ScopegateError):
    """The destination did not take this object. `status` is its DIMSE status as four hex digits, or empty."""

    code = "delivery"
    safe = "The picture is on this box."
    status: str = ""  # or "HTTP 409"; with any status it is known that the object was not stored this time
    nothing_left: bool = False  # as sure without an answer: no byte of the object went out
    retry_after_s: float = 0.0  # for how long the destination wants to be left alone; 0: it did not say


class TryLater(DeliveryError):
    """The destination may take it later: refused association, out of resources, timeout."""

    code = "try-later"
    action = "Nothing: it is tried again by itself. Call IT if it lasts."


class MediaError(TryLater):
    """The medium could not be written."""

    code = "media"
    safe = "The pictures are on this box; nothing was changed there. What was on the medium before is still there."
    action = "Use another stick or folder."


class MediaAbsent(MediaError):
    """There is no medium at this place."""

    code = "media-absent"
    safe = "The pictures are on this box."
    action = "Plug in the stick; if it is there, call IT: it is not mounted."


class MediaBusy(MediaError):
    """Something else is being written to this medium."""

    code = "media-busy"
    action = "Wait until that has ended, then try again."


class MediaFull(MediaError):
    """The stick has too little room."""

    code = "media-full"
    action = "Make room on it, or use a larger one."


class MediaReadOnly(MediaError):
    """The stick is write-protected."""

    code = "media-read-only"
    action = "Move the stick's write-protection switch, or use another stick; call IT if that does not help."


class MediaGone(MediaError):
    """The stick was taken away, or fails, while it was being written."""

    code = "media-gone"
    safe = "The pictures are on this box. Do not use what is on the medium before it was written once more."
    action = "Plug it in again and repeat it; if that fails, use another one."


class MediaForeign(MediaError):
    """The medium has a DICOMDIR of another system, or a damaged one; it was left as it is."""

    code = "media-foreign"
    action = "Use an empty stick or folder."


class MediaDamaged(MediaError):
    """What was written to the medium reads back differently."""

    code = "media-damaged"
    safe = "The pictures are on this box. Do not use this medium."
    action = "Use another stick: this one does not keep what it is given."


class NeedsConfiguration(DeliveryError):
    """The destination will take nothing until somebody changes a setting, here or there."""

    code = "needs-configuration"
    action = "Call IT: the settings of the box and of the archive do not match."


class NeverAccepted(DeliveryError):
    """The destination will not take this object as it is: wrong SOP class, bad data set."""

    code = "never-accepted"
    action = "Call IT: the archive refuses this object; sending it again will not help."


def by_code(code: str) -> type[ScopegateError]:
    """Return the error class of that code, for messages between processes."""
    kinds: list[type[ScopegateError]] = [ScopegateError]
    while kinds:
        kind = kinds.pop()
        if kind.code == code and kind is not ConfigurationError:
            return kind
        kinds.extend(kind.__subclasses__())
    return ScopegateError
