"""The configuration as values: one dataclass a table, with defaults that work without hardware."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """How a connection is secured. The files are read at every connection, so a renewed one needs no restart."""

    ca: Path | None  # PEM: whose word we take for the other side; None = the system's authorities
    certificate: Path | None = None  # PEM, with its chain: ours; together with `key` or not at all
    key: Path | None = None
    check_name: bool = True  # the other side's certificate must name the host that was called


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    name: str = "SCOPEGATE"
    ae_title: str = "SCOPEGATE"
    listen: Address = Address(host="127.0.0.1", port=11112)
    institution: str = ""
    issuer: str = ""
    data_dir: Path = Path("/var/lib/scopegate")
    runtime_dir: Path = Path()  # resolved by the reader; never empty afterwards
    temporary_id: str = "EMERG-{station}-{date}{time}-{random4}"
    typed_id: str = "{station}-{date}{time}-{random4}"  # of patients who are typed without an ID
    tls: Tls | None = None  # of the listener


ENGLISH = "en"
LANGUAGES = (ENGLISH, "de", "it", "zh-Hans")  # tags of RFC 5646
STICK = Path("/media/usb")  # where the box mounts any stick: systemd/media-usb.mount


@dataclass(frozen=True, kw_only=True, slots=True)
class Lan:
    """The panel's second door: browsers of the network. Shut until an administrator exists."""

    listen: Address = Address(host="0.0.0.0", port=8443)  # noqa: S104 - that is what it is for
    certificate: Path  # PEM, with its chain; read anew when it changes, as `key`
    key: Path
    capture: bool = False  # whether pictures may be taken from there


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    listen: Address = Address(host="127.0.0.1", port=8080)
    lan: Lan | None = None
    language: str = ENGLISH
    theme: str = "dark"  # or "light"
    buttons: str = "right"  # or "left": on which side of the picture
    operators: tuple[str, ...] = ()  # person names (PS3.5 6.2) of those who may say that they work here
    keyboard: str = "auto"  # by the language; or "qwerty", "qwertz", "azerty", "italian"
    screen_mm: int = 0  # its width; 0: keys have the size that a screen of 7 or 10 inches needs
    switch_off: bool = False  # whether the screen may switch the box off: the units for it are enabled
    kiosk: bool = False  # whether the box has a screen of its own, whose browser is watched: the units are enabled
    practice: bool = False  # whether the screen may begin practice: the units for it are enabled
    practice_of: Address | None = None  # of practice itself: where the panel of the real box is


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """The listener for the clinic's monitoring."""

    listen: Address | None = None  # None: nobody asks


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    format: str = "text"  # or "json": one object a line


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    when: str = "finish"  # or "at-once"
    temporary: str = "hold"  # or "send"
    reopen_hours: int = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One picture source and the imaging device behind it."""

    name: str = "test-picture"
    device: str = "pattern:bars"  # KIND:WHERE
    profile: str = ""  # a name of hardware/profiles, or a file
    input: str = ""  # of a grabber, as what follows: name or number; "" the first
    standard: str = "auto"  # of an analog input
    size: tuple[int, int] | None = None  # columns, lines; None: the device's best
    rate: int = 0  # pictures a second; 0: the device's best up to 30
    format: tuple[str, ...] = ()  # the preferred ones first; (): as the device can
    modality: str = "OT"
    object: str = "secondary-capture"  # or "ultrasound", "endoscopic", "photographic"
    still: str = "auto"
    clip: str = "auto"  # "h264" when longer than ten seconds, else "jpeg"
    jpeg_quality: int = 90
    crop: tuple[int, int, int, int] | None = None  # x, y, width, height in pixels of the source
    aspect: str = "square"  # or "keep"
    ring_mb: int = 96
    pre_record_s: int = 0  # of a clip, before its press
    clip_limit_s: int = 600  # a forgotten clip ends by itself
    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    station_name: str = ""
    department: str = ""
    idle: str = "auto"  # by the modality; or "cover", "strip", "off": how it asks whether the patient is there
    idle_minutes: int = 10
    idle_end_minutes: int = 30  # 0: no exam ends by itself
    body_part: str = ""  # that it always shows, a word of body_parts; "" = not known


def idle_mode(sources: Sequence[Source]) -> str:
    """Return how it is asked whether an exam's patient is still there: of several sources the mildest way.

    An endoscope's picture is never covered: somebody may be looking at it.
    """
    modes = {source.idle for source in sources}
    if any(s.idle == "auto" and (s.modality == "ES" or s.object == "endoscopic") for s in sources):
        modes.add("strip")
    return next((mode for mode in ("off", "strip") if mode in modes or not sources), "cover")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    kind: str  # "serial", "input" or "gpio"
    device: str
    source: str
    still: str = ""  # "byte:0x53" or "cts"; "key:0xB7"; "pin:17"
    clip: str = ""
    identity: str = ""  # of kind input: "VENDOR:PRODUCT" of what must be plugged in there
    active: str = "low"  # of kind gpio, as bias: the level of a closed contact, or "high"
    bias: str = ""  # "pull-up", "pull-down" or "none"; "" = towards the level of an open contact


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """A lamp or a loudspeaker that answers presses."""

    kind: str  # "tone", "gpio" or "serial"
    device: str = ""  # of kind tone "" = ALSA's default
    lamp: str = ""  # "pin:27"; "rts" or "dtr"
    active: str = "high"  # the level at which the lamp is lit, or "low"
    volume: int = 50  # of kind tone: percent of what the sound card can


@dataclass(frozen=True, kw_only=True, slots=True)
class Worklist:
    name: str
    ae_title: str
    host: str
    port: int
    modality: str = ""
    station_ae_title: str = ""
    days_back: int = 1
    days_ahead: int = 1
    fallback_charset: str = ""
    issuer: str = ""
    tls: Tls | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcedureStep:
    """A server that is told of performed procedure steps."""

    name: str
    ae_title: str
    host: str
    port: int
    tls: Tls | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """Another address of the same archive: some answer a service elsewhere than where they store."""

    ae_title: str
    host: str
    port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    name: str
    kind: str = "dicom"  # or "stow"
    ae_title: str = ""  # of kind dicom, as host and port
    host: str = ""
    port: int = 0
    url: str = ""  # of kind stow, as what follows: the DICOMweb root, without a slash at its end
    token_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    insecure: bool = False  # http:// to another machine was meant
    folder: Path = Path()  # of kind media: where its file system is mounted
    required: bool = True
    transfer_syntaxes: tuple[str, ...] = ()  # UIDs; empty = the ladder
    max_object_mb: int = 500
    sources: tuple[str, ...] = ()  # only what these took; empty = every source
    types: tuple[str, ...] = ()  # "still", "clip"; empty = both
    longest_clip_s: int = 0  # 0 = any
    fallback: str = "hold"  # of a clip that it does not take; or "jpeg", "key-stills"
    key_stills: int = 3  # of one clip
    tls: Tls | None = None
    commitment: Entity | bool = False  # who is asked to vouch for what was sent; True: the archive itself
    commitment_hours: int = 24  # until it is asked again
    commitment_wait_s: int = 5  # how long the association stays open for the report
    query: Entity | bool = False  # who is asked what the archive has; True: the archive itself
    trust_query: bool = False  # whether its answer is proof

    def entity(self, service: Entity | bool) -> Entity | None:  # noqa: FBT001 - a value of the file
        """Return who gives a service of this archive, None when nobody does."""
        if isinstance(service, Entity):
            return service
        return Entity(ae_title=self.ae_title, host=self.host, port=self.port) if service else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    keep_days: int = 30  # after every required destination vouched for a picture; 0 = at once
    rejected_days: int = 30
    reserve_mb: int = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRepository:
    """Who gets audit messages, by syslog over TLS."""

    host: str
    port: int = 6514  # RFC 5425 4.1
    tls: Tls


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The whole file, checked."""

    station: Station = field(default_factory=Station)
    panel: Panel = field(default_factory=Panel)
    metrics: Metrics = field(default_factory=Metrics)
    log: Log = field(default_factory=Log)
    release: Release = field(default_factory=Release)
    sources: tuple[Source, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    signs: tuple[Sign, ...] = ()
    worklists: tuple[Worklist, ...] = ()
    procedure_steps: tuple[ProcedureStep, ...] = ()
    destinations: tuple[Destination, ...] = ()
    retention: Retention = field(default_factory=Retention)
    audit: AuditRepository | None = None
