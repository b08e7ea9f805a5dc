"""One exam without a browser: what a technician does, through the HTTP API, and whether all of it arrived."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.demo import archive, report
from gateway.demo.api import Api, ApiRefused, Json, PanelAway, data_set_digest
from gateway.demo.archive import Arrival
from gateway.demo.failed import DemoFailed
from gateway.demo.patience import Patience
from gateway.dicom.elements import Malformed

STILLS = 3
CLIP_S = 2.0
_BETWEEN_S = 0.3  # two presses of a quick hand
# Patience, not promises: a new version's health is looked at beside the box's own processes, on the slowest box.
_READY_S = 180.0
_WORKLIST_S = 60.0
_PRESS_S = 60.0
_DELIVERY_S = 120.0
_DONE = "committed"
_SOON = frozenset(
    {"no-signal", "recorder-gone", "recorder-silent", "busy"}
)  # nothing is known to be stored: ask again


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadlessExam:
    """`run` raises DemoFailed with the reason when anything did not go as promised."""

    api: Api
    patience: Patience
    say: Callable[[str], None]
    stored_at: Callable[[str, str], Path]  # where the archive keeps an object, by study and SOP Instance UID

    def run(self) -> None:
        ready(self.api, self.patience)
        item = self._first_item()
        opened = self.api.create("/exams", {"worklist_item": item, "close_open": True})
        exam, study = str(opened["id"]), str(opened["study_instance_uid"])
        self.say("Exam opened with the first order of the worklist.")
        acknowledged = [self._still(exam, number) for number in range(1, STILLS + 1)]
        acknowledged += self._clip(exam)
        self.api.post(f"/exams/{exam}/finish")
        self.say(f"Exam finished: {len(acknowledged)} objects to deliver.")
        captures = self._delivered(exam, acknowledged)
        self._compare(study, captures, acknowledged)

    def _first_item(self) -> str:
        def look() -> str | None:
            answer = self.api.post("/worklist/refresh")
            said["why"] = str(answer.get("refresh", {}).get("what", ""))
            items = answer.get("items", [])
            return str(items[0]["id"]) if items else None

        said: dict[str, str] = {}
        return self.patience.until("the worklist", look, deadline_s=_WORKLIST_S, why=lambda: said["why"])

    def _still(self, exam: str, number: int) -> str:
        still = self._pressed("a still", self.api.creating(f"/exams/{exam}/stills"))
        self.say(f"Still {number} of {STILLS} stored.")
        self.patience.pause(_BETWEEN_S)
        return str(still["sop_instance_uid"])

    def _clip(self, exam: str) -> list[str]:
        clip = self._pressed("a clip", self.api.creating(f"/exams/{exam}/clips"))["clip"]
        self.say(f"Clip of {CLIP_S:.0f} s started.")
        self.patience.pause(CLIP_S)
        stored = self._pressed("the clip to be stored", partial(self.api.post, f"/clips/{clip}/stop"))
        self.say("Clip stored.")
        return [str(uid) for uid in stored["sop_instance_uids"]]

    def _pressed(self, what: str, press: Callable[[], Json]) -> Json:
        """Press, and ask again while the answer is that nothing is known to be stored."""
        last: list[str] = []

        def look() -> Json | None:
            try:
                return press()
            except ApiRefused as refused:
                if refused.code not in _SOON:
                    raise
                last[:] = [refused.what]
                return None

        return self.patience.until(what, look, deadline_s=_PRESS_S, why=lambda: last[-1])

    def _delivered(self, exam: str, acknowledged: list[str]) -> dict[str, Json]:
        """Wait until the archive vouches for everything and return the exam's captures by SOP Instance UID."""

        def look() -> dict[str, Json] | None:
            captures = {str(each["sop_instance_uid"]): each for each in self.api.get(f"/exams/{exam}")["captures"]}
            if missing := set(acknowledged) - set(captures):
                raise DemoFailed(f"{len(missing)} acknowledged captures are not in their exam.")
            waiting[:] = [word for uid in acknowledged for word in _waits(captures[uid])]
            return None if waiting else captures

        waiting: list[str] = []
        return self.patience.until(
            "the archive", look, deadline_s=_DELIVERY_S, why=lambda: " ".join(dict.fromkeys(waiting))
        )

    def _compare(self, study: str, captures: dict[str, Json], acknowledged: list[str]) -> None:
        """Show what the archive has of this exam; raise DemoFailed when that is not what was acknowledged."""
        arrivals = {uid: _arrival(self.stored_at(study, uid)) for uid in acknowledged}
        present = {uid: arrival for uid, arrival in arrivals.items() if arrival}
        self.say("")
        for each in report.table(present.values()):
            self.say(each)
        self.say("")
        problems = [f"{uid} was acknowledged and is not in the archive." for uid in set(arrivals) - set(present)]
        for uid, arrival in present.items():
            problems += self._differences(captures[uid], arrival, study)
        problems += self._strangers(study)
        if problems:
            raise DemoFailed(" ".join(problems), action="Call service.")
        self.say(
            f"All {len(present)} acknowledged objects are in the archive, each as the box sealed it; "
            "the archive vouched for them: Safe in PACS."
        )

    def _differences(self, capture: Json, arrival: Arrival, study: str) -> Iterator[str]:
        pairs = (
            ("study", study, arrival.study_instance_uid),
            ("number of frames", capture["frames"], arrival.frames),
            ("instance number", str(capture["instance_number"]), arrival.instance_number),
        )
        for what, box, there in pairs:
            if box != there:
                yield f"{arrival.sop_instance_uid} has another {what} in the archive than on the box."
        with arrival.path.open("rb") as file:
            digest = data_set_digest(file)
        if digest != self.api.object_digest(arrival.sop_instance_uid):
            yield f"{arrival.sop_instance_uid} has other content in the archive than on the box."

    def _strangers(self, study: str) -> list[str]:
        """Name what the archive has of this study but no exam of the box, of earlier runs included."""
        exams = [
            each["id"] for each in self.api.get("/exams?limit=500")["exams"] if each["study_instance_uid"] == study
        ]
        known = {
            capture["sop_instance_uid"] for exam in exams for capture in self.api.get(f"/exams/{exam}")["captures"]
        }
        there = {path.stem for path in self.stored_at(study, "any").parent.glob("*.dcm")}
        return [f"{uid} is in the archive and nobody captured it." for uid in sorted(there - known)]


def ready(api: Api, patience: Patience) -> None:
    """Wait until pictures can be captured safely. Raises DemoFailed with what is missing."""
    said: list[str] = []
    patience.until(
        "the box to be ready", partial(_is_ready, api, said), deadline_s=_READY_S, why=lambda: " ".join(said)
    )


def _is_ready(api: Api, said: list[str]) -> bool | None:
    try:
        can_capture, health = api.health()
    except PanelAway as away:
        said[:] = [away.what]
        return None
    lines = [*health.get("processes", []), *health.get("sources", []), health.get("disk", {})]
    said[:] = [str(each["what"]) for each in lines if each.get("what")]
    return can_capture or None


def _waits(capture: Json) -> list[str]:
    """Say why the archive does not vouch for a capture yet; nothing when it does. Raises DemoFailed if never."""
    if problem := capture.get("problem"):
        raise DemoFailed(f"A capture could not be made an object: {problem['what']}")
    deliveries = capture["deliveries"]
    for each in deliveries:
        if each["state"] == "held":
            raise DemoFailed(f"A delivery is held: {each['reason']}")
    if deliveries and all(each["state"] == _DONE for each in deliveries):
        return []
    if deliveries and all(each["state"] in {"sent", _DONE} for each in deliveries):
        return ["It does not vouch for all of it yet."]
    return [str(each["reason"]) for each in deliveries if each["reason"]] or ["It is still on the box."]


def _arrival(path: Path) -> Arrival | None:
    try:
        return archive.read(path)
    except (OSError, Malformed):
        return None
