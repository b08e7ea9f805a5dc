"""Plans of what is made of a clip: which frames become which objects. Written once, before the first is made.

A cut in the middle therefore finds the same UIDs again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clock import Clock, Moment
from gateway.spool import records
from gateway.spool.files import Files, still_there
from gateway.spool.paths import Layout


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyStill:
    """One frame, counted from 1, and the object that it becomes; frame 0 = all of them together."""

    sop_instance_uid: str
    frame: int
    instance_number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What stands in the file."""

    exam: str
    clip: str  # UID of its object
    stills: tuple[KeyStill, ...]
    planned: Moment


class KeyStills:
    """The files `UID.key-stills-N`, N being how many were asked for; 0: the whole clip, in another form."""

    def __init__(self, *, layout: Layout, files: Files, clock: Clock) -> None:
        self._layout = layout
        self._files = files
        self._clock = clock

    def plan(self, exam: str, clip: str, number: int, *, wanted: int, frames: Sequence[int]) -> Plan:
        """Return the plan for so many stills of a clip, made now if there is none yet.

        `number`: the clip's InstanceNumber, of which those of its stills are made: they grow with it, and no two
        are alike. Raises SpoolDamaged, DiskFull or DiskFailed.
        """
        path = self._layout.key_stills(exam, clip, wanted)
        if path.exists():
            return records.load(Plan, path.read_bytes())
        made = Plan(
            exam=exam,
            clip=clip,
            stills=tuple(
                KeyStill(
                    sop_instance_uid=self._clock.uid(),
                    frame=frame,
                    instance_number=number * 100 + wanted * 10 + place,
                )
                for place, frame in enumerate(frames, 1)
            ),
            planned=self._clock.now(),
        )
        with still_there():
            self._files.write(path, [records.dump(made)])
        return made
