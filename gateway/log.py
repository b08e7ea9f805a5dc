"""Log events, not stories: `snake_case_event key=value`. Never a patient's name, id or birth date."""

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

KEPT_BYTES = 200_000  # of each file of lines, of which there are two
_FORMAT = "%(levelname)s %(name)s %(message)s"


def event(log: logging.Logger, name: str, *, level: int = logging.INFO, **values: object) -> None:
    """Write one event; values are written with `str`, spaces quoted."""
    said = " ".join([name, *(f"{key}={_word(value)}" for key, value in values.items())])
    log.log(level, "%s", said, extra={"event": name, "fields": values})


def warn(log: logging.Logger, name: str, **values: object) -> None:
    """Write one event that somebody should look at."""
    event(log, name, level=logging.WARNING, **values)


class Sparingly:
    """Writes what happens over and over: `burst` times, then once every `every_s`, with how much was left out."""

    def __init__(self, *, burst: int, every_s: float) -> None:
        self._burst, self._every_ns = burst, round(every_s * 1e9)
        self._full_ns = -(1 << 62)  # when the burst will be whole again
        self._left_out = 0

    def event(
        self, now_ns: int, log: logging.Logger, name: str, *, level: int = logging.INFO, **values: object
    ) -> None:
        """Write one event, or leave it out. now_ns: of any clock."""
        full_ns = max(self._full_ns, now_ns) + self._every_ns
        if full_ns - now_ns > self._burst * self._every_ns:
            self._left_out += 1
            return
        if self._left_out:
            values["left_out"] = self._left_out
        self._full_ns, self._left_out = full_ns, 0
        event(log, name, level=level, **values)


class AsJson(logging.Formatter):
    """One JSON object a line, whatever is in it: time (UTC), level, process, logger, event and its fields.

    What a library said has `message` instead of an event, and `error` when it failed.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
        }
        if name := getattr(record, "event", ""):
            found |= {"event": name, "fields": getattr(record, "fields", {})}
        else:
            found["message"] = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            found["error"] = record.exc_info[0].__name__  # its text may quote anything
        return json.dumps(found, default=str, ensure_ascii=False)  # the bundle looks for names as they are written


def to_stderr(process: str, *, as_json: bool = False) -> None:
    """Send this process's events to standard error, where systemd's journal adds the time to lines of text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(AsJson(process) if as_json else logging.Formatter(f"{process} {_FORMAT}"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Foreign libraries print data sets at their lower levels, pynetdicom in its errors as well.
    for name in ("pynetdicom", "pydicom", "libav", "uvicorn.access", "linuxpy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _Lines(RotatingFileHandler):
    """A line that the disk does not take is lost here: standard error has it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        del record


def keep_in(folder: Path, process: str, *, as_json: bool = False) -> None:
    """Keep this process's last lines in `<process>.log` as well: the service page's bundle has them.

    The folder is in memory on the box. One that cannot be written costs the lines there, nothing else.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{process}.log"
        handler = _Lines(path, maxBytes=KEPT_BYTES, backupCount=1, encoding="utf-8", delay=True)
        text = logging.Formatter(f"%(asctime)s {process} {_FORMAT}")
        handler.setFormatter(AsJson(process) if as_json else text)
        logging.getLogger().addHandler(handler)


def _word(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(c.isspace() or c in "='\"" for c in text) else text
