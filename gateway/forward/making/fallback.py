"""Key stills in place of a clip, for destinations that take the clip in no form and want them.

The clip stays as it is and where it is. Its stills are sealed objects of their own, the same ones for every
destination that asks for as many, and the same ones after a crash. An H.264 clip becomes one of JPEG frames first,
where these are taken: `jpeg_clips`.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

from gateway.config.settings import Destination, Station
from gateway.dicom.part10 import H264, JPEG_BASELINE
from gateway.errors import NotFound, ObjectError, SpoolDamaged
from gateway.forward.making.key_stills import Maker
from gateway.forward.sending import outgoing
from gateway.log import event, warn
from gateway.model import Delivery, DeliveryState, Exam, SealedObject
from gateway.spool.queue.deliveries import KEY_STILLS_WANTED, SENT_AS_KEY_STILLS, WANTED
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_BATCH = 20
_LONGEST = timedelta(minutes=10)  # that a procedure step's end waits to know what becomes of its clips
_UNDECIDED = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING})


class Fallbacks:
    """Makes what senders found wanting, and says of an exam whether that is settled."""

    def __init__(
        self,
        *,
        spool: Spool,
        station: Station,
        destinations: Sequence[Destination],
        short: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`short`: UIDs of clips that are to become JPEG once the disk has room."""
        self._spool = spool
        self._short = short
        self._maker = Maker(spool=spool, station=station)
        self._wanted = {each.name: each.key_stills for each in destinations if each.fallback == "key-stills"}
        self._as_jpeg = frozenset(each.name for each in destinations if each.fallback != "hold")
        self._began_ns = spool.clock.boottime_ns()
        self._seen = -1  # what is queued after the first step is looked at as it comes

    def step(self) -> bool:
        """Make some key stills; say whether there may be more to do. Raises DiskFull, DiskFailed or SpoolBusy."""
        if self._seen < 0:
            self._seen = self._spool.deliveries.newest()
        waiting = self._spool.deliveries.held(KEY_STILLS_WANTED, limit=_BATCH)
        for delivery in waiting:  # also of a destination that wants none any more
            self._instead(delivery)
        if not self._wanted:
            return len(waiting) == _BATCH
        fresh = self._spool.deliveries.newer(self._seen, limit=_BATCH)
        for delivery in fresh:
            self._ahead(delivery)
            self._seen = delivery.id
        return _BATCH in {len(waiting), len(fresh)}

    def settled(self, exam: Exam, *, above: int = 0, upto: int | None = None) -> bool:
        """Say whether it is known in which form every clip leaves that was sealed, so that it can be listed.

        `above`, `upto`: of which numbers, as a procedure step has them. True as well ten minutes after the release:
        a step does not wait longer for an archive or for room on the disk, though for what this box is making.
        """
        captures = self._spool.captures.numbered(exam.id, above=above, upto=upto)
        objects = [each for each in self._spool.objects.of_exam(exam.id) if each.capture in captures]
        uids = {each.sop_instance_uid for each in objects}
        deliveries = self._spool.deliveries.list(exam=exam.id, limit=10_000)
        deliveries = [each for each in deliveries if each.sop_instance_uid in uids]
        short = self._short()
        if any(
            each.state is DeliveryState.HELD and each.code in WANTED and each.sop_instance_uid not in short
            for each in deliveries
        ):
            return False
        made = {each.derived_from for each in objects}
        return self._is_long_ago(exam) or not any(self._undecided(delivery, made) for delivery in deliveries)

    # --- inside -------------------------------------------------------------------------------------------

    def _is_long_ago(self, exam: Exam) -> bool:
        """Say whether an exam was released so long ago that nobody waits for an archive any more."""
        if exam.released is None:
            return False
        same_boot = exam.released.boot_id == self._spool.clock.now().boot_id
        since_ns = exam.released.boottime_ns if same_boot else self._began_ns
        return self._spool.clock.boottime_ns() - since_ns >= _LONGEST.total_seconds() * 1e9

    def _undecided(self, delivery: Delivery, made: set[str]) -> bool:
        if delivery.state is DeliveryState.HELD:
            return delivery.code in WANTED
        if delivery.state not in _UNDECIDED or delivery.sop_instance_uid in made:
            return False
        sealed = self._spool.objects.get(delivery.sop_instance_uid)
        able = self._as_jpeg if sealed.transfer_syntax_uid == H264 else self._wanted
        return (
            delivery.destination in able and outgoing.is_clip(sealed) and self._taken(delivery, sealed) is not True
        )

    def _taken(self, delivery: Delivery, sealed: SealedObject, syntax: str = "") -> bool | None:
        """Say whether the destination takes an object as it is sealed, or in `syntax`, as far as it was asked."""
        return self._spool.destinations.takes(
            delivery.destination, sealed.sop_class_uid, syntax or sealed.transfer_syntax_uid
        )

    def _taken_in_no_form(self, delivery: Delivery, clip: SealedObject) -> bool:
        return not any(self._taken(delivery, clip, each) is not False for each in ("", JPEG_BASELINE))

    def _ahead(self, delivery: Delivery) -> None:
        """Make the stills of a clip before it is offered to a destination that took no such clip the last time."""
        if delivery.destination not in self._wanted or delivery.state is not DeliveryState.QUEUED:
            return
        sealed = self._spool.objects.get(delivery.sop_instance_uid)
        if outgoing.is_clip(sealed) and self._taken_in_no_form(delivery, sealed):
            try:
                self._spool.deliveries.send_before(delivery, *self._made(delivery, sealed))
            except (ObjectError, SpoolDamaged, NotFound) as error:  # said again when the clip was offered
                warn(_log, "key_stills_not_made", uid=delivery.sop_instance_uid, code=error.code)

    def _instead(self, delivery: Delivery) -> None:
        """Make the stills of a clip that its destination did not take, and say so with its delivery."""
        name = delivery.destination
        try:
            sealed = self._spool.objects.get(delivery.sop_instance_uid)
            if name not in self._wanted:  # the destination left the configuration, or wants none any more
                self._spool.deliveries.explain(delivery, code=outgoing.NO_CONTEXT, reason=delivery.reason)
                return
            stills = self._made(delivery, sealed)
            count = len(stills)
        except (ObjectError, SpoolDamaged, NotFound) as error:
            warn(_log, "key_stills_not_made", uid=delivery.sop_instance_uid, code=error.code)
            reason = f"The archive {name} takes no clips, and no stills could be made of this one: {error.what}"
            self._spool.deliveries.explain(delivery, code=error.code, reason=reason)
            return
        reason = f"The archive {name} takes no clips: it gets {count} stills of the clip, which is on this box."
        if not self._spool.deliveries.send_instead(delivery, *stills, code=SENT_AS_KEY_STILLS, reason=reason):
            return  # a person moved or dropped it meanwhile: that archive gets nothing in its place
        for each in self._of_its_film(delivery, sealed):
            self._spool.deliveries.explain(each, code=SENT_AS_KEY_STILLS, reason=reason)
        event(_log, "sent_as_key_stills", destination=name, uid=delivery.sop_instance_uid, stills=count)

    def _of_its_film(self, delivery: Delivery, clip: SealedObject) -> Iterable[Delivery]:
        """Return the delivery of what a clip was made of, if it was: neither of them went."""
        found = self._spool.deliveries.list(uid=clip.derived_from) if clip.derived_from else []
        return (each for each in found if each.destination == delivery.destination)

    def _made(self, delivery: Delivery, clip: SealedObject) -> list[str]:
        """Make, or find, the stills of a clip that the destination wants; return their UIDs. Queues nothing.

        Those of a clip that was made of another one are of that one: it lost less.
        """
        if clip.derived_from:
            clip = self._spool.objects.get(clip.derived_from)
        stills = self._maker.stills_of(clip, wanted=self._wanted[delivery.destination])
        for still in stills:
            self._spool.objects.put_row(still, ())
        return [each.sop_instance_uid for each in stills]
