"""The capture process as built, before any of its threads runs: every part, by keyword, from the settings."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.capture.answers import Due
from gateway.capture.clips import Clips
from gateway.capture.foreseen import Foreseen
from gateway.capture.grabber import Grabber
from gateway.capture.heat import Heat
from gateway.capture.moment import Moments
from gateway.capture.pedals import Pedal
from gateway.capture.prerecord import PreRecord
from gateway.capture.presses import Presses
from gateway.capture.preview import Preview
from gateway.capture.recorder import Recorder
from gateway.capture.requests import Requests
from gateway.capture.ring import Ring
from gateway.capture.server import Desk
from gateway.capture.signs import Sign, Signs
from gateway.capture.status import Status
from gateway.capture.workbench import Tools, Workbench
from gateway.config.settings import Settings
from gateway.config.settings import Sign as SignSettings
from gateway.config.settings import Source as SourceSettings
from gateway.config.settings import Trigger as TriggerSettings
from gateway.errors import SpoolError
from gateway.spool.spool import Spool
from hardware import profiles
from hardware.errors import DeviceRefused
from hardware.hotplug import Hotplug
from hardware.indicators import Output
from hardware.machine import Sensors
from hardware.profiles import Profile
from hardware.sources import Source
from hardware.sources.absent import AbsentSource
from hardware.sources.v4l2.wish import Wish
from hardware.triggers import Trigger
from hardware.views import Box

_MB = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Devices:
    """How the composition root makes devices from the configuration's words."""

    source: Callable[[SourceSettings], Source]
    trigger: Callable[[TriggerSettings], Trigger]
    sign: Callable[[SignSettings], Output]
    tools: Tools = field(default_factory=Tools)
    sensors: Sensors = field(default_factory=Sensors)
    hotplug: Hotplug | None = None  # None: devices are looked for once a second, and nobody says what came

    def plugged(self) -> int:
        """Return a number that grows when something is plugged in."""
        return self.hotplug.seen() if self.hotplug else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the process's threads work on."""

    grabbers: dict[str, Grabber]
    recorder: Recorder
    clips: Clips
    foreseen: Foreseen
    prerecords: dict[str, PreRecord]
    due: Due
    heat: Heat
    pedals: list[Pedal]
    signs: list[Sign]
    status: Status
    desk: Desk


def build(settings: Settings, spool: Spool, devices: Devices, start_counter: int) -> Parts:
    """Return the parts; no device is opened yet."""
    clock = spool.clock
    grabbers = {source.name: _grabber(source, spool, devices, start_counter) for source in settings.sources}
    moments = Moments(spool=spool, grabbers=grabbers, clock=clock)
    recorder, due, heat = Recorder(spool=spool), Due(clock=clock), Heat(sensors=devices.sensors, clock=clock)
    prerecords = _prerecords(spool, grabbers)
    clips = _clips(spool, moments=moments, recorder=recorder, prerecords=prerecords)
    signs = _signs(settings, spool, devices)
    foreseen = Foreseen(clips=clips, spool=spool, indicator=Signs(signs), clock=clock)
    presses = _presses(settings, spool, due, heat, moments=moments, recorder=recorder, clips=clips, signs=signs)
    pedals = _pedals(settings, spool, devices, presses)
    status = Status(
        spool=spool,
        grabbers=grabbers,
        pedals=pedals,
        signs=signs,
        presses=presses,
        clips=clips,
        foreseen=foreseen,
        recorder=recorder,
        heat=heat,
        clock=clock,
    )
    desk = _desk(
        spool, devices, start_counter, presses=presses, recorder=recorder, grabbers=grabbers, status=status
    )
    return Parts(
        grabbers=grabbers,
        recorder=recorder,
        clips=clips,
        foreseen=foreseen,
        prerecords=prerecords,
        due=due,
        heat=heat,
        pedals=pedals,
        signs=signs,
        status=status,
        desk=desk,
    )


def _clips(spool: Spool, *, moments: Moments, recorder: Recorder, prerecords: dict[str, PreRecord]) -> Clips:
    return Clips(
        spool=spool,
        recorder=recorder,
        clock=spool.clock,
        sources=moments.sources,
        prerecords=prerecords,
        next_part=moments.next_part,
    )


def _desk(
    spool: Spool,
    devices: Devices,
    start: int,
    *,
    presses: Presses,
    recorder: Recorder,
    grabbers: dict[str, Grabber],
    status: Status,
) -> Desk:
    return Desk(
        presses=presses,
        recorder=recorder,
        previews={name: Preview(ring=grabber.ring, view=grabber.view) for name, grabber in grabbers.items()},
        status=status,
        bench=Workbench(
            spool=spool, tools=devices.tools, source=devices.source, grabbers=grabbers, clock=spool.clock
        ),
        start_counter=start,
        clock=spool.clock,
    )


def _presses(
    settings: Settings,
    spool: Spool,
    due: Due,
    heat: Heat,
    *,
    moments: Moments,
    recorder: Recorder,
    clips: Clips,
    signs: list[Sign],
) -> Presses:
    return Presses(
        spool=spool,
        moments=moments,
        recorder=recorder,
        clips=clips,
        requests=Requests(spool=spool, recorder=recorder),
        due=due,
        heat=heat,
        indicator=Signs(signs),
        station=settings.station,
        clock=spool.clock,
    )


def _grabber(source: SourceSettings, spool: Spool, devices: Devices, start_counter: int) -> Grabber:
    try:
        profile, device = profile_of(source), devices.source(source)
    except DeviceRefused as error:  # the other sources go on
        profile, device = Profile(), AbsentSource(error)
    return Grabber(
        settings=source,
        source=device,
        profile=profile,
        ring=Ring(start_counter=start_counter, budget_bytes=source.ring_mb * _MB),
        clock=spool.clock,
        plugged=devices.plugged,
    )


def _prerecords(spool: Spool, grabbers: dict[str, Grabber]) -> dict[str, PreRecord]:
    """Return what keeps the last seconds of the sources that want it."""

    def exam_is_open() -> bool:
        try:
            return spool.exams.open_one() is not None
        except SpoolError:
            return True  # an index that cannot be read is no reason to lose what led to a clip

    return {
        name: PreRecord(
            grabber=grabber,
            seconds=grabber.settings.pre_record_s,
            budget_bytes=grabber.settings.ring_mb * _MB,
            clock=spool.clock,
            wanted=exam_is_open,
        )
        for name, grabber in grabbers.items()
        if grabber.settings.pre_record_s
    }


def profile_of(source: SourceSettings) -> Profile:
    """Return the device profile of a source, with what its own settings say instead. Raises DeviceRefused."""
    profile = profiles.load(source.profile)
    view = profile.view
    known = profile.wish
    wish = Wish(
        input=source.input or known.input,
        standard=known.standard if source.standard == "auto" else source.standard,
        size=source.size or known.size,
        rate=source.rate or known.rate,
        formats=source.format or known.formats,
    )
    if source.size and (view.crop or view.masks) and source.size != view.size:
        raise DeviceRefused("The source's size is not that of its profile, whose crop and masks need it.")
    if source.crop:
        x, y, width, height = source.crop
        view = replace(view, crop=Box(x=x, y=y, width=width, height=height))
        if view.size and view.crop and not view.crop.inside(*view.size):
            raise DeviceRefused("The source's crop does not lie inside the size of its profile.")
    return replace(profile, view=view, wish=wish)


def _pedals(settings: Settings, spool: Spool, devices: Devices, presses: Presses) -> list[Pedal]:
    return [
        Pedal(
            name=f"{trigger.kind}-{number}",
            trigger=devices.trigger(trigger),
            source=trigger.source,
            presses=presses,
            clock=spool.clock,
            plugged=devices.plugged,
        )
        for number, trigger in enumerate(settings.triggers, 1)
    ]


def _signs(settings: Settings, spool: Spool, devices: Devices) -> list[Sign]:
    return [
        Sign(
            name=f"{sign.kind}-{number}",
            output=devices.sign(sign),
            clock=spool.clock,
            plugged=devices.plugged,
        )
        for number, sign in enumerate(settings.signs, 1)
    ]
