"""What a person is asked about the patient of an exam. A late answer is held against what is asked by then."""

import hashlib

from gateway.errors import WrongState
from gateway.model import Exam, PleaseCheck
from gateway.spool import records


def of(exam: Exam) -> str:
    """Return a word for what is asked: whose the exam is said to be, and why that is doubted. "" = nothing is.

    Not the revision: that grows with what changes no answer as well, a side or a series.
    """
    if not exam.please_check:
        return ""
    asked = (records.dump(exam.patient), exam.please_check.encode(), exam.discontinued.encode())
    return hashlib.sha256(b"\0".join(asked)).hexdigest()[:16]


def refuse_another(exam: Exam, question: str) -> None:
    """Raise WrongState when the exam asks something else than `question` ("" = whatever it asks)."""
    if question not in {"", of(exam)}:
        raise WrongState(
            "This exam was changed meanwhile: something else is asked now, or nothing.",
            action="Look at its patient and pictures again, then answer.",
        )


def graver(old: str, new: str) -> str:
    """Return which of two reasons to look is asked about: the older one, but that a wrong entry hides.

    A shared study hides nothing and is hidden by nothing: the answer to it gives the exam a study of its own.
    """
    hides = new == PleaseCheck.WRONG_ENTRY and old != PleaseCheck.STUDY_SHARED
    return new if hides else old or new
