"""The appliance's own network and time, as the screen shows and changes them. Root makes the machine so.

A network that is set over the network is tried first and taken back unless somebody keeps it: root does that by
itself (gateway/machine/settings/trial.py). Whoever stands before the box cannot lock themselves out. Blocks: reads
files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.clock import Clock
from gateway.config import machine
from gateway.config.changes import Add, Change, Drop, Put
from gateway.config.editing import Editor, Trial
from gateway.config.lines import Place
from gateway.config.machine import WHEREABOUTS, Machine, Saved
from gateway.config.table import Table
from gateway.config.told import FOLDER, told
from gateway.errors import BadValue, ConfigurationError
from gateway.panel.configuring import State
from gateway.panel.own_certificate import OwnCertificate
from gateway.panel.own_data import OwnData
from gateway.panel.own_repair import OwnRepair
from gateway.panel.own_updates import OwnUpdates
from gateway.panel.own_upload import OwnUpload
from gateway.panel.own_usb import OwnUsb
from gateway.panel.problems import ClockIsSet, NoMachine, NothingTried
from gateway.panel.self_test.running import SelfTest
from gateway.panel.shown import setting_values
from gateway.panel.stored_data.checking import StoredData
from gateway.spool.audit import Audit
from gateway.spool.files import Files

_TRY, _SET_CLOCK = "machine-try", "clock-set"  # requests to root: machine/settings/trial.py, clock/by_hand.py
_REGIONS = frozenset(
    {
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
        "UTC",
    }
)
_STEP = "network"  # the table whose change may cost the connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What root says of the machine now; `seconds_left`: until a network that is tried is taken back, or 0."""

    network: Mapping[str, Any]
    clock: Mapping[str, Any]
    seconds_left: int


class OwnMachine:
    """One box."""

    def __init__(
        self,
        *,
        folder: Path,
        requests: Path,
        files: Files,
        audit: Audit,
        clock: Clock,
        certificate: OwnCertificate,
        data: OwnData,
        updates: OwnUpdates,
        upload: OwnUpload,
        usb: OwnUsb,
        self_test: SelfTest,
        stored_data: StoredData,
        repair: OwnRepair,
        says: Path = FOLDER,
    ) -> None:
        """`folder`: that of the configuration; `requests`: where root is asked; `says`: where it answers."""
        self.editor = Editor(folder / machine.NAME, disk=files, read=machine.read_text)
        self.certificate = certificate
        self.data = data
        self.updates = updates
        self.upload = upload
        self.usb = usb
        self.self_test = self_test
        self.stored_data = stored_data
        self.repair = repair
        self._requests = requests
        self._files = files
        self._audit = audit
        self._clock = clock
        self._says = says
        self._tried: Trial | None = None  # over the network, and not kept yet

    @property
    def tables(self) -> dict[str, Table]:
        return machine.tables(self.editor.kept.path.parent)

    @property
    def there(self) -> bool:
        """Say whether this is an appliance, whose network and time are set here."""
        return told("network", self._says) is not None

    def seen(self) -> Seen:
        """Return how it is now. Raises NoMachine."""
        network, clock = told("network", self._says), told("clock", self._says)
        if network is None:
            raise NoMachine
        until = network.get("until_ns")
        left = (until - self._clock.boottime_ns()) // 1_000_000_000 if isinstance(until, int) and until else 0
        return Seen(network=network, clock=clock or {}, seconds_left=max(0, left))

    def state(self) -> State:
        return State(revision=self.editor.revision(), writable=self.editor.is_writable, waits="")

    def settings(self) -> Machine:
        """Return what the file says, as root takes it."""
        return self._saved(self.editor.kept.read().raw).machine

    def tried(self, changes: Sequence[Change], revision: str) -> Trial:
        """Return what changes would make of the file. Raises BadValue, NoMachine, SettingsMoved.

        What root said that it leaves out goes with the first change elsewhere: it stands on another page, and two
        such values would keep each other from being put right.
        """
        if not self.there:
            raise NoMachine
        tables = self.tables
        for change in changes:
            if isinstance(change, Add) or len(change.place) == 1 or str(change.place[0]) not in tables:
                raise BadValue("This is no part of the machine's settings.")
        own = {change.place[:2] for change in changes if not isinstance(change, Add)}
        before = self._left_out()
        trial = self.editor.try_changes(changes, revision)
        still = set(self._saved(trial.text.raw).left_out) - own
        out = [Drop(place=each) for each in before if each in still]
        return self.editor.try_changes([*changes, *out], revision) if out else trial

    def make(self, trial: Trial, revision: str, *, over_network: bool, person: str = "") -> bool:
        """Write it; say False for what is only tried, because it could cost the connection over which it came.

        Raises SettingsWrong, SettingsMoved, SettingsReadOnly, SpoolError.
        """
        if over_network and not trial.problems and any(each.steps[0] == _STEP for each in trial.differences):
            self._tried = trial
            self._files.write_request(self._requests / _TRY, trial.text.raw)
            self._note("network-tried", trial, person)
            return False
        self.editor.write(trial, revision)
        self._note("machine-settings-changed", trial, person)
        return True

    def keep(self, *, person: str = "") -> None:
        """Keep the network that is being tried. Raises NothingTried."""
        trial = self._tried
        if (
            trial is None
            or not self.seen().seconds_left
            or self.seen().network.get("revision") != trial.text.revision
        ):
            raise NothingTried
        self.editor.write(trial, self.editor.revision())
        self._tried = None
        self._note("machine-settings-changed", trial, person)

    def set_zone(self, zone: str, *, person: str = "") -> None:
        """Have root set the time zone, which holds at once. Raises BadValue, and as `tried` and `make` do."""
        revision = self.state().revision
        trial = self.tried([Put(place=("time", "zone"), value=zone)], revision)
        if wrong := next(iter(trial.problems), None):
            name = setting_values.label(wrong.key)
            raise BadValue(f"This cannot be used: {name}: {wrong.reason}.")
        if trial.differences:
            self.make(trial, revision, over_network=False, person=person)

    def set_clock(self, local: datetime, *, person: str = "") -> None:
        """Have root set the clock to a time as it is read here. Raises NoMachine, ClockIsSet."""
        if self.seen().clock.get("by") == "ntp":
            raise ClockIsSet
        at = local.replace(tzinfo=ZoneInfo(self.settings().time.zone)).astimezone(UTC)
        who = {"person": person} if person else {}
        self._audit.note("clock-set", by="panel", **who, to=f"{at:%Y-%m-%dT%H:%M:%SZ}")
        self._files.write_request(self._requests / _SET_CLOCK, f"{at:%Y-%m-%dT%H:%M:%SZ}\n".encode())

    def _saved(self, raw: bytes) -> Saved:
        """Return what can be taken of a text; of a damaged one that is nothing."""
        try:
            return machine.read_saved(raw, self.editor.kept.path)
        except ConfigurationError:
            return Saved(machine=Machine())

    def _left_out(self) -> list[Place]:
        """Return what root said that it leaves out: a key that the panel alone cannot read is in use, and stays."""
        named = set(self.seen().network.get("wrong", []))
        lost = any(_dotted(each) in named for each in WHEREABOUTS)
        found = self._saved(self.editor.kept.read().raw).left_out
        return [each for each in found if _dotted(each) in named or (lost and each in WHEREABOUTS)]

    def _note(self, what: str, trial: Trial, person: str) -> None:
        keys = ", ".join(dict.fromkeys(".".join(each.steps) for each in trial.differences))
        who = {"person": person} if person else {}
        self._audit.note(what, by="panel", **who, keys=keys, revision=trial.text.revision[:12])


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def regions() -> list[str]:
    """Return the parts of the world by which time zones are chosen; what is missing has old names of the same."""
    return sorted({zone.partition("/")[0] for zone in machine.zones()} & _REGIONS)


def cities(region: str) -> Iterator[tuple[str, str]]:
    """Yield the zones of a region and how each is called."""
    for zone in sorted(machine.zones()):
        if zone.partition("/")[0] == region:
            yield zone, (zone.partition("/")[2] or zone).replace("_", " ")
