"""Makes the key stills of a clip by a plan. Queues nothing; repeatable after a crash."""

import logging
from collections.abc import Iterator
from dataclasses import replace

from gateway.config.settings import Station
from gateway.dicom import key_still
from gateway.dicom.derived import Origin
from gateway.dicom.part10 import H264
from gateway.errors import SpoolDamaged
from gateway.forward.making.derived import Derived, Made
from gateway.log import event
from gateway.model import Capture, SealedObject
from gateway.spool.key_stills import KeyStill
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


class Maker:
    """One thread only."""

    def __init__(self, *, spool: Spool, station: Station) -> None:
        self._spool = spool
        self._derived = Derived(spool=spool, station=station)

    def stills_of(self, clip: SealedObject, *, wanted: int) -> list[SealedObject]:
        """Return a clip's stills, sealed; those that are not are made.

        Raises ObjectError or SpoolDamaged when they cannot be made of this clip, NotFound when its record is lost,
        DiskFull or DiskFailed.
        """
        capture = self._spool.captures.get(clip.capture).capture
        if clip.transfer_syntax_uid == H264:
            capture = replace(capture, codec="h264")  # what its frames went through since
        frames = key_still.chosen(clip.frames, wanted)
        plan = self._spool.key_stills.plan(
            clip.exam, clip.sop_instance_uid, capture.instance_number, wanted=wanted, frames=frames
        )
        uids = [still.sop_instance_uid for still in plan.stills]
        found = {uid: whole for uid in uids if (whole := self._derived.whole(clip.exam, uid))}
        left = [still for still in plan.stills if still.sop_instance_uid not in found]
        if left:
            found |= {made.sop_instance_uid: made for made in self._made(clip, capture, left)}
        return [found[uid] for uid in uids]

    def _made(self, clip: SealedObject, capture: Capture, stills: list[KeyStill]) -> Iterator[SealedObject]:
        try:
            path = self._spool.objects.path(clip)
            frames, ratio, method = key_still.frames_of(path, clip, capture, [still.frame for still in stills])
        except OSError as error:
            raise SpoolDamaged("The DICOM file of a clip cannot be read.", code="file-missing") from error
        for still in stills:
            origin = Origin(
                sop_class_uid=clip.sop_class_uid,
                sop_instance_uid=clip.sop_instance_uid,
                frame=still.frame,
                frames=clip.frames,
                lossy_ratio=ratio,
                lossy_method=method,
            )
            stream = key_still.without_further_loss(frames[still.frame])
            record = key_still.record(
                capture, stream, uid=still.sop_instance_uid, frame=still.frame, number=still.instance_number
            )
            made = Made(record=record, origin=origin, lengths=[len(stream)], streams=[stream])
            sealed = self._derived.seal(clip, capture, made)
            event(_log, "key_still_sealed", exam=clip.exam, uid=sealed.sop_instance_uid, clip=clip.sop_instance_uid)
            yield sealed
