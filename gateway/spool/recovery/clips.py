"""Clips that were never closed, because of a power cut, a kill or a disk: what is whole of them is kept."""

import logging

from gateway.errors import SpoolDamaged
from gateway.log import event, warn
from gateway.model import Capture
from gateway.spool import clips
from gateway.spool.files import PART
from gateway.spool.paths import (
    DAMAGED,
    FRAMES,
    INDEX,
    SIDECAR,
)
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


def salvage(spool: Spool, exam: str, uid: str) -> Capture | None:
    """Make a capture of what is whole of a clip that was never closed; None when not one picture is.

    A clip that the disk cannot read is put aside, and is no reason to keep the box from its work.
    """
    layout, files = spool.layout, spool.files
    clips.finish(layout, files, exam, uid)
    frames, index = layout.frames(exam, uid), layout.index(exam, uid)
    try:
        header, entries = clips.read_index(index)
        entries = clips.whole_entries(frames, entries)
        digest = clips.digest_of(frames, entries)
    except (SpoolDamaged, FileNotFoundError):
        _keep_damaged(spool, exam, uid)
        return None
    except OSError as error:
        spool.files.blame(error, layout.probe("salvage"))
        _put_aside(spool, exam, uid)
        return None
    if not entries:
        for path in (frames, index):
            files.remove(path)
        spool.captures.forget_clip(uid)
        return None
    clips.cut(layout, files, header, entries)
    capture = clips.as_capture(header, entries, digest, salvaged=True)
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    event(_log, "clip_salvaged", exam=exam, uid=uid, frames=len(entries))
    return capture


def salvage_clips(spool: Spool, exam: str, names: set[str]) -> None:
    clip_files = (name.removesuffix(PART) for name in names)
    uids = {name.rsplit(".", 1)[0] for name in clip_files if name.endswith((FRAMES, INDEX))}
    for uid in sorted(uids):
        if uid + SIDECAR not in names:
            salvage(spool, exam, uid)


def _keep_damaged(spool: Spool, exam: str, uid: str) -> None:
    """Put a clip without a readable index aside.

    Its pictures, if there are any, were damaged later: the index was durable before the first of them.
    """
    frames = spool.layout.frames(exam, uid)
    if frames.exists() and frames.stat().st_size:
        spool.files.rename(frames, frames.with_name(frames.name + DAMAGED))
        warn(_log, "clip_damaged", exam=exam, uid=uid)
    else:
        spool.files.remove(frames)
    spool.files.remove(spool.layout.index(exam, uid))
    spool.captures.forget_clip(uid)


def _put_aside(spool: Spool, exam: str, uid: str) -> None:
    """Keep both files of a clip that the disk cannot read, under names that no start looks at again."""
    for path in (spool.layout.frames(exam, uid), spool.layout.index(exam, uid)):
        if path.exists():
            spool.files.rename(path, path.with_name(path.name + DAMAGED))
    warn(_log, "clip_damaged", exam=exam, uid=uid, code="file-unreadable")
    spool.captures.forget_clip(uid)
