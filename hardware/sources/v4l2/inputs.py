"""A grabber's inputs: which one is taken, what was agreed for it, and what the device says of its signal."""

from linuxpy.video import raw

from hardware.errors import DeviceRefused
from hardware.sources import Loss
from hardware.sources.v4l2 import analog, digital
from hardware.sources.v4l2.calls import Device, text
from hardware.sources.v4l2.line import Input, Line

_STATUS = {  # of an input, the gravest first
    raw.InputStatus.NO_POWER: Loss.NO_CABLE,
    raw.InputStatus.NO_SIGNAL: Loss.NO_SIGNAL,
    raw.InputStatus.NO_H_LOCK: Loss.NO_SIGNAL,
    raw.InputStatus.NO_SYNC: Loss.NO_SIGNAL,
}


def choose(device: Device, wanted: str) -> Input | None:
    """Switch to the wanted input, or to the first; None when the device has none to choose.

    Raises DeviceRefused when there is none of that name, or when the device does not switch.
    """
    found = _inputs(device)
    if not found:
        return None
    names = [each.name.casefold() for each in found]
    if not wanted:
        chosen = found[0]
    elif wanted.casefold() in names:
        chosen = found[names.index(wanted.casefold())]
    elif wanted.isdecimal() and int(wanted) < len(found):
        chosen = found[int(wanted)]
    else:
        offered = ", ".join(f'"{each.name}"' for each in found)
        raise DeviceRefused(f'{device.name} has no input "{wanted}": it has {offered}.')
    if device.integer(raw.IOC.G_INPUT) != chosen.index:
        device.integer(raw.IOC.S_INPUT, chosen.index)
    if device.integer(raw.IOC.G_INPUT) != chosen.index:
        raise DeviceRefused(f'{device.name} does not switch to its input "{chosen.name}".')
    return chosen


def current(device: Device) -> Input | None:
    """Return the input that the device is switched to; None when it has none to choose."""
    found = {each.index: each for each in _inputs(device)}
    return found.get(device.integer(raw.IOC.G_INPUT)) if found else None


def _inputs(device: Device) -> list[Input]:
    found: list[Input] = []
    for each in device.every(raw.IOC.ENUMINPUT, raw.v4l2_input):
        has_timings = bool(each.capabilities & raw.InputCapabilities.DV_TIMINGS)
        analog = bool(each.capabilities & raw.InputCapabilities.STD)
        port = sum(other.has_timings for other in found)
        found.append(
            Input(
                index=each.index,
                name=text(each.name),
                standards=int(each.std) if analog else 0,
                has_timings=has_timings,
                port=port,
            )
        )
    return found


def agree(device: Device, chosen: Input | None, standard: str) -> Line | Loss:
    """Set the standard or the timings that arrive; return what was set, or why nothing can be.

    Raises DeviceRefused when the device does not take them.
    """
    if chosen is None:
        return Line()
    if (loss := status(device, chosen)) is not None:
        return loss
    if chosen.has_timings:
        return digital.agree(device, chosen)
    if chosen.standards:
        return analog.agree(device, chosen, standard)
    return Line(input=chosen)


def status(device: Device, chosen: Input) -> Loss | None:
    """Return what the device says of the signal at the input that it is switched to."""
    if chosen.has_timings:
        # What the timings say is more exact, and some drivers leave the status at 0.
        found = digital.timings(device, chosen)
        if found is None or isinstance(found, Loss):
            return found
    told = device.ask(raw.IOC.ENUMINPUT, raw.v4l2_input(index=chosen.index))
    bits = 0 if told is None else int(told.status)
    return next((loss for bit, loss in _STATUS.items() if bits & bit), None)
