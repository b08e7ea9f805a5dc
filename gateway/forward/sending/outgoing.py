"""Chooses the form in which a sealed object goes to a destination: lossless changes only, never a damaged file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config.settings import Destination
from gateway.dicom import part10, transcode
from gateway.dicom.objects import CLIPS
from gateway.errors import DeliveryError, NeedsConfiguration, NeverAccepted, SpoolDamaged
from gateway.model import KEY_OBJECTS, SealedObject
from gateway.net.store import Wanted
from gateway.spool.files import sha256_of
from gateway.spool.paths import PURGED
from gateway.spool.queue.deliveries import JPEG_WANTED, KEY_STILLS_WANTED, LET_GO

NO_CONTEXT = "no-context"
# What an answer says of a whole kind of objects, at least in this transfer syntax. "too-large" is none of them:
# shorter clips are taken, and a setting may let this one through. "not-authorized" is about this box.
OF_THE_FORM = frozenset({NO_CONTEXT, "sop-class", "format"})
_UNCOMPRESSED = (part10.EXPLICIT_LE, part10.IMPLICIT_LE)
_FORMS = {  # beside which they may go uncompressed
    part10.JPEG_LOSSLESS_SV1: "JPEG Lossless SV1 (1.2.840.10008.1.2.4.70) or ",
    part10.JPEG_LS: "JPEG-LS Lossless (1.2.840.10008.1.2.4.80) or ",
}
_MADE_INSTEAD = {
    JPEG_WANTED: "It is made of JPEG frames if the archive takes these, and goes so.",
    KEY_STILLS_WANTED: "Stills of it are made and go in its place.",
}
_OR_AS_JPEG = ' Or set fallback = "jpeg": it goes as JPEG frames then, if the archive takes these.'
_MB = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """What is sent: the sealed file itself, or the content of its uncompressed form."""

    source: Path | bytes
    transfer_syntax_uid: str


def wanted(sealed: SealedObject, destination: Destination) -> Wanted:
    """Return what is asked of a destination for an object."""
    return Wanted(
        sop_class_uid=sealed.sop_class_uid,
        transfer_syntax_uid=sealed.transfer_syntax_uid,
        lossy=not sealed.may_go_uncompressed,
        instead=part10.JPEG_BASELINE if _falls_back(sealed, destination) == JPEG_WANTED else "",
    )


def prepare(path: Path, sealed: SealedObject, *, accepted: Sequence[str], destination: Destination) -> Outgoing:
    """Return the form in which the destination takes this object; `accepted`: the syntaxes it takes its class in.

    Raises NeedsConfiguration (`no-context`) when there is none, NeverAccepted (`too-large`, `purged`), SpoolDamaged
    when the file is not the one that was sealed, ObjectError when it cannot be written uncompressed.
    """
    if gone := let_go(path, sealed, destination):
        raise gone
    syntax = sealed.transfer_syntax_uid
    if syntax not in accepted:
        syntax = next((each for each in accepted if each in _UNCOMPRESSED), "")
    if not syntax or (syntax != sealed.transfer_syntax_uid and not sealed.may_go_uncompressed):
        raise no_context(sealed, destination)
    check_size(sealed, destination)
    try:
        _still_sealed(path, sealed)
        if syntax == sealed.transfer_syntax_uid:
            return Outgoing(source=path, transfer_syntax_uid=syntax)
        # One still's pixels: clips of JPEG frames are lossy and never come here.
        return Outgoing(source=b"".join(transcode.uncompressed(path, syntax)), transfer_syntax_uid=syntax)
    except OSError as error:
        if gone := let_go(path, sealed, destination):  # at this very moment
            raise gone from None
        code = "file-missing" if isinstance(error, FileNotFoundError) else "file-unreadable"
        raise SpoolDamaged(f"An object's file cannot be read ({type(error).__name__}).", code=code) from error


def let_go(path: Path, sealed: SealedObject, destination: Destination) -> NeverAccepted | None:
    """Return the error of an object that the box let go: whatever a destination takes, nobody can send it."""
    if path.exists() or not path.with_name(sealed.capture + PURGED).exists():
        return None
    return NeverAccepted(
        f"{destination.name} does not get this: another archive vouched for it, and the box let it go.",
        code=LET_GO,
        action="Send it there from the archive that has it.",
    )


def check_size(sealed: SealedObject, destination: Destination) -> None:
    """Raise NeverAccepted (`too-large`) for an object that is larger than the destination gets."""
    if sealed.bytes > destination.max_object_mb * _MB:
        raise NeverAccepted(
            f"This object has {sealed.bytes // _MB} MB; {destination.name} gets at most "
            f"{destination.max_object_mb} MB.",
            code="too-large",
            action="Raise “Largest object” if the archive takes more, then release it.",
        )


def is_clip(sealed: SealedObject) -> bool:
    """Say whether an object is a clip, of JPEG frames or H.264, whatever their number: never uncompressed."""
    return sealed.sop_class_uid in CLIPS and not sealed.may_go_uncompressed


def of_the_clip(error: DeliveryError, sealed: SealedObject, destination: Destination) -> DeliveryError:
    """Return what to make of an answer: for a clip whose form it refuses, what having no context for it makes."""
    if error.code not in OF_THE_FORM or not _falls_back(sealed, destination):
        return error
    wanted = no_context(sealed, destination)
    wanted.status = error.status
    return wanted


def no_context(sealed: SealedObject, destination: Destination) -> DeliveryError:
    """Return the error of an object that the destination takes in no form, in words that name what to set there."""
    if sealed.sop_class_uid == KEY_OBJECTS:
        return NeedsConfiguration(
            f"The archive {destination.name} does not take lists of key images. The pictures themselves go there.",
            code=NO_CONTEXT,
            action=f"Have it set up for Key Object Selection Documents ({KEY_OBJECTS}); then release it. "
            "Or leave it held: the list stays on this box.",
        )
    is_film = sealed.transfer_syntax_uid == part10.H264
    if code := _falls_back(sealed, destination):
        return NeedsConfiguration(
            f"The archive {destination.name} does not take {'H.264' if is_film else 'JPEG'} clips.",
            code=code,
            action=_MADE_INSTEAD[code],
        )
    if is_film:
        kind, needs = "H.264 clips", f"H.264 High Profile level 4.1 ({part10.H264})"
    elif not sealed.may_go_uncompressed:
        kind = "JPEG clips" if sealed.frames > 1 else "JPEG pictures"
        needs = "JPEG Baseline (1.2.840.10008.1.2.4.50)"
    else:
        kind = "these pictures"
        needs = _FORMS.get(sealed.transfer_syntax_uid, "") + "uncompressed"
    return NeedsConfiguration(
        f"The archive {destination.name} does not take {kind}.",
        code=NO_CONTEXT,
        action=f"Have it set up for the class {sealed.sop_class_uid} in {needs}, or send them to another archive; "
        f"then release it.{_OR_AS_JPEG if is_film and destination.fallback == 'hold' else ''}",
    )


def _falls_back(sealed: SealedObject, destination: Destination) -> str:
    """Return the code of a clip in whose place something else is to go, "" for what waits for a person."""
    if destination.fallback == "hold" or not is_clip(sealed):
        return ""
    if sealed.transfer_syntax_uid == part10.H264:
        return JPEG_WANTED
    return KEY_STILLS_WANTED if destination.fallback == "key-stills" else ""


def _still_sealed(path: Path, sealed: SealedObject) -> None:
    if sha256_of(path) != sealed.sha256:
        raise SpoolDamaged("An object's file is not the one that was sealed: it was not sent.")
