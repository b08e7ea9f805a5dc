"""Makes the machine what `machine.toml` and the configuration say: files below /run, and the programs told of them.

Nothing here is lost with a file: whatever is wrong with one, the box keeps a network (DHCP) and says so.
"""

import logging
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import keeping, machine, reader
from gateway.config.keeping import text_at
from gateway.config.machine import Machine, Saved
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, MachineFailed
from gateway.log import event, warn
from gateway.machine.clock import chrony
from gateway.machine.network import firewall, networkd, supplicant
from gateway.machine.network.ports import Port, chosen
from gateway.machine.programs import Programs

_log = logging.getLogger(__name__)
DAMAGED = "damaged"  # machine.toml: DHCP until somebody puts it right


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where everything lies on an appliance."""

    machine: Path = Path("/etc/scopegate/machine.toml")
    settings: Path = Path("/etc/scopegate/scopegate.toml")
    run: Path = Path("/run")
    told: Path = Path("/run/scopegate-machine")
    zones: Path = Path("/usr/share/zoneinfo")
    hostname: Path = Path("/proc/sys/kernel/hostname")

    @property
    def heard(self) -> Path:
        """Where networkd says what DHCP servers say."""
        return self.run / "systemd/netif/state"


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What the machine is now. `problem`: a word for what could not be read, or whose program failed."""

    revision: str  # of machine.toml, or of what is tried in its place
    port: str
    inner: str  # the port that has the address: the VLAN's inside the first one
    method: str
    problems: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()  # keys of machine.toml that are not what the machine is


@dataclass(frozen=True, kw_only=True)
class Applying:
    """One machine. Each part is taken by itself: a firewall that fails keeps no network from coming up."""

    places: Places
    programs: Programs
    ports: Callable[[], list[Port]]
    failed: list[str] = field(default_factory=list)

    def file(self) -> Applied:
        """Make the machine what its file says."""
        found = text_at(self.places.machine)
        return self.text(found.raw, found.revision)

    def text(self, raw: bytes, revision: str) -> Applied:
        """Make the machine what a text says that stands, or might stand, in the file."""
        self.failed.clear()
        saved = self._saved(raw)
        wanted = saved.machine
        self._try("firewall", self._firewall)
        self._try("zone", lambda: self._zone(wanted))
        port = chosen(wanted.network, self.ports())
        self._try("network", lambda: self._network(wanted, port))
        self._try("hostname", lambda: self._hostname(wanted))
        self._try("port-access", lambda: self._port_access(wanted, port))
        self._try("time", lambda: self._time(wanted))
        event(_log, "machine_applied", port=port, method=wanted.network.method, failed=",".join(self.failed))
        return Applied(
            revision=revision,
            port=port,
            inner=networkd.vlan_name(wanted.network.vlan) if wanted.network.vlan else port,
            method=wanted.network.method,
            problems=tuple(self.failed),
            wrong=tuple(".".join(map(str, place)) for place in saved.wrong),
        )

    # --- inside --------------------------------------------------------------------------------------------

    def _try(self, what: str, part: Callable[[], None]) -> None:
        try:
            part()
        except (MachineFailed, OSError) as error:
            warn(_log, "part_failed", part=what, why=str(error))
            self.failed.append(what)

    def _saved(self, raw: bytes) -> Saved:
        try:
            saved = machine.read_saved(raw, self.places.machine)
        except ConfigurationError as error:
            for problem in error.problems:
                warn(_log, "machine_toml_refused", line=problem.line, key=problem.key)
            self.failed.append(DAMAGED)
            return Saved(machine=Machine())
        for place in saved.wrong:
            warn(_log, "machine_toml_wrong", key=".".join(map(str, place)))
        return saved

    def _firewall(self) -> None:
        """Open the ports of the configuration; one that cannot be read leaves those open that are."""
        try:
            raw = keeping.raw_at(self.places.settings)
            settings: Settings = reader.read_text(raw, self.places.settings, {})
        except (ConfigurationError, OSError):
            self.failed.append("settings")
            return
        self.programs.run("nft", "-f", "-", given=firewall.rules(firewall.openings(settings)))

    def _zone(self, wanted: Machine) -> None:
        """Point /etc/localtime, which the image points here, at the zone."""
        link, there = self.places.told / "localtime", self.places.zones / wanted.time.zone
        if link.is_symlink() and link.readlink() == there:
            return
        new = link.with_name("localtime.new")
        new.unlink(missing_ok=True)
        new.symlink_to(there)
        new.rename(link)

    def _network(self, wanted: Machine, port: str) -> None:
        folder = self.places.run / networkd.FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        files = networkd.files(wanted.network, port)
        old = {path.name: path for path in folder.glob(f"{networkd.PREFIX}*")}
        gone = _vlans(old.values()) - {networkd.vlan_name(wanted.network.vlan)}
        changed = [_written(folder / name, text, 0o644) for name, text in files.items()]
        for name in old.keys() - files.keys():
            old[name].unlink()
        try:
            self._tell("network", "networkctl", "reload", changed=any(changed) or bool(old.keys() - files.keys()))
        finally:  # the next time nobody knows of it any more
            for name in gone:
                self.programs.run("networkctl", "delete", name)

    def _hostname(self, wanted: Machine) -> None:
        if _read(self.places.hostname).strip() != wanted.network.hostname:
            self.programs.run("hostnamectl", "hostname", "--transient", wanted.network.hostname)

    def _port_access(self, wanted: Machine, port: str) -> None:
        """Start, restart or end what answers the switch; its file is root's alone, as the key that it names."""
        folder = self.places.run / supplicant.UNIT
        text = supplicant.text(wanted.network)
        if not text or not port:
            if folder.exists():
                shutil.rmtree(folder)
                self.programs.run("systemctl", "--no-block", "stop", f"{supplicant.UNIT}.service")
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        said = [_written(folder / "wired.conf", text, 0o600), _written(folder / "port", f"PORT={port}\n", 0o600)]
        self._tell("access", "systemctl", "--no-block", "restart", f"{supplicant.UNIT}.service", changed=any(said))

    def _time(self, wanted: Machine) -> None:
        heard = chrony.heard_by_dhcp(_read(self.places.heard))
        folder = self.places.run / "scopegate-time"
        folder.mkdir(exist_ok=True)
        changed = _written(folder / "scopegate.sources", chrony.sources(wanted.time, heard), 0o644)
        self._tell("time", "systemctl", "--no-block", "try-restart", "chrony.service", changed=changed)

    def _tell(self, name: str, *words: str, changed: bool) -> None:
        """Run what reads changed files; what could not be told is told the next time."""
        untold = self.places.told / f".{name}-untold"
        if changed:
            untold.touch()
        if untold.exists():
            self.programs.run(*words)
            untold.unlink()


def _vlans(paths: Iterable[Path]) -> set[str]:
    """Return the ports that networkd made of such files: it keeps them when a file is gone."""
    lines = [line for path in paths if path.suffix == ".netdev" for line in _read(path).splitlines()]
    return {line.removeprefix("Name=") for line in lines if line.startswith("Name=")}


def _written(path: Path, text: str, mode: int) -> bool:
    """Write a file of /run unless it says that already; say whether it was written."""
    if _read(path) == text:
        return False
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_text(text)
    new.rename(path)
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
