"""The exams on this box: found by name, number or day, and a clip played as it was recorded."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from gateway.dicom import part10
from gateway.errors import NotFound
from gateway.messages import N_
from gateway.model import Capture, MediaKind
from gateway.panel.calls import archive as archive_calls
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import LOOK
from gateway.panel.shown import names

_SHOWN = 50
_LONGEST = 200
PERIODS = N_({"": "All days", "today": "Today", "week": "7 days", "month": "31 days"})
_BACK = {"today": 0, "week": 6, "month": 30}  # days before today
_DAY = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)|(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{4})")
_EXAMPLE = names.day("20261121")


class ArchivePages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/archive", "archive.html", self._all, who=LOOK),
            self._frame.route("/archive/find", "find.html", self._asked, who=LOOK),
            Route("/archive", self.search, methods=["POST"], who=LOOK),
            self._frame.route("/play/{uid}", "play.html", self._play, who=LOOK),
        ]

    async def search(self, request: Request) -> Response:
        """Show what was found: a POST, so that no name stands in an address or is remembered by the browser."""
        raw = (await request.body()).decode("utf-8", "replace")
        fields = dict(parse_qsl(raw, keep_blank_values=True, max_num_fields=5))
        text, period = fields.get("text", "")[:_LONGEST].strip(), fields.get("period", "")
        spoken = self._context.languages.of_page(request, self._context.settings.panel.language)
        days = [spoken.gettext(day) for day in names.DAYS]
        return await self._context.work.spool(
            lambda: self._frame.page(request, "archive.html", self._found(text, period, days))
        )

    def _all(self, request: Request) -> Values:
        del request
        return self._found("", "", ())

    def _asked(self, request: Request) -> Values:
        """Ask what to look for: the box's own screen has no other keyboard than that of its pages."""
        return {"keyboard": self._frame.keyboard(request), "example": _EXAMPLE}

    def _found(self, text: str, period: str, days: Sequence[str]) -> Values:
        """Return the exams that fit; a day in the text is the day of the exam. `days`: as the page writes them."""
        today = self._frame.today()
        day, rest = day_in(text, days)
        first = day or (today - timedelta(days=_BACK[period]) if period in _BACK else None)
        found = archive_calls.find(self._context, rest, first=first, last=day, limit=_SHOWN, but_empty=True)
        look, away = self._frame.look, self._frame.away()
        rows = [
            (look.exam(exam, today, away=away), names.day(f"{exam.opened.local:%Y%m%d}")) for exam in found.exams
        ]
        return {
            "rows": rows,
            "more": found.more,
            "text": text,
            "period": period if period in PERIODS else "",
            "periods": PERIODS,
            "example": _EXAMPLE,
        }

    def _play(self, request: Request) -> Values:
        listed = self._context.spool.captures.get(request.path_params["uid"])
        capture = listed.capture
        if capture.kind is not MediaKind.CLIP or listed.purged:
            raise NotFound("There is no clip to play.")
        exam = self._context.spool.exams.get(capture.exam)
        self._context.desk.looks.at(request, exam.id)
        return {
            "exam": self._frame.look.exam(exam, self._frame.today()),
            "capture": capture,
            "data": {"uid": capture.sop_instance_uid, "film": self._is_film(capture), "times": times_of(capture)},
        }

    def _is_film(self, capture: Capture) -> bool:
        """Say whether what is left of a clip is one MP4."""
        sealed = self._context.spool.objects.of_capture(capture.sop_instance_uid)
        return sealed is not None and sealed.transfer_syntax_uid == part10.H264


def times_of(capture: Capture) -> list[int]:
    """Return when each frame of a clip was, ms after the first one."""
    first, *_ = capture.frame_times or (0,)
    return [round((time - first) / 1e6) for time in capture.frame_times]


def day_in(text: str, days: Sequence[str] = ()) -> tuple[date | None, str]:
    """Return a day that stands in a text, and the text without it.

    It is written as the screen writes days, in English or as one of twelve `days`, as 21.11.2026, or as 2026-11-21.
    """
    for match, year, month, day in _days_in(text, days):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        return found, (text[: match.start()] + text[match.end() :]).strip()
    return None, text


def _days_in(text: str, days: Sequence[str]) -> Iterator[tuple[re.Match[str], int, int, int]]:
    if match := _DAY.search(text):
        year, month, day = (int(match[a] or match[b]) for a, b in (("year", "y"), ("month", "m"), ("day", "d")))
        yield match, year, month, day
    for written in (names.DAYS, days):
        for month, pattern in enumerate(written, 1):
            if match := _as_written(pattern).search(text):
                yield match, int(match["year"]), month, int(match["day"])


@cache
def _as_written(pattern: str) -> re.Pattern[str]:
    """Return what finds a day like "{day}-Nov-{year}"; hyphens, dots and spaces between its parts do not matter."""
    parts = [re.escape(part) for part in re.split(r"[-. ]+", pattern)]
    shape = r"[-. ]*".join(parts).replace(r"\{day\}", r"(?P<day>\d\d?)").replace(r"\{year\}", r"(?P<year>\d{4})")
    return re.compile(rf"(?<!\w){shape}(?!\d)", re.IGNORECASE)
