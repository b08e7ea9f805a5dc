"""The calls that erase an exam, or a patient's exams, from this box for good, asked by who repeats the number."""

from functools import partial
from itertools import islice

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SET_UP
from gateway.panel.problems import OtherNumber
from gateway.panel.shown import erasures
from gateway.spool.erasure import erasable, erasable_patient, erasing

_ANEW = "Look at the page again: what would be lost may have changed."


class ErasingCalls:
    """`/exams/{exam}/erase`, `/exams/{exam}/erase-patient`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._required = [each.name for each in context.settings.destinations if each.required]
        self._servers = [each.name for each in context.settings.procedure_steps]

    def routes(self) -> list[Route]:
        return [
            Route("/exams/{exam}/erase", self.erase, methods=["POST"], who=SET_UP),
            Route("/exams/{exam}/erase-patient", self.erase_patient, methods=["POST"], who=SET_UP),
        ]

    async def erase(self, request: Request) -> Response:
        """Erase an exam; `clean` is false while traces of it are left on the disk."""
        asked = await bodies.read(request, "pictures", "exams")
        repeated, shown = _repeated(asked.values), _shown(asked.values)
        erase = partial(self._erase, request.path_params["exam"], shown, repeated, acting.get())
        return JSONResponse({"clean": await self._context.work.spool(erase)})

    def _erase(self, exam: str, shown: set[str], repeated: int | None, person: str) -> bool:
        spool = self._context.spool
        losses = erasable.losses(spool, [exam], required=self._required, servers=self._servers)
        erasable.refuse_on_screen(spool)
        if shown != {erasures.agreed(losses[0])}:
            raise OtherNumber("The exam has changed meanwhile.", action=_ANEW)
        if repeated != losses[0].pictures:
            raise OtherNumber("This is not the number of the exam's pictures.", action=_ANEW)
        return erasing.erase(spool, losses[0], by="panel", person=person, servers=self._servers, may=self._may)

    async def erase_patient(self, request: Request) -> Response:
        """Erase what can be erased of an exam's patient, and say what is still on the box."""
        asked = await bodies.read(request, "pictures", "exams")
        repeated, shown = _repeated(asked.values), _shown(asked.values)
        erase = partial(self._erase_patient, request.path_params["exam"], shown, repeated, acting.get())
        return JSONResponse(await self._context.work.spool(erase))

    def _erase_patient(self, exam: str, shown: set[str], repeated: int | None, person: str) -> dict[str, object]:
        spool = self._context.spool
        asked = spool.exams.get(exam)
        erasable.refuse_on_screen(spool)
        found = erasures.of_patient(spool, asked, required=self._required, servers=self._servers)
        if shown != {erasures.agreed(loss) for loss in found.going}:
            raise OtherNumber("These are not the exams of the patient that can be erased now.", action=_ANEW)
        if repeated != found.pictures:
            raise OtherNumber("This is not the number of the exams' pictures.", action=_ANEW)
        # The exam whose page this is goes last: after a cut in the middle its page still says what is left.
        going = sorted(found.going, key=lambda loss: loss.exam.id == exam)
        done = erasing.erase_each(spool, going, by="panel", person=person, servers=self._servers, may=self._may)
        patient, most = asked.patient, erasures.MOST
        return {
            "clean": done.clean,
            "erased": len(going) - len(done.staying),
            "left": [each.id for each in islice(erasures.exams_of(spool, asked), most)],
            "others": erasable_patient.of_other_issuers(spool, patient.id, patient.issuer)[:most],
            "named": erasable_patient.named_in(spool, patient.id)[:most],
        }

    def _may(self) -> None:
        erasable.refuse_on_screen(self._context.spool)


def _repeated(values: bodies.Values) -> int | None:
    return bodies.whole(bodies.text(values, "pictures", required=True))


def _shown(values: bodies.Values) -> set[str]:
    """Return the exams that were looked at, as `erasures.agreed` names them."""
    return set(bodies.text(values, "exams", longest=erasures.LONGEST, required=True).split())
