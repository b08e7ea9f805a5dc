"""What systemd itself thinks of the units, and what the units promise."""

import os
import shutil
import stat
import subprocess
from configparser import RawConfigParser
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.settings import STICK
from gateway.machine.settings import turns
from gateway.machine.settings.applying import Places as MachinePlaces
from gateway.machine.update.box import Places

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "systemd"
BOX = ROOT / "image-build/tree/box/etc/systemd/system"  # what an image has beside them
PROGRAM = "/opt/scopegate/bin/scopegate"
KIOSK = "/opt/scopegate/systemd/kiosk/scopegate-kiosk"
PROCESSES = ("capture", "forward", "panel")
NFT = "/usr/sbin/nft"
SUPPLICANT = "/usr/sbin/wpa_supplicant"
MOST_EXPOSED = 1.5  # of 10, as `systemd-analyze security` counts
# What may touch more, and why: docs/it.md says the same to a clinic's IT.
MOST = {
    # A browser: it compiles JavaScript, builds walls of namespaces, needs screen and touch, and talks to the panel.
    "scopegate-kiosk.service": 2.5,
    # It sends frames of its own kind to the switch (AF_PACKET), and reads which key is whose as root.
    "scopegate-port-access.service": 2.0,
    # It makes partitions, asks the TPM, opens an encrypted disk: devices and CAP_SYS_ADMIN, before others run. It
    # hears from udev, so the network stays. A wall that stands in its way is a box without its pictures.
    "scopegate-data.service": 3.3,
    # The same work, with a key that was typed; of the network it has nothing.
    "scopegate-data-asked.service": 2.7,
    # It erases that disk, or mounts it to be read in mounts of its own, when somebody asks for that at the box.
    "scopegate-repair.service": 2.8,
    # Debian's service of RAUC: it mounts a bundle, writes a slot's partitions and tells the firmware.
    "rauc.service": 3.4,
}
# As Debian's package has it; the box adds walls.
RAUC = """\
[Service]
Type=dbus
BusName=de.pengutronix.rauc
ExecStart=/usr/bin/rauc --mount=/run/rauc/mnt service
RuntimeDirectory=rauc/mnt
MountFlags=slave
"""
SERVICES = sorted(path.name for path in SYSTEMD.glob("*.service"))
BOXES = sorted(path.name for path in BOX.glob("*.service"))


class Unit(RawConfigParser):
    """A unit file; a key that stands twice keeps its last value."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters="=", comment_prefixes="#")
        self.optionxform = str
        self.read(path)


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask systemd about every unit of a folder, with a stand-in for the installed program."""
    program = folder / "scopegate"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    kinds = {".service", ".slice", ".target", ".path", ".mount"}
    units = [path for path in folder.iterdir() if path.suffix in kinds]
    assert len(units) >= 7
    for unit in units:
        text = unit.read_text()
        for installed in (PROGRAM, KIOSK, NFT, SUPPLICANT):
            text = text.replace(installed, str(program))
        unit.write_text(text)
    tool = shutil.which("systemd-analyze")
    assert tool, "systemd-analyze is missing: scripts/test installs it"
    return subprocess.run(
        [tool, "verify", "--man=no", *map(str, units)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_settings_look_for_a_stick_where_the_box_mounts_it():
    assert Unit(SYSTEMD / "media-usb.mount")["Mount"]["Where"] == str(STICK)


@pytest.fixture
def folder(tmp_path):
    for path in SYSTEMD.glob("*.*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    return tmp_path


def test_systemd_finds_nothing_to_say_about_the_units(folder):
    answer = verify(folder)
    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")


def test_systemd_would_have_noticed_a_misspelt_key(folder):
    unit = folder / "scopegate-capture.service"
    unit.write_text(unit.read_text().replace("UMask=", "Umask="))
    answer = verify(folder)
    assert "Umask" in answer.stdout + answer.stderr


def exposure(unit: Path, most: float) -> subprocess.CompletedProcess[str]:
    """Ask systemd how much of the machine a unit may touch; it fails when that is more than `most`."""
    words = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={round(most * 10)}"]
    return subprocess.run(
        [*words, str(unit)], capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_may_touch_little_of_the_machine(name):
    answer = exposure(SYSTEMD / name, MOST.get(name, MOST_EXPOSED))
    print(answer.stdout.splitlines()[-1])
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("unit", sorted([*SYSTEMD.glob("*.service"), *BOX.glob("*.service")]), ids=lambda u: u.name)
def test_a_unit_of_the_product_may_read_which_start_of_the_machine_it_is(unit):
    service = Unit(unit)["Service"]
    ours = service.get("ExecStart", "").startswith("/opt/scopegate/")
    if ours:  # gateway/clock.py reads /proc/sys/kernel/random/boot_id
        assert service.get("ProcSubset", "all") == "all"


@pytest.mark.parametrize("name", BOXES)
def test_a_unit_of_the_image_may_touch_little_of_the_machine_as_well(name):
    answer = exposure(BOX / name, MOST.get(name, MOST_EXPOSED))
    print(answer.stdout.splitlines()[-1])
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_what_debian_brings_without_walls_gets_some(tmp_path):
    unit = tmp_path / "rauc.service"
    unit.write_text(RAUC)
    assert exposure(unit, 9.0).returncode != 0
    unit.write_text(RAUC + (BOX / "rauc.service.d/scopegate.conf").read_text())
    answer = exposure(unit, MOST["rauc.service"])
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_whoever_may_touch_more_is_named_to_the_clinic():
    said = (ROOT / "docs/it.md").read_text()
    for name, most in MOST.items():
        assert f"| `{name}` | {most} |" in said, name


def test_what_ends_a_version_waits_for_no_disk_and_ends_it_however_it_goes():
    for name in ("scopegate-trial-end", "scopegate-trial-mark", "scopegate-folders"):
        # systemd.exec(5): a unit with it waits for /var/tmp
        assert "PrivateTmp" not in Unit(BOX / f"{name}.service")["Service"]
    assert Unit(BOX / "scopegate-trial-end.service")["Unit"]["FailureAction"] == "reboot"
    # From when it was started, by a version that waited for a start PIN too: since the box started it may be over.
    assert set(Unit(BOX / "scopegate-trial-end.timer")["Timer"]) == {"OnActiveSec"}


def test_a_trial_begins_also_where_it_is_known_late_that_it_is_one():
    ready, trial = (Unit(BOX / f"scopegate-{name}.service") for name in ("update-ready", "trial"))
    assert ready["Service"]["ExecStartPost"] == "-/usr/bin/systemctl --no-block start scopegate-trial.service"
    assert trial["Unit"]["ConditionPathExists"] == str(Places().trial)


def test_a_unit_that_may_touch_more_than_it_needs_would_be_noticed(folder):
    unit = folder / "scopegate-panel.service"
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "").replace("PrivateUsers=yes", ""))
    assert exposure(unit, 1.0).returncode != 0
    unit.write_text("\n".join(line for line in unit.read_text().splitlines() if "Protect" not in line))
    assert exposure(unit, MOST_EXPOSED).returncode != 0


def megabytes(words: str) -> int:
    assert words.endswith("M")
    return int(words[:-1])


def test_the_memory_of_capture_is_protected_and_all_others_are_limited_to_less_than_a_box_has():
    slice_ = Unit(SYSTEMD / "scopegate.slice")["Slice"]
    services = {name: Unit(SYSTEMD / f"scopegate-{name}.service")["Service"] for name in (*PROCESSES, "practice")}
    capture = services.pop("capture")
    assert capture["MemoryMin"] == slice_["MemoryMin"]  # a slice that protects less would protect capture less
    assert not {"MemoryMax", "MemoryHigh"} & set(capture)
    for service in services.values():
        assert service["Slice"] == capture["Slice"] == "scopegate.slice"
        assert int(service["OOMScoreAdjust"]) > 0 > int(capture["OOMScoreAdjust"])
        assert int(service["CPUWeight"]) < int(capture["CPUWeight"])
        assert int(service["IOWeight"]) < int(capture["IOWeight"])
        assert megabytes(service["MemoryHigh"]) < megabytes(service["MemoryMax"])
    limits = [services["forward"]["MemoryMax"], services["panel"]["MemoryMax"]]
    assert megabytes(capture["MemoryMin"]) + sum(map(megabytes, limits)) <= 2048 - 400  # the system, and a browser


def test_no_core_file_is_ever_written_and_the_journal_has_an_end():
    for path in (*SYSTEMD.glob("*.service"), *BOX.glob("*.service"), BOX / "rauc.service.d/scopegate.conf"):
        assert Unit(path)["Service"]["LimitCORE"] == "0", path
    manager = Unit(SYSTEMD / "system.conf.d/scopegate.conf")["Manager"]
    assert (manager["DefaultLimitCORE"], manager["DumpCore"]) == ("0", "no")
    assert "kernel.core_pattern = |/bin/false" in (SYSTEMD / "sysctl.d/scopegate.conf").read_text()
    journal = Unit(SYSTEMD / "journald.conf.d/scopegate.conf")["Journal"]
    assert (journal["SystemMaxUse"], journal["RuntimeMaxUse"]) == ("256M", "32M")
    assert {journal[f"ForwardTo{place}"] for place in ("Console", "KMsg", "Syslog", "Wall")} == {"no"}


def test_a_machine_that_stands_still_is_started_again_by_its_watchdog():
    manager = Unit(SYSTEMD / "system.conf.d/scopegate.conf")["Manager"]
    assert (manager["RuntimeWatchdogSec"], manager["RebootWatchdogSec"]) == ("30s", "5min")


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_runs_as_its_own_user_in_the_common_group_and_is_never_given_up(process):
    unit = Unit(SYSTEMD / f"scopegate-{process}.service")
    service = unit["Service"]
    assert service["ExecStart"] == f"{PROGRAM} {process} --config /etc/scopegate/scopegate.toml"
    assert (service["User"], service["Group"], service["UMask"]) == (f"scopegate-{process}", "scopegate", "0007")
    assert service["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["LimitCORE"] == "0"


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_hangs_is_ended_but_one_whose_start_takes_long_is_not(process):
    service = Unit(SYSTEMD / f"scopegate-{process}.service")["Service"]
    assert (service["Type"], service["WatchdogSec"], service["TimeoutStartSec"]) == ("notify", "30", "300")


def test_capture_has_no_network_and_the_others_have_no_devices():
    capture = Unit(SYSTEMD / "scopegate-capture.service")["Service"]
    assert (capture["PrivateNetwork"], capture["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")
    for process in ("forward", "panel"):
        assert Unit(SYSTEMD / f"scopegate-{process}.service")["Service"]["PrivateDevices"] == "yes"


def test_the_panel_reaches_the_box_and_private_networks_only():
    panel = Unit(SYSTEMD / "scopegate-panel.service")["Service"]
    assert panel["IPAddressDeny"] == "any"
    name, *networks = panel["IPAddressAllow"].split()
    assert name == "localhost"
    assert all(ip_network(network).is_private for network in networks)


def test_every_user_of_a_unit_is_made_and_the_spool_is_shared_by_its_group():
    users = (SYSTEMD / "sysusers.d" / "scopegate.conf").read_text()
    for process in (*PROCESSES, "practice"):
        assert f"\nu scopegate-{process} " in users
        assert f"\nm scopegate-{process} " in users
    folders = (SYSTEMD / "tmpfiles.d" / "scopegate.conf").read_text()
    for path, mode in (("/var/lib/scopegate", "2770"), ("/run/scopegate", "3770")):
        assert any(line.split()[:5] == ["d", path, mode, "root", "scopegate"] for line in folders.splitlines())


@pytest.mark.parametrize("path", sorted([*SYSTEMD.glob("*.path"), *BOX.glob("*.path")]), ids=lambda path: path.name)
def test_quick_touches_keep_nobody_from_the_next_and_an_endless_start_ends(path):
    """Of systemd itself it is five starts in ten seconds; beyond, a path unit rests until the machine restarts."""
    unit = Unit(path)
    assert not unit.has_option("Path", "Unit")  # it starts the service of its own name
    assert Unit(path.with_suffix(".service"))["Unit"]["StartLimitIntervalSec"] == "0"
    if unit.has_option("Path", "PathExists") and unit["Path"]["PathExists"].startswith("/run/scopegate/"):
        limits = unit["Path"]["TriggerLimitIntervalSec"], unit["Path"]["TriggerLimitBurst"]
        assert limits == ("10min", "200")


def test_who_looks_at_the_machine_may_ask_for_its_settings_where_they_wait_for_it():
    path = Unit(SYSTEMD / "scopegate-machine.path")["Path"]["PathExists"]  # the last of its kind
    assert path == str(MachinePlaces().told / turns.AGAIN)
    looks = Unit(SYSTEMD / "scopegate-machine-look.service")["Service"]
    assert str(MachinePlaces().told) in looks["ReadWritePaths"].split()


def test_practice_sees_no_patients_reaches_nobody_and_leaves_nothing():
    unit = Unit(SYSTEMD / "scopegate-practice.service")
    service = unit["Service"]
    assert service["ExecStart"] == f"{PROGRAM} practice --config /etc/scopegate/scopegate.toml"
    assert (service["User"], service["Group"], service["LimitCORE"]) == ("scopegate-practice", "scopegate", "0")
    assert service["InaccessiblePaths"] == "/var/lib/scopegate"
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    assert service["PrivateDevices"] == "yes"
    assert service["ReadWritePaths"] == "/run/scopegate"
    assert service["ExecStartPre"] == "+/bin/rm -f /run/scopegate/practice-wanted"
    assert service["ExecStopPost"] == "/bin/rm -rf /run/scopegate/practice-address /run/scopegate/practice"
    path = Unit(SYSTEMD / "scopegate-practice.path")
    assert path["Path"]["PathExists"] == "/run/scopegate/practice-wanted"


def test_the_screen_of_the_box_sees_no_files_and_only_its_own_browser_is_ever_restarted():
    service = Unit(SYSTEMD / "scopegate-kiosk.service")["Service"]
    assert service["ExecStart"] == f"{KIOSK} http://127.0.0.1:8080/"
    assert (service["User"], service["Group"], service["Restart"]) == (
        "scopegate-kiosk",
        "scopegate-kiosk",
        "always",
    )
    assert set(service["InaccessiblePaths"].split()) == {"/var/lib/scopegate", "/run/scopegate", "/etc/scopegate"}
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    assert service["RuntimeDirectory"] == "scopegate-kiosk"
    users = (SYSTEMD / "sysusers.d" / "scopegate.conf").read_text()
    assert "\nu scopegate-kiosk " in users
    assert "\nm scopegate-kiosk " not in users
    restart = (SYSTEMD / "scopegate-kiosk-restart.service").read_text().splitlines()
    assert [line for line in restart if line.startswith("Exec")] == [
        "ExecStart=/bin/rm -f /run/scopegate/kiosk-restart",
        "ExecStart=/bin/systemctl --no-block try-restart scopegate-kiosk.service",
    ]
    path = Unit(SYSTEMD / "scopegate-kiosk-restart.path")
    assert path["Path"]["PathExists"] == "/run/scopegate/kiosk-restart"


def said(*words: str | Path) -> str:
    answer = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )
    return answer.stderr


def test_users_and_folders_are_made_as_meant_in_an_empty_tree(tmp_path):
    (tmp_path / "etc").mkdir()
    users, folders = SYSTEMD / "sysusers.d" / "scopegate.conf", SYSTEMD / "tmpfiles.d" / "scopegate.conf"
    if os.geteuid() != 0:  # nobody else can give files away; the words are read all the same
        assert "scopegate.conf" not in said("systemd-sysusers", "--dry-run", f"--root={tmp_path}", users)
        return
    assert "scopegate.conf" not in said("systemd-sysusers", f"--root={tmp_path}", users)
    made = (tmp_path / "etc" / "group").read_text().splitlines()
    group = {line.split(":")[0]: line.split(":") for line in made}["scopegate"]
    assert set(group[3].split(",")) == {f"scopegate-{process}" for process in (*PROCESSES, "practice")}
    assert "scopegate.conf" not in said("systemd-tmpfiles", "--create", f"--root={tmp_path}", folders)
    for path, mode in (("var/lib/scopegate", 0o2770), ("run/scopegate", 0o3770), ("etc/scopegate", 0o2770)):
        found = (tmp_path / path).stat()
        assert (oct(stat.S_IMODE(found.st_mode)), found.st_gid) == (oct(mode), int(group[2]))
