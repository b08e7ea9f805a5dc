"""Makes what the commands need: the virtual environment from the lock file, Debian packages through apt, and for
the tests the packages of their JavaScript peer.

Usage: setup.py run | test | tools | kernel (tools, and what virtual machines need). Standard library only, any
Python from 3.11 on. It installs nothing twice, repairs what was interrupted, and refuses to go on with half of what
is needed.
"""

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "scopegate-stamp.json"
UNFINISHED = VENV / "scopegate-unfinished"
LOCKS = ("run", "test", "tools")  # each contains the one before it
KERNEL = "kernel"
OLDEST = (3, 11)
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

LAUNCHER = """\
#!/bin/sh
'''exec' "$(dirname "$(readlink -f "$0")")/python" "$0" "$@"
' '''
import sys

from gateway.__main__ import main

sys.exit(main())
"""

PEER = ROOT / "tests" / "loopback" / "peers" / "javascript"
PEER_STAMP = PEER / "node_modules" / "scopegate-stamp"

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Left by scopegate's scripts/setup.py; remove it.\nexit 101\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A program, a library or another file of a Debian package, and why the tests want it."""

    package: str
    why: str
    program: str = ""
    library: str = ""
    file: str = ""
    service: str = ""  # a service that the package would start and enable


TOOLS = (
    Tool(program="storescp", package="dcmtk", why="an archive, a worklist server and DICOM checks"),
    Tool(program="dciodvfy", package="dicom3tools", why="checks DICOM objects against the standard"),
    Tool(program="gdcmconv", package="libgdcm-tools", why="decodes pictures with codecs of another hand"),
    Tool(program="Orthanc", package="orthanc", why="an archive as clinics have it", service="orthanc"),
    Tool(
        file="/usr/share/orthanc/plugins/libOrthancDicomWeb.so",
        package="orthanc-dicomweb",
        why="the same archive over the web",
        service="orthanc",
    ),
    Tool(
        program="promtool",
        package="prometheus",
        why="the monitoring that asks the box for its numbers",
        service="prometheus",
    ),
    Tool(
        program="rsyslogd",
        package="rsyslog",
        why="an audit repository as clinics have it",
        service="rsyslog",
    ),
    Tool(
        file=f"/usr/lib/{os.uname().machine}-linux-gnu/rsyslog/lmnsd_gtls.so",
        package="rsyslog-gnutls",
        why="the same over TLS",
    ),
    Tool(program="xmllint", package="libxml2-utils", why="checks audit messages against their schema"),
    Tool(program="ffmpeg", package="ffmpeg", why="decodes test videos independently of the product"),
    Tool(program="chromium", package="chromium", why="the browser of the box's own screen"),
    Tool(
        program="chromium-headless-shell",
        package="chromium-headless-shell",
        why="the same without windows, which tests the panel",
    ),
    Tool(program="Xvfb", package="xvfb", why="the screen on which the box's own browser is tested"),
    Tool(program="cage", package="cage", why="the compositor of the box's own screen"),
    Tool(program="Xwayland", package="xwayland", why="through which its browser draws"),
    Tool(program="xdotool", package="xdotool", why="presses keys there, as a plugged-in keyboard does"),
    Tool(
        file="/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
        package="fonts-wqy-microhei",
        why="Chinese names and words in the pictures of the screens",
    ),
    Tool(library="libatomic.so.1", package="libatomic1", why="what the browser's driver is linked with"),
    Tool(program="ip", package="iproute2", why="private networks for tests"),
    Tool(program="nft", package="nftables", why="the firewall of the box"),
    Tool(program="hostapd", package="hostapd", why="a switch that asks who is there", service="hostapd"),
    Tool(program="wpa_supplicant", package="wpasupplicant", why="what answers it", service="wpa_supplicant"),
    Tool(program="node", package="nodejs", why="runs a peer written by another hand than the product's libraries"),
    Tool(program="npm", package="npm", why="installs that peer's packages, as its lock file says"),
    Tool(program="ntfs-3g", package="ntfs-3g", why="a memory stick with NTFS that tests pull out"),
    Tool(program="mkfs.exfat", package="exfatprogs", why="formats a memory stick with exFAT"),
    Tool(
        program="mount.exfat-fuse", package="exfat-fuse", why="that stick's driver, which tests end as a pull does"
    ),
    Tool(program="aplay", package="alsa-utils", why="plays the tones that answer a press"),
    Tool(program="cryptsetup", package="cryptsetup-bin", why="keeps the keys of an encrypted disk"),
    Tool(program="gpg", package="gpg", why="encrypts what is rescued onto a stick, and reads it"),
    Tool(program="swtpm", package="swtpm", why="the chip that guards them"),
    Tool(program="tpm2_pcrevent", package="tpm2-tools", why="tells it of a changed start"),
    Tool(
        file=f"/usr/lib/{os.uname().machine}-linux-gnu/libtss2-tcti-swtpm.so.0",
        package="libtss2-tcti-swtpm0",
        why="the way to it",
    ),
    Tool(program="systemd-analyze", package="systemd", why="checks the systemd units"),
)

MACHINE_TOOLS = (
    Tool(program="qemu-system-x86_64", package="qemu-system-x86", why="the virtual machine of tests/kernel"),
    Tool(program="mmdebstrap", package="mmdebstrap", why="makes that machine's root tree"),
    Tool(program="rauc", package="rauc", why="signs updates for boxes of tests"),
    Tool(program="mksquashfs", package="squashfs-tools", why="the form of these"),
    Tool(program="faketime", package="faketime", why="signs one with a certificate that has expired"),
    Tool(program="mkfs.vfat", package="dosfstools", why="the stick on which they come"),
    Tool(program="mcopy", package="mtools", why="puts them there"),
    Tool(program="mkfs.ext4", package="e2fsprogs", why="makes that machine's disk"),
    Tool(file="/usr/share/OVMF/OVMF_CODE_4M.fd", package="ovmf", why="the firmware of tests/appliance"),
    Tool(program="sfdisk", package="fdisk", why="finds a partition whose bytes tests/appliance changes"),
    Tool(program="chronyd", package="chrony", why="a time server for tests/appliance", service="chrony"),
    Tool(program="nbdkit", package="nbdkit", why="a disk whose cache is lost when its power is cut"),
    Tool(program="qemu-io", package="qemu-utils", why="writes to that disk as a virtual machine does"),
    Tool(
        file=f"/usr/lib/{os.uname().machine}-linux-gnu/libeatmydata.so",
        package="libeatmydata1",
        why="keeps a program's flushes from the disk, as the control of the power cuts",
    ),
)


class SetupError(Exception):
    """Something that a person must do first; the message says what."""


def say(text: str) -> None:
    print(f"set-up: {text}", file=sys.stderr, flush=True)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say what is being done, a sign of life every ten seconds, and how long it took."""
    say(f"{what} ...")
    start, done = time.monotonic(), threading.Event()

    def tick() -> None:
        while not done.wait(10):
            say(f"{what} ... {time.monotonic() - start:.0f} s")

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"{what}: done in {time.monotonic() - start:.0f} s")


def call(*words: str | Path, keep_lock: bool = False) -> None:
    """Run a command without standard input; its output is shown only when it fails.

    With `keep_lock` it holds the set-up's lock too: when only we are killed, nobody else begins meanwhile.
    """
    done = subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        close_fds=not keep_lock,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise SetupError(f"this failed:\n  {' '.join(map(str, words))}\n{tail}")


# --- Debian packages -------------------------------------------------------------------------------------


def as_root() -> list[str] | None:
    """Return the words that make a command root's, or None when this user may not become root unasked."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return None if asked.returncode else ["sudo", "-n"]


def install_packages(tools: list[Tool]) -> None:
    """Install the packages of these tools, or raise SetupError with the list and its reasons."""
    become = as_root()
    if become is None or not shutil.which("apt-get"):
        width = max(len(tool.package) for tool in tools)
        wanted = "\n".join(f"  {tool.package:<{width}}  {tool.why}" for tool in tools)
        names = " ".join(tool.package for tool in tools)
        raise SetupError(
            f"these Debian packages are missing, and this user may not install them:\n{wanted}\n"
            f"Install them, then repeat this command:\n  sudo apt-get install --no-install-recommends {names}"
        )
    apt = [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    packages = [tool.package for tool in tools]
    with progress("updating the package lists"):
        call(*apt, "update")
    with progress(f"installing {', '.join(packages)}"), services_asleep(become):
        call(*apt, "install", "--no-install-recommends", *packages)
    for tool in tools:
        if tool.service and shutil.which("systemctl", path=SEARCH):
            call(*become, "systemctl", "disable", "--quiet", tool.service)


@contextmanager
def services_asleep(become: list[str]) -> Iterator[None]:
    """Keep the packages installed meanwhile from starting their services (Debian Policy 9.3.3.2)."""
    if POLICY.exists() and POLICY.read_text() != POLICY_TEXT:
        yield  # this machine has a policy of its own
        return
    call(*become, "sh", "-c", 'printf %s "$1" >"$2" && chmod 755 "$2"', "sh", POLICY_TEXT, POLICY)
    try:
        yield
    finally:
        call(*become, "rm", "-f", POLICY)


def is_there(tool: Tool) -> bool:
    if tool.program:
        return shutil.which(tool.program, path=SEARCH) is not None
    if tool.file:
        return Path(tool.file).exists()
    try:
        ctypes.CDLL(tool.library)
    except OSError:
        return False
    return True


def missing_tools(*, machine: bool) -> list[Tool]:
    return [tool for tool in (*TOOLS, *(MACHINE_TOOLS if machine else ())) if not is_there(tool)]


# --- the virtual environment -----------------------------------------------------------------------------


def lock_path(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def wanted_stamp(name: str) -> dict[str, str]:
    """What the environment is made of: Python, its own place, and each lock file up to that one."""
    stamp = {"python": ".".join(map(str, sys.version_info[:2])), "place": str(VENV)}
    for lock in LOCKS[: LOCKS.index(name) + 1]:
        stamp[lock] = hashlib.sha256(lock_path(lock).read_bytes()).hexdigest()
    return stamp


def stamp_found() -> dict[str, str]:
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def works() -> bool:
    """Say whether there is an environment whose Python and pip run."""
    return (
        PYTHON.exists()
        and subprocess.run(
            [PYTHON, "-m", "pip", "--version"], capture_output=True, stdin=subprocess.DEVNULL, check=False
        ).returncode
        == 0
    )


def make_environment(name: str) -> None:
    """Bring .venv to that lock file. The stamp is the last thing written, so it never lies."""
    wanted, found = wanted_stamp(name), stamp_found()
    if wanted.items() <= found.items() and PYTHON.exists() and not UNFINISHED.exists():
        return
    fits = not found or all(found.get(key) == wanted[key] for key in ("python", "place"))
    if UNFINISHED.exists() or not fits or not works():
        make_venv(again=VENV.exists())
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    with progress(f"installing the packages of requirements/{name}.txt (hash-checked wheels)"):
        call(
            PYTHON, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
            "--require-hashes", "--only-binary", ":all:", "-r", lock_path(name), keep_lock=True,
        )  # fmt: skip
    put_project_on_path()
    partial = STAMP.with_suffix(".part")
    partial.write_text(json.dumps(wanted, indent=1) + "\n")
    UNFINISHED.unlink()
    partial.replace(STAMP)


def make_venv(*, again: bool) -> None:
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian keeps it in a package of its own
    except ImportError:
        install_packages([Tool(program="", package="python3-venv", why="makes the virtual environment")])
    if VENV.is_symlink():  # --clear would empty what another checkout lives from
        raise SystemExit(f"{VENV} is a link to somewhere else: remove it, and run this again.")
    with progress("making .venv again (it was unfinished or moved)" if again else "making .venv"):
        call(sys.executable, "-m", "venv", "--clear", VENV, keep_lock=True)


def put_project_on_path() -> None:
    """Make `gateway` and `hardware` importable from the checkout and `scopegate` a command of .venv."""
    site = next((VENV / "lib").glob("python3.*/site-packages"))
    (site / "scopegate.pth").write_text(f"{ROOT}\n")
    launcher = VENV / "bin" / "scopegate"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)


# --- the JavaScript peer ---------------------------------------------------------------------------------


def install_peer() -> None:
    """Bring the peer's node_modules to its lock file. The stamp is the last thing written, and npm begins by
    removing it with everything else.
    """
    wanted = hashlib.sha256((PEER / "package-lock.json").read_bytes()).hexdigest()
    if PEER_STAMP.exists() and PEER_STAMP.read_text() == wanted:
        return
    with progress(f"installing the packages of {PEER.relative_to(ROOT)} (hash-checked)"):
        call("npm", "--prefix", PEER, "ci", keep_lock=True)
    partial = PEER_STAMP.with_suffix(".part")
    partial.write_text(wanted)
    partial.replace(PEER_STAMP)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two set-ups of one checkout wait for each other."""
    folder = os.open(lock_path("run").parent, os.O_RDONLY)
    os.set_inheritable(folder, True)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of this checkout is running: waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in (*LOCKS, KERNEL):  # noqa: PLR2004
        print("usage: setup.py run | test | tools | kernel", file=sys.stderr)
        return 2
    machine = sys.argv[1] == KERNEL
    name = LOCKS[-1] if machine else sys.argv[1]
    try:
        if sys.version_info < OLDEST:
            raise SetupError("Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")  # noqa: TRY301
        with one_at_a_time():
            if name != "run" and (missing := missing_tools(machine=machine)):
                install_packages(missing)
            make_environment(name)
            if name != "run":
                install_peer()
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
