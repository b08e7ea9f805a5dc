"""The check of a day: what became of every picture, as JSON, and the one sentence that a person may rely on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.model import ExamState
from gateway.panel.shown import answers, fates
from gateway.panel.shown.answers import Json
from gateway.panel.shown.fates import WORDS, Fate
from gateway.spool.days import ExamOfDay

_KEY = {
    Fate.ON_THIS_BOX: "on_this_box",
    Fate.SENDING: "sending",
    Fate.SENT: "sent",
    Fate.FOUND: "found",
    Fate.SAFE: "safe",
}


def report(
    day: str, exams: Sequence[ExamOfDay], required: frozenset[str], asked: Mapping[str, Any] | None = None
) -> Json:
    """Return the day's exams, its sum and its sentence. `asked`: forward's answer after it asked the archives."""
    said: list[Json] = list((asked or {}).get("archives", []))
    lines = [_exam(exam, required, [each for each in said if each["exam"] == exam.exam.id]) for exam in exams]
    total: Counter[str] = Counter()
    for line in lines:
        total.update({key: value for key, value in line.items() if isinstance(value, int)})
    counted = ("captured", "removed", "kept", "sealed", "problems", "let_go", "lost", *_KEY.values())
    summed = {key: total[key] for key in counted}
    done = _all_safe(lines, summed, said)
    return {
        "date": day,
        "asked_at": (asked or {}).get("asked_at"),
        "exams": lines,
        "total": {"exams": len(lines), **summed},
        "all_safe": done,
        "verdict": _sentence(lines, summed, said, done=done),
    }


def _exam(exam: ExamOfDay, required: frozenset[str], said: list[Json]) -> Json:
    kept = [picture for picture in exam.pictures if not picture.removed]
    got = Counter(fates.of_picture(picture, required) for picture in kept)
    return {
        "exam": exam.exam.id,
        "opened_at": answers.moment(exam.exam.opened.utc),
        "state": exam.exam.state,
        "please_check": exam.exam.please_check,
        "recording": exam.recording,
        "captured": len(exam.pictures),
        "removed": len(exam.pictures) - len(kept),
        "kept": len(kept),
        "sealed": sum(picture.sealed for picture in kept),
        "problems": sum(bool(picture.listed.problem_code) for picture in kept),
        "held": sum(any(d.state == "held" for d in picture.all_deliveries) for picture in kept),
        "let_go": sum(bool(picture.listed.purged) for picture in kept),
        "lost": len({uid for each in said for uid in each["lost"]}),
        **{key: got[fate] for fate, key in _KEY.items()},
        "archives": [{key: value for key, value in each.items() if key != "exam"} for each in said],
    }


def _all_safe(lines: Sequence[Json], total: Mapping[str, int], said: Sequence[Json]) -> bool:
    """Say whether each picture is vouched for, nothing is open, and no archive that was asked denied it."""
    ended = all(line["state"] in {ExamState.RELEASED, ExamState.DISCONTINUED} for line in lines if line["kept"])
    quiet = not any(line["recording"] or (line["state"] == ExamState.OPEN) for line in lines)
    denied = total["lost"] or any(not each["asked"] and each["given"] for each in said)
    return bool(total["kept"]) and total["safe"] == total["kept"] and ended and quiet and not denied


def _sentence(lines: Sequence[Json], total: Mapping[str, int], said: Sequence[Json], *, done: bool) -> str:
    pictures = f"{total['kept']} picture{'' if total['kept'] == 1 else 's'}"
    exams = f"{len(lines)} exam{'' if len(lines) == 1 else 's'}"
    if done:
        return WORDS[Fate.SAFE] + f": all {pictures} of {exams}."
    if not total["kept"]:
        return f"No pictures in {exams}." if lines else "No exams on this day."
    got = ", ".join(f"{total[key]} {WORDS[fate]}" for fate, key in reversed(_KEY.items()) if total[key])
    notes = [f"NOT finished: {pictures} of {exams}: {got}."]
    waits = [line for line in lines if line["state"] == ExamState.OPEN or line["kept"]]  # an empty one never does
    if waiting := sum(line["state"] in {ExamState.OPEN, ExamState.FINISHED} for line in waits):
        notes.append(f"{waiting} exam{'' if waiting == 1 else 's'} not released yet.")
    if total["problems"]:
        notes.append(f"{total['problems']} cannot be prepared.")
    for name in sorted({each["destination"] for each in said if each["lost"]}):
        count = sum(len(each["lost"]) for each in said if each["destination"] == name)
        notes.append(f"{name} DOES NOT HAVE {count} that it was given.")
    for name in sorted({each["destination"] for each in said if not each["asked"] and each["given"]}):
        what = next(each["what"] for each in said if each["destination"] == name and not each["asked"])
        notes.append(what)
    return " ".join(notes)
