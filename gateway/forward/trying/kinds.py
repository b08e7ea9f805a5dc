"""Whether an archive takes the kinds of objects that this box makes: offered, and never sent."""

from collections.abc import Iterator, Sequence

from gateway.config.settings import Destination, Source
from gateway.dicom.image import TRANSFER_SYNTAX
from gateway.dicom.objects import FAMILIES, clip_codecs, still_codecs
from gateway.errors import DeliveryError
from gateway.net.peers import Timeouts
from gateway.net.store import StoreAssociation, Wanted, contexts_for
from gateway.spool.processes.trials import Line

_PART = "kinds"
_LOSSY = frozenset({"jpeg", "h264"})
_CALL_IT = "Call IT: the archive must be set to take them, or another format be chosen here."


def tried(
    destination: Destination, *, sources: Sequence[Source], our_ae: str, timeouts: Timeouts | None = None
) -> Iterator[Line]:
    """Yield whether it takes stills, clips and long clips of these sources; of none: of a plain one."""
    kinds = _kinds(destination, sources or (Source(),))
    wanted = [each for offers in kinds.values() for each in offers]
    try:
        with StoreAssociation(destination, our_ae=our_ae, wanted=wanted, timeouts=timeouts) as archive:
            taken = {kind: _takes(archive, offers, destination) for kind, offers in kinds.items()}
    except DeliveryError as error:
        yield Line(part=_PART, ok=False, what=error.what, action=error.action, code=error.code)
        return
    if all(taken.values()):
        yield Line(part=_PART, ok=True, what="It takes what this box makes: stills and clips.")
    if not taken.get("still", True):
        yield Line(part=_PART, ok=False, what="It does not take the stills.", action=_CALL_IT, code="no-context")
    if not taken.get("clip", True):
        yield Line(part=_PART, ok=False, what="It does not take clips.", action=_CALL_IT, code="no-context")
    elif not taken.get("h264", True):
        yield Line(
            part=_PART,
            ok=None,
            what="It does not take long clips in H.264. What becomes of them is a setting of the archive here.",
            code="no-context",
        )


def _takes(archive: StoreAssociation, offers: Sequence[Wanted], destination: Destination) -> bool:
    """Say whether there is a way for each of them: what lost nothing may go in any syntax that loses nothing."""

    def ways(each: Wanted) -> set[str]:
        taken = {context.transfer_syntax for context in contexts_for([each], destination.transfer_syntaxes)}
        return taken & set(archive.accepted(each.sop_class_uid))

    return all(ways(each) for each in offers)


def _kinds(destination: Destination, sources: Sequence[Source]) -> dict[str, list[Wanted]]:
    """Return what would be offered, by kind."""
    types = destination.types or ("still", "clip")
    kinds: dict[str, list[Wanted]] = {}
    for source in sources:
        if source.name not in (destination.sources or (source.name,)):
            continue
        family = FAMILIES[source.object]
        for codec in still_codecs(source) if "still" in types else ():
            kinds.setdefault("still", []).append(_wanted(family.still, codec))
        for codec in clip_codecs(source) if "clip" in types else ():
            kinds.setdefault("h264" if codec == "h264" else "clip", []).append(_wanted(family.clip, codec))
    return kinds


def _wanted(sop_class: str, codec: str) -> Wanted:
    return Wanted(sop_class_uid=sop_class, transfer_syntax_uid=TRANSFER_SYNTAX[codec], lossy=codec in _LOSSY)
