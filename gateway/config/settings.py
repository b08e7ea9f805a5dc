"""The configuration as values: one dataclass a table, with defaults that work without hardware."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    listen: Address = Address(host="127.0.0.1", port=8080)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    temporary: str = "hold"  # or "send"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One picture source and the imaging device behind it."""

    name: str = "test-picture"
    device: str = "pattern:bars"  # KIND:WHERE
    modality: str = "OT"
    jpeg_quality: int = 90
    ring_mb: int = 96
    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    station_name: str = ""
    department: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    kind: str  # "serial"
    device: str
    source: str
    still: str = ""  # "byte:0x53"
    clip: str = ""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """Another address of the same archive: some answer a service elsewhere than where they store."""

    ae_title: str
    host: str
    port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    name: str
    kind: str = "dicom"
    ae_title: str = ""  # of kind dicom, as host and port
    host: str = ""
    port: int = 0
    required: bool = True
    transfer_syntaxes: tuple[str, ...] = ()  # UIDs; empty = the ladder
    max_object_mb: int = 500
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
    reserve_mb: int = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The whole file, checked."""

    station: Station = field(default_factory=Station)
    panel: Panel = field(default_factory=Panel)
    release: Release = field(default_factory=Release)
    sources: tuple[Source, ...] = (Source(),)
    triggers: tuple[Trigger, ...] = ()
    worklists: tuple[Worklist, ...] = ()
    destinations: tuple[Destination, ...] = ()
    retention: Retention = field(default_factory=Retention)
