"""Devices that are not configured yet: what is there, what one shows with a profile, which one a person presses.

Changes nothing, stores nothing. Refuses while an exam is open, and one thing at a time: a grabber has one reader.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.capture.grabber import Grabber
from gateway.clock import Clock
from gateway.config.settings import Source as SourceSettings
from gateway.errors import BadValue, Busy, ExamOpen, NoSignal, NotTried, ProfileUnfit, SpoolError
from gateway.spool.spool import Spool
from hardware import profiles
from hardware.errors import DeviceError
from hardware.pixels import preview_jpeg
from hardware.sources import Picture, Source
from hardware.sources.settled import settled_picture
from hardware.sources.v4l2.finding import USB, Found, Place
from hardware.views import seen

if TYPE_CHECKING:  # its libraries are loaded when somebody learns a pedal
    from hardware.triggers.learning import Heard, Listening

_FORGOTTEN_S = 6.0  # nobody asked again: the devices are let go
_TURN_S = 20.0  # for whoever looks at present
_GRABBER = re.compile(rf"v4l2:({USB.pattern}|/dev/video\d+|/dev/v4l/by-(path|id)/[\w:.,@+-]+)")
_PATTERNS = ("pattern:ultrasound", "pattern:bars")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """How the composition root reaches devices that no configuration names."""

    grabbers: Callable[[], list[Found]] = list
    listening: "Callable[[], Listening] | None" = None  # opens every key device and serial port


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What a device shows with a profile: columns and rows as delivered, and a JPEG for looking."""

    width: int
    height: int
    jpeg: bytes


class Workbench:
    """One bench. `source` makes a source of settings, as for the configured ones."""

    def __init__(
        self,
        *,
        spool: Spool,
        tools: Tools,
        source: Callable[[SourceSettings], Source],
        grabbers: dict[str, Grabber],
        clock: Clock,
    ) -> None:
        self._spool = spool
        self._tools = tools
        self._source = source
        self._grabbers = grabbers
        self._clock = clock
        self._turn = threading.Lock()
        self._listening: Listening | None = None
        self._heard_ns = 0  # when somebody asked last

    def devices(self) -> list[dict[str, Any]]:
        """Return the grabbers that are plugged in, as the configuration names them, then the test pictures."""
        used = self._used()
        found: dict[str, dict[str, Any]] = {}
        for each in self._tools.grabbers():
            place = f"v4l2:usb:{each.port}:{each.identity}" if each.port else f"v4l2:{each.node}"
            entry = found.setdefault(place, {"device": place, "name": each.name, "used_by": ""})
            entry["used_by"] = entry["used_by"] or used.get(str(each.node), "")
        patterns = [{"device": each, "name": "", "used_by": used.get(each, "")} for each in _PATTERNS]
        return [*found.values(), *patterns]

    def profiles(self) -> list[dict[str, str]]:
        """Return the device profiles that come with the product; the first is what a device says of itself."""
        return [
            {"name": "", "title": ""},
            *({"name": n, "title": profiles.load(n).title} for n in profiles.names()),
        ]

    def look(self, device: str, profile: str, width: int) -> Look:
        """Return what a device shows with a profile.

        One in use shows what it gives now. Raises ExamOpen, Busy, BadValue, NoSignal, NotTried, ProfileUnfit.
        """
        with self._alone():
            try:
                chosen = profiles.load(profile)
                picture = self._picture(_checked(device), profile)
                if picture is None:
                    raise NoSignal(
                        "No picture comes from it.", action="Check that the device is on, and its cable."
                    )
                if not chosen.view.fits(picture):
                    raise ProfileUnfit(
                        f"It gives {picture.width} x {picture.height}: this profile is for another size."
                    )
                jpeg = preview_jpeg(seen(picture, chosen.view), width)
            except DeviceError as error:
                raise NotTried(str(error)) from error
        return Look(width=picture.width, height=picture.height, jpeg=jpeg)

    def hear(self, seconds: float, wanted: Callable[[], bool]) -> "tuple[Heard | None, Listening]":
        """Return what a person presses within so many seconds, None for nothing, and who was listened to.

        The devices stay open for whoever asks again at once. Raises ExamOpen, Busy.
        """
        with self._alone():
            listening = self._opened()
            end = self._clock.boottime_ns() + round(seconds * 1e9)
            heard = None
            while heard is None and wanted() and self._clock.boottime_ns() < end:
                heard = listening.hear(0.5)
            if heard:
                listening.settle()  # what is said when it is let go belongs to this press
            self._heard_ns = self._clock.boottime_ns()
            return heard, listening

    def step(self) -> None:
        """Let go of what nobody asks for any more, and of everything once an exam is open."""
        if self._listening is None or not self._turn.acquire(blocking=False):
            return
        try:
            idle_s = (self._clock.boottime_ns() - self._heard_ns) / 1e9
            if idle_s > _FORGOTTEN_S or self._is_examined():
                self._listening.close()
                self._listening = None
        finally:
            self._turn.release()

    def _is_examined(self) -> bool:
        try:
            return self._spool.exams.open_one() is not None
        except SpoolError:
            return True  # an index that cannot be read: an exam may be open

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._is_examined():
            raise ExamOpen("Devices are not tried while an exam is open.", action="Finish the exam first.")
        if not self._turn.acquire(timeout=_TURN_S):
            raise Busy("Another device is being tried.", action="Wait until that is over.")
        try:
            yield
        finally:
            self._turn.release()

    def _opened(self) -> "Listening":
        if self._listening is None:
            if self._tools.listening is None:
                raise NotTried("Pedals cannot be learned here.")
            self._listening = self._tools.listening()
            self._listening.settle()
        return self._listening

    def _picture(self, device: str, profile: str) -> Picture | None:
        user = self._user(device)
        if user is not None:
            frame = user.ring.newest()
            return frame.picture if frame else None
        source = self._source(SourceSettings(name="tried", device=device, profile=profile))
        return settled_picture(source, clock_ns=self._clock.boottime_ns)

    def _user(self, device: str) -> Grabber | None:
        """Return which source of the configuration has this device."""
        names = self._used()
        name = names.get(device) or next((names[node] for node in _nodes(device) if node in names), "")
        return self._grabbers.get(name)

    def _used(self) -> dict[str, str]:
        """Return the names of sources by device and by node."""
        used: dict[str, str] = {}
        for name, each in self._grabbers.items():
            used.setdefault(each.settings.device, name)
            for node in _nodes(each.settings.device):
                used.setdefault(node, name)
        return used


def _nodes(device: str) -> list[str]:
    """Return the nodes of a grabber now; none of what is none, or not there."""
    kind, _, where = device.partition(":")
    try:
        return [str(node.resolve()) for node in Place(where).look()] if kind == "v4l2" else []
    except DeviceError:
        return []


def _checked(device: str) -> str:
    """Return the words of a device that may be opened: nothing else of this machine may be, whoever asks."""
    if device not in _PATTERNS and not _GRABBER.fullmatch(device):
        raise BadValue("Only a grabber or a test picture can be looked at.")
    return device
