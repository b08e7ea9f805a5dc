"""A grabber as a `Source`: opened where it is plugged in, brought into a proved mode, never waited for."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hardware.errors import DeviceError, DeviceMissing, DeviceRefused, PictureDamaged
from hardware.sources import Loss, Picture
from hardware.sources.v4l2 import inputs, modes, offers
from hardware.sources.v4l2.calls import Device, Identity
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.line import Line
from hardware.sources.v4l2.modes import Mode
from hardware.sources.v4l2.node import KernelNode, Node
from hardware.sources.v4l2.pictures import Pictures
from hardware.sources.v4l2.signal import Signal
from hardware.sources.v4l2.stream import Stream
from hardware.sources.v4l2.timing import Count, Timing
from hardware.sources.v4l2.wish import Wish

_DAMAGED_NS = 2_000_000_000  # so long nothing but damaged pictures: that is no accident any more
_MANY = 8  # damaged pictures in a row, from which on a device that floods is slowed down
_BREATH_S = 0.05  # after what a device may do without end, so that it does not take the processor
_PACE_NS = 2_000_000  # between two pictures: 500 a second are more than any scanner has
_COMPRESSED = ("MJPEG", "JPEG")
_WORDS = {
    errno.EBUSY: "another program uses it: end that one",
    errno.ENOSPC: "its USB port has no room for these pictures: use a port of its own, or a lower rate or size",
    errno.ENOMEM: "there is no memory for its pictures: use a lower size, or fewer video adapters",
    errno.EIO: "it does not answer as it should: it is opened anew. Try another cable or port if that lasts",
}


class V4l2Source:
    """Pictures of one grabber.

    `clock_ns`: CLOCK_BOOTTIME; `monotonic_ns`: CLOCK_MONOTONIC; `wait` holds the calling thread for some seconds;
    `node` opens a node of /dev, or what stands for it in a test.
    """

    def __init__(
        self,
        *,
        place: Place,
        wish: Wish,
        clock_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        wait: Callable[[float], None],
        node: Callable[[Path], Node] = KernelNode,
    ) -> None:
        self._place, self._wish, self._node = place, wish, node
        self._clock_ns, self._wait = clock_ns, wait
        self._timing = Timing(clock_ns=clock_ns, monotonic_ns=monotonic_ns)
        self._count = Count()
        self._device: Device | None = None
        self._signal: Signal | None = None
        self._running: tuple[Stream, Pictures] | None = None
        self._good_ns = self._given_ns = 0  # when the last good picture came, and went
        self._damaged = 0  # since then
        self.identity: Identity | None = None  # of what was opened last
        self.mode: Mode | None = None  # in which it was then

    def open(self) -> None:
        """Find it, open it, agree on a mode and start; without a signal it is waited for in `read`."""
        self.close()
        try:
            self._device = device = self._opened()
            chosen = inputs.choose(device, self._wish.input)
            follow = self._wish.standard == "auto"
            self._signal = Signal(device=device, chosen=chosen, follow=follow, clock_ns=self._clock_ns)
            self._begin(device, self._signal)
        except OSError as error:
            self.close()
            raise self._refusal(error) from error
        except DeviceError:
            self.close()
            raise

    def read(self, timeout: float) -> Picture | Loss | None:
        if self._device is None or self._signal is None:
            raise DeviceMissing(f"The video adapter at {self._place.where} is not open.")
        give_up = self._clock_ns() + round(timeout * 1e9)
        try:
            while True:
                found = self._step(self._device, self._signal, give_up)
                if found is not None:
                    return found
                if self._clock_ns() >= give_up:
                    return self._signal.loss
        except OSError as error:
            raise self._refusal(error) from error

    def close(self) -> None:
        self._end()
        self._count = Count()
        device, self._device = self._device, None
        if device is not None:
            device.node.close()

    def _opened(self) -> Device:
        """Return the first of the nodes there that takes pictures."""
        reasons: list[Exception] = []
        for path in self._place.look():
            try:
                device = Device(self._node(path), self._place.where)
            except DeviceError as error:
                reasons.append(error)
                continue
            try:
                self.identity = device.identity()
            except (DeviceError, OSError) as error:
                device.node.close()
                reasons.append(error)
            else:
                return device
        raise reasons[0]

    def _begin(self, device: Device, signal: Signal) -> Loss | None:
        """Agree on a mode and start the stream; return why there is none."""
        line = inputs.agree(device, signal.chosen, self._wish.standard)
        if isinstance(line, Loss):
            signal.loss = line
            return line
        self.mode = modes.negotiate(device, line, self._wish)
        stream = self._started(device, line)
        self._count.anew()
        self._running = (stream, Pictures(mode=self.mode, count=self._count, timing=self._timing))
        self._good_ns, self._damaged = self._clock_ns(), 0
        signal.agreed(line)
        return None

    def _started(self, device: Device, line: Line) -> Stream:
        """Start the stream; compressed when the USB port has no room for it, and nobody asked for more."""
        try:
            return Stream(device)
        except OSError as error:
            smaller = replace(self._wish, formats=_COMPRESSED)
            if error.errno != errno.ENOSPC or self._wish.formats or not offers.layouts(device, smaller):
                raise
        self.mode = modes.negotiate(device, line, smaller)
        return Stream(device)

    def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running[0].stop()

    def _step(self, device: Device, signal: Signal, give_up: int) -> Picture | Loss | None:
        """Deal with the next thing that happens, or with nothing until `give_up`."""
        if self._running is None and (loss := self._begin(device, signal)) is not None:
            self._idle(device, signal, give_up)
            return loss
        if signal.is_other():
            self._end()  # and begin anew with the next step
            return None
        left_ns = min(give_up, signal.due_ns if signal.chosen else give_up) - self._clock_ns()
        ready = device.node.wait(max(0, left_ns) / 1e9, pictures=True)
        if ready.event and signal.happened():
            self._end()
        elif ready.picture:
            return self._take(signal)
        elif ready.trouble:
            device.identity()  # raises when the device is gone
            self._end()
            self._wait(_BREATH_S)
        elif ready.event:
            self._wait(_BREATH_S)  # an event that nobody can take
        return None

    def _idle(self, device: Device, signal: Signal, give_up: int) -> None:
        """Wait for a signal."""
        ready = device.node.wait(max(0, give_up - self._clock_ns()) / 1e9, pictures=False)
        if not signal.happened() and (ready.trouble or ready.event):
            self._wait(_BREATH_S)

    def _take(self, signal: Signal) -> Picture | None:
        """Return the picture that waits; None when it is not whole, or of a signal that is lost."""
        assert self._running
        stream, pictures = self._running
        delivered = stream.take()
        if delivered is None:
            self._wait(_BREATH_S / 5)  # a device that promises a picture and has none may go on like that
            return None
        try:
            picture = pictures.of(delivered)
        except PictureDamaged as error:
            self._note_damage(str(error), lost=signal.loss is not None)
            return None
        if picture is None:
            return None
        now = self._clock_ns()
        self._good_ns, self._damaged = now, 0
        if now - self._given_ns < _PACE_NS:
            self._wait((_PACE_NS - now + self._given_ns) / 1e9)
        self._given_ns = self._clock_ns()
        return picture if signal.loss is None else None

    def _note_damage(self, why: str, *, lost: bool) -> None:
        """Count a picture that is none. Raises DeviceRefused when there is nothing else."""
        self._damaged += 1
        if self._damaged > _MANY:
            self._wait(_BREATH_S / 5)
        if self._clock_ns() - self._good_ns > _DAMAGED_NS and not lost:
            raise DeviceRefused(
                f"Only damaged pictures arrive from the video adapter at {self._place.where}. {why} Try another "
                "cable or USB port, or another format or size in the configuration."
            )

    def _refusal(self, error: OSError) -> DeviceRefused:
        words = _WORDS.get(error.errno or 0, f"{error.strerror or 'it failed'}: it is opened anew")
        return DeviceRefused(f"The video adapter at {self._place.where} cannot be used: {words}.")
