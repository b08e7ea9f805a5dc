"""Keeps one source open and fills its ring. Knows what the picture's state is; decides nothing about presses."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.capture.plugs import pause
from gateway.capture.ring import Ring
from gateway.capture.watch import Watch
from gateway.clock import Clock, Moment
from gateway.config.settings import Source as SourceSettings
from gateway.log import Sparingly
from gateway.messages import N_
from hardware.errors import DeviceError, DeviceMissing
from hardware.profiles import Profile
from hardware.sources import Loss, Picture, Source

_log = logging.getLogger(__name__)
_READ_S = 0.5  # longer than the frame interval of any usual source
_REOPEN_S = 1.0
_REST_S = 0.005  # after nothing: that should take half a second, and a source that is back at once must not spin
_HANGS_S = 2.0  # a driver may never return from a read
_STANDS_STILL_S = 5.0  # a device that neither gives nor says anything is opened anew
_STUCK_S = 10.0  # in a read, which returns after half a second
_STUCK_OPENING_S = 30.0  # of several calls, each of which a slow USB device may answer late
_SAID_AT_ONCE, _SAID_EVERY_S = 20, 30.0  # changes in the log: a worn plug or a mad scaler has several a second


class Signal(StrEnum):
    LIVE = "live"
    NO_SIGNAL = "no-signal"
    NO_CABLE = "no-cable"
    OUT_OF_RANGE = "out-of-range"
    CARD = "no-signal-picture"
    MISSING = "missing"
    REFUSED = "refused"
    STOPPED = "stopped"


_ANY_DEVICE = Profile()

# What a device says of its input: the state, its stable code and its words.
_SAID = N_(
    {
        Loss.NO_SIGNAL: (Signal.NO_SIGNAL, "VID-01", "The device says that its input has no signal."),
        Loss.NO_CABLE: (Signal.NO_CABLE, "VID-06", "The device says that no cable is connected to its input."),
        Loss.OUT_OF_RANGE: (
            Signal.OUT_OF_RANGE,
            "VID-07",
            "The device gets a signal of a size or rate that it cannot take: set another one on the scanner.",
        ),
    }
)


_MASKED = N_(
    "The picture is {width} x {height} now, and the masks of its device profile are for another "
    "size: nothing is shown or stored of it. Set the scanner back to its size, or call IT."
)
_CABLE = "Check that the device is on and its cable is plugged in."
_ACTIONS = N_(
    {
        Signal.LIVE: "",
        Signal.OUT_OF_RANGE: "Set another size or rate on the scanner.",
        Signal.MISSING: "Plug it in again; check its name in the configuration.",
        Signal.REFUSED: "Do what this says, or call IT.",
        Signal.STOPPED: "It comes back by itself; if it does not, check its cable.",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceState:
    """What a source does now, since when, and what to do about it."""

    signal: Signal
    since: Moment
    code: str = ""
    what: str = ""
    width: int = 0
    height: int = 0

    @property
    def action(self) -> str:
        return _ACTIONS.get(self.signal, _CABLE)


# What nothing was heard after stays as it is: a device of broken pictures gives none for a while at each opening.
_STANDING = (Signal.STOPPED, Signal.REFUSED)


class Grabber:
    """One source, its thread's work and its ring."""

    def __init__(
        self,
        *,
        settings: SourceSettings,
        source: Source,
        ring: Ring,
        clock: Clock,
        profile: Profile = _ANY_DEVICE,
        plugged: Callable[[], int] = int,
    ) -> None:
        """`plugged`: a number that grows when something is plugged in; 0 for ever where nobody looks."""
        self.settings = settings
        self.ring = ring
        self.view = profile.view
        self.watch = Watch(ring=ring, clock=clock, name=settings.name, card=profile.card)
        self.delay_ns = profile.input_delay_ms * 1_000_000
        self._source = source
        self._plugged = plugged
        self._clock = clock
        self._open = False
        self._read_ns = 0  # when the last picture came out of the source
        self._heard_ns = 0  # when it last gave or said anything, or was opened
        # Since when it is asked for something; CLOCK_MONOTONIC: a driver does nothing while the box sleeps.
        self._busy_ns: int | None = None
        self._state = SourceState(signal=Signal.NO_SIGNAL, since=clock.now(), code="VID-01", what="Starting.")
        self._said = Sparingly(burst=_SAID_AT_ONCE, every_s=_SAID_EVERY_S)

    @property
    def state(self) -> SourceState:
        """What the source does now; one whose driver hangs is not live, whatever it did last."""
        state, read_ns = self._state, self._read_ns
        if state.signal is not Signal.LIVE:
            return state
        if self._clock.boottime_ns() - read_ns > _HANGS_S * 1e9:
            return replace(
                state,
                signal=Signal.STOPPED,
                since=self._clock.at(read_ns),
                code="VID-02",
                what="The device stopped giving pictures.",
            )
        if self.watch.plain:
            return replace(
                state,
                signal=Signal.CARD,
                since=self.watch.plain_since,
                code="VID-08",
                what="The device shows that it has no signal.",
            )
        return state

    @property
    def stuck(self) -> bool:
        """Whether the source's driver does not return: only a new process gets rid of it."""
        # In this order: what is opened has its time renewed before it counts as open.
        allowed = _STUCK_S if self._open else _STUCK_OPENING_S
        since = self._busy_ns
        return since is not None and self._clock.monotonic_ns() - since > allowed * 1e9

    def run(self, stop: threading.Event) -> None:
        """Read until stopped; open again what went away."""
        while not stop.is_set():
            came = self._read_ns
            if not self.step():
                pause(self._clock, stop, _REOPEN_S, self._plugged)
            elif self._read_ns == came:
                self._clock.wait(stop, _REST_S)
        self._source.close()

    def step(self) -> bool:
        """Read one picture, opening the source first when it is closed; False when it cannot be had now."""
        try:
            self._busy_ns = self._clock.monotonic_ns()
            picture = self._read()
        except DeviceError as error:
            self._close()
            missing = isinstance(error, DeviceMissing)
            signal, code = (Signal.MISSING, "VID-04") if missing else (Signal.REFUSED, "VID-05")
            self._change(signal, code=code, what=str(error))
            return False
        finally:
            self._busy_ns = None
        if picture is None:
            return self._nothing_came()
        self._heard_ns = self._clock.boottime_ns()
        if isinstance(picture, Loss):
            signal, code, what = _SAID[picture]
            self._change(signal, code=code, what=what)
        elif self.view.forbids(picture):
            self._change(
                Signal.REFUSED, code="VID-05", what=_MASKED.format(width=picture.width, height=picture.height)
            )
        else:
            self._read_ns = self._heard_ns
            self.ring.put(picture)
            self._change(Signal.LIVE, width=picture.width, height=picture.height)
        return True

    def _read(self) -> Picture | Loss | None:
        if not self._open:
            self._source.open()
            self.ring.reopened()
            self._busy_ns = self._clock.monotonic_ns()
            self._open = True
            self._heard_ns = self._clock.boottime_ns()
        return self._source.read(_READ_S)

    def _nothing_came(self) -> bool:
        """Say so; open anew what stands still."""
        silent = self._clock.boottime_ns() - self._heard_ns > _STANDS_STILL_S * 1e9
        if silent and self._heard_ns == self._read_ns:
            self._change(Signal.STOPPED, code="VID-02", what="The device stands still. It is opened anew.")
        elif self._state.signal not in _STANDING or (silent and self._state.signal is Signal.REFUSED):
            self._change(Signal.NO_SIGNAL, code="VID-01", what="No picture arrives from the device.")
        if silent:
            self._close()
        return not silent

    def _close(self) -> None:
        self._open = False
        self._busy_ns = self._clock.monotonic_ns()
        self._source.close()
        self._busy_ns = None

    def _change(self, signal: Signal, *, code: str = "", what: str = "", width: int = 0, height: int = 0) -> None:
        old = self._state
        if (old.signal, old.what, old.width, old.height) == (signal, what, width, height):
            return
        self._state = SourceState(
            signal=signal, since=self._clock.now(), code=code, what=what, width=width, height=height
        )
        self._say()

    def _say(self) -> None:
        state = self._state
        self._said.event(
            state.since.boottime_ns,
            _log,
            "source_state",
            level=logging.INFO if state.signal is Signal.LIVE else logging.WARNING,
            source=self.settings.name,
            state=state.signal,
            code=state.code,
            size=f"{state.width}x{state.height}",
        )
