"""Makes the key stills of a clip: plan, build, write, read back, seal. Queues nothing; repeatable after a crash."""

import logging
from dataclasses import replace
from pathlib import Path

from gateway.config.settings import Station
from gateway.dicom import key_still, objects
from gateway.dicom.encapsulate import file_chunks
from gateway.dicom.key_still import Origin
from gateway.dicom.part10 import H264
from gateway.dicom.verify import verify_sealed
from gateway.errors import DiskFailed, ObjectError, SpoolDamaged
from gateway.log import event
from gateway.model import Capture, SealedObject, Series
from gateway.spool import records
from gateway.spool.key_stills import KeyStill
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
FAMILY = "key-still"  # of their series: one for each source, beside its stills and its clips


class Maker:
    """One thread only."""

    def __init__(self, *, spool: Spool, station: Station) -> None:
        self._spool = spool
        self._station = station

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
        left = [still for still in plan.stills if not self._seal(clip, still).exists()]
        if left:
            self._make(clip, capture, left)
        return [records.load(SealedObject, self._seal(clip, still).read_bytes()) for still in plan.stills]

    def _make(self, clip: SealedObject, capture: Capture, stills: list[KeyStill]) -> None:
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
            stream = key_still.without_further_loss(frames[still.frame], capture)
            made = key_still.record(
                capture, stream, uid=still.sop_instance_uid, frame=still.frame, number=still.instance_number
            )
            sealed = self._written(clip, capture, made, stream, origin)
            self._spool.objects.seal(sealed, ())
            event(_log, "key_still_sealed", exam=clip.exam, uid=sealed.sop_instance_uid, clip=clip.sop_instance_uid)

    def _series(self, clip: Capture) -> Series:
        """Return the series of the key stills of this clip's source and procedure step."""
        step = self._spool.exams.get(clip.exam).step_of(clip.instance_number)
        uid = step.sop_instance_uid if step else ""
        return self._spool.exams.series_for(clip.exam, clip.source, objects.series_family(clip, FAMILY), uid)

    def _written(
        self, clip: SealedObject, of: Capture, still: Capture, stream: bytes, origin: Origin
    ) -> SealedObject:
        series = self._series(of)
        exam = self._spool.exams.get(clip.exam)
        order, further = self._spool.exams.order(exam), self._spool.exams.further_orders(exam)
        header = key_still.build(
            exam, still, series, order=order, further=further, station=self._station, origin=origin, clip=of
        )
        path = self._spool.layout.object(exam.id, still.sop_instance_uid)
        try:
            written = self._spool.objects.write(
                exam.id, still.sop_instance_uid, file_chunks(header, [len(stream)], [stream])
            )
            found = verify_sealed(
                path, exam=exam, capture=still, series=series, order=order, further=further, clip=of
            )
        except OSError as error:
            raise DiskFailed(f"A file that was just written cannot be read ({type(error).__name__}).") from error
        except ObjectError:
            self._spool.files.remove(path)  # it has no seal: nobody may take it for an object
            raise
        if found.sha256 != written.sha256:
            raise DiskFailed("A file that was just written reads back differently.")
        return SealedObject(
            sop_instance_uid=still.sop_instance_uid,
            sop_class_uid=found.sop_class_uid,
            transfer_syntax_uid=found.transfer_syntax_uid,
            exam=exam.id,
            capture=clip.capture,
            bytes=found.bytes,
            sha256=found.sha256,
            lossy=True,
            frames=1,
            sealed=self._spool.clock.now(),
            decoded=True,
            derived_from=clip.sop_instance_uid,
        )

    def _seal(self, clip: SealedObject, still: KeyStill) -> Path:
        return self._spool.layout.seal(clip.exam, still.sop_instance_uid)
