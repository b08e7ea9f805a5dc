"""Who opens the data of a box: its chip after a start that was meant, a start PIN, a recovery code; nobody else."""

import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.config.recovery_code import new_code
from gateway.machine.encryption.disk import KEY_BYTES
from tests.appliance.appliance import HOST, Appliance
from tests.appliance.chip import chip, cut_behind_a_question, set_patience
from tests.appliance.data_keys import ask, said
from tests.appliance.test_appliance_machine import FIXED, MACHINE, STATIC
from tests.appliance.updated_box import made, new_keys
from tests.kernel.machine import one_at_a_time

PIN = "48151623"
# What the newest copy of the key partition has for the box itself, as the first of its two has it as well.
LYING_KEY = """
import base64, json, subprocess
from pathlib import Path
body = Path("/dev/disk/by-partlabel/key").open("rb").read(16384).split(b"\\n")[2]
key = base64.b64decode(json.loads(body)["key"])
words = ["cryptsetup", "open", "--test-passphrase", "--key-file", "-", "/dev/disk/by-partlabel/data"]
done = subprocess.run(words, input=key, capture_output=True)
print(json.dumps([len(key), done.returncode]))
"""
NO_KEY = 2  # cryptsetup(8), "RETURN CODES": no permission (bad passphrase)
# A start that nobody signed: without Secure Boot systemd-stub takes more words for the kernel from the mainboard.
MORE_WORDS = ["-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra=scopegate.changed=1"]

FORGETS_S = 420  # not at the first time that it is asked again, after five minutes
CHANGED = "/run/scopegate-changed"
CPIO, ZSTD = b"070701", b"\x28\xb5\x2f\xfd"
ONCE = 4096  # bytes of an initrd that stand nowhere else


class Box:
    """One disk, switched on in one machine after the other."""

    def __init__(self, folder: Path, image: Path) -> None:
        self._appliance = Appliance(folder, image=image)
        self._folder = folder
        self.code = new_code(Clock().token)
        self.disk = self._appliance.disk
        self.picture = Clock().token(64)  # what nothing else on a disk says

    @contextmanager
    def on(self, *, with_chip: bool, extra: list[str] | None = None) -> Iterator[Appliance]:
        """Switch it on, with its chip or without one, and pull the plug at the end."""
        with chip(self._folder) as words:
            self._appliance.extra = [*(words if with_chip else []), *(extra or [])]
            try:
                self._appliance.switch_on()
                yield self._appliance
            finally:
                print(self._appliance.last_words())
                self._appliance.pull_the_plug()

    def let_the_chip_lock_itself(self) -> None:
        """Have it find at the next start that a plug was pulled once too often; it forgets minutes later."""
        set_patience(self._folder, tries=1, forgets_s=FORGETS_S)
        cut_behind_a_question(self._folder)

    def let_the_chip_be_patient(self) -> None:
        set_patience(self._folder, tries=32, forgets_s=600)

    @contextmanager
    def with_changed_initrd(self, image: Path, folder: Path) -> Iterator[None]:
        """Start from a file that is the maker's but for one more file in its initrd, with the maker's signature."""
        appliance, changed = self._appliance, changed_start(image, folder)
        appliance.put_boot_file(changed)
        try:
            yield
        finally:
            appliance.put_boot_file(image / "start.efi")

    def put_system(self, image: Path) -> None:
        self._appliance.put_system(image)


def changed_start(image: Path, folder: Path) -> Path:
    """Return what the firmware starts with another file in its initrd; all else is the maker's.

    An initrd begins with an archive of microcode that is not compressed: another one stands there instead.
    """
    initrd = (image / "initrd").read_bytes()
    conf = f"f {CHANGED} 0644 - - - by a thief\\n\n".encode()
    ours = newc({"usr": b"", "usr/lib": b"", "usr/lib/tmpfiles.d": b"", "usr/lib/tmpfiles.d/changed.conf": conf})
    room = initrd.index(ZSTD)
    assert initrd.startswith(CPIO)
    assert len(ours) < room
    whole = (image / "start.efi").read_bytes()
    start = whole.index(initrd[:ONCE])
    changed = folder / "start.efi"
    changed.write_bytes(whole[:start] + ours.ljust(room, b"\0") + whole[start + room :])
    return changed


def newc(entries: dict[str, bytes]) -> bytes:
    """Return an archive as the kernel unpacks it; a name without content is a folder."""
    packed = b""
    for number, (name, content) in enumerate([*entries.items(), ("TRAILER!!!", b"")], 1):
        mode = stat.S_IFREG | 0o644 if content else stat.S_IFDIR | 0o755
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        for piece in (CPIO + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0", content):
            packed += piece + bytes(-len(piece) % 4)
    return packed


UP = " && ".join(f"systemctl is-active --quiet scopegate-{name}" for name in ("capture", "forward", "panel"))


def works_soon(box: Appliance, *, within_s: int = 300) -> bool:
    """Say whether the box begins its work now that its data are open."""
    tries = f"for i in $(seq 1 {within_s // 2}); do {UP} && exit 0; sleep 2; done; exit 1"
    box.shell(tries, silence_s=within_s + 100)
    return is_open(box)


def is_open(box: Appliance) -> bool:
    """Say whether the data are mounted and the box works, or neither."""
    box.shell("systemctl is-system-running --wait || true", silence_s=400)
    units = box.shell("systemctl is-active scopegate-capture scopegate-forward scopegate-panel || true").split()
    mounted = box.shell("findmnt -n /var/lib/scopegate || true") != ""
    assert units in (["active"] * 3, ["inactive"] * 3), units
    assert mounted == (units[0] == "active")
    return mounted


def has_its_own_network_time_and_journal(box: Appliance) -> bool:
    """Say whether what its settings say holds, though the start came before them; its journal is on the disk."""
    network, time = f"ip -br -4 address | grep -q ' {FIXED}/'", "[ $(date +%z) = +0545 ]"
    holds = f"{network} && {time} && test -e /run/systemd/journal/flushed"
    said = box.shell(f"for i in $(seq 60); do {holds} && echo yes && exit 0; sleep 2; done", silence_s=200)
    return said == "yes\n"


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    with one_at_a_time():
        yield


@pytest.fixture(scope="module")
def guarded(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Box:
    """Return a box with a chip, whose recovery code was written down, switched off."""
    box = Box(tmp_path_factory.mktemp("guarded"), image)
    with box.on(with_chip=True) as first:
        assert said(first)["guard"] == "none"
        assert first.python(LYING_KEY) == [KEY_BYTES, 0]
        assert ask(first, "recovery-code", box.code)["code"] == ""
        assert said(first)["guard"] == "tpm"
        first.shell(f"echo {box.picture} > /data/spool/picture && sync")
    return box


def test_a_start_that_the_maker_meant_gets_the_key_from_the_chip(guarded: Box) -> None:
    with guarded.on(with_chip=True) as box:
        assert is_open(box)
        assert box.shell("cat /data/spool/picture") == f"{guarded.picture}\n"


def test_a_changed_command_line_gets_none_and_the_recovery_code_opens(guarded: Box) -> None:
    with guarded.on(with_chip=True, extra=MORE_WORDS) as box:
        assert "scopegate.changed=1" in box.shell("cat /proc/cmdline")
        assert not is_open(box)
        assert said(box)["code"] == "key-refused"
        other = ask(box, "unlock", new_code(Clock().token))
        assert (other["opened"], other["code"]) == (False, "key-refused")
        assert ask(box, "unlock", guarded.code)["opened"]
        assert works_soon(box)
        assert box.shell("cat /data/spool/picture") == f"{guarded.picture}\n"
    # Whoever has the code said that this command line was meant: the maker's own is the changed one now.
    with guarded.on(with_chip=True) as box:
        assert not is_open(box)
        sealed = ask(box, "unlock", guarded.code)
        why = "journalctl --boot --no-pager --unit=scopegate-data-asked | grep not_sealed || true"
        assert (sealed["opened"], sealed["code"]) == (True, ""), box.shell(why)
        assert works_soon(box)


def test_a_changed_initrd_gets_none_though_it_shows_what_the_maker_signed(
    guarded: Box, image: Path, tmp_path: Path
) -> None:
    with guarded.with_changed_initrd(image, tmp_path), guarded.on(with_chip=True) as box:
        assert box.shell(f"cat {CHANGED}") == "by a thief\n"
        assert box.shell("ls /run/systemd/tpm2-pcr-signature.json")
        assert not is_open(box)
        assert said(box)["code"] == "key-refused"


def test_a_chip_that_was_away_for_one_start_guards_the_data_as_before(guarded: Box) -> None:
    with guarded.on(with_chip=False) as box:
        assert said(box)["code"] == "key-refused"
        assert ask(box, "unlock", guarded.code)["opened"]
        assert works_soon(box)
        size, ended = box.python(LYING_KEY)
        assert (size > KEY_BYTES, ended) == (True, NO_KEY)
    with guarded.on(with_chip=True) as box:
        assert is_open(box)


def test_a_chip_that_locked_itself_is_asked_again_and_the_box_begins_its_work_by_itself(guarded: Box) -> None:
    guarded.let_the_chip_lock_itself()
    try:
        with guarded.on(with_chip=True) as box:
            assert not is_open(box)
            assert said(box)["code"] == "chip-locked"
            assert works_soon(box, within_s=900)
            assert (said(box)["code"], said(box)["guard"]) == ("", "tpm")
            assert box.shell("cat /data/spool/picture") == f"{guarded.picture}\n"
    finally:
        guarded.let_the_chip_be_patient()


def test_the_disk_in_another_machine_is_read_with_the_recovery_code_alone(guarded: Box) -> None:
    with guarded.on(with_chip=False) as other:
        assert not is_open(other)
        assert said(other)["code"] == "key-refused"
        size, ended = other.python(LYING_KEY)
        assert size > KEY_BYTES
        assert ended == NO_KEY
        by_hand = "cryptsetup open --key-file - /dev/disk/by-partlabel/data stolen"
        other.shell(f"printf %s {guarded.code} | {by_hand} && mount -o ro /dev/mapper/stolen /mnt")
        assert other.shell("cat /mnt/spool/picture") == f"{guarded.picture}\n"
        other.shell("umount /mnt && cryptsetup close stolen")


def test_a_start_pin_is_asked_for_at_every_start(image: Path, tmp_path: Path) -> None:
    box = Box(tmp_path, image)
    with box.on(with_chip=False) as first:
        assert ask(first, "start-pin", PIN)["code"] == "recovery-code-first"
        assert ask(first, "recovery-code", box.code)["code"] == ""
        assert ask(first, "start-pin", PIN)["guard"] == "pin"
        first.unpack_text(MACHINE, STATIC.format(address=FIXED, server=HOST))
        first.shell("sync")
    with box.on(with_chip=False) as second:
        assert not is_open(second)
        assert said(second)["code"] == "start-pin"
        assert not ask(second, "unlock", "00000000")["opened"]
        assert ask(second, "unlock", PIN)["opened"]
        assert works_soon(second)
        assert has_its_own_network_time_and_journal(second)
        assert ask(second, "no-start-pin", PIN)["guard"] == "none"
    with box.on(with_chip=False) as third:
        assert is_open(third)


def test_what_lies_on_the_disk_cannot_be_read_from_its_bytes(guarded: Box) -> None:
    found = subprocess.run(["grep", "-caF", guarded.picture, guarded.disk], check=False, capture_output=True)
    assert (found.stdout.strip(), found.returncode) == (b"0", 1)
    clear = subprocess.run(
        ["grep", "-caF", "systemd.verity_root_data=", guarded.disk], check=False, capture_output=True
    )
    assert clear.returncode == 0, "what is not encrypted is found"


def test_a_root_that_somebody_else_signed_gets_no_key(guarded: Box, tmp_path: Path) -> None:
    """The last of this disk: everything that starts is a thief's, whole and with hashes that fit."""
    conf = tmp_path / "over" / "usr" / "lib" / "tmpfiles.d" / "changed.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(f"f {CHANGED} 0644 - - - by a thief\n")
    thief = made("--keys", new_keys(tmp_path / "keys"), "--over", tmp_path / "over", "image")
    guarded.put_system(thief)
    with guarded.on(with_chip=True) as box:
        assert box.shell(f"cat {CHANGED}") == "by a thief"
        assert not is_open(box)
        assert said(box)["code"] == "key-refused"
        assert box.python(LYING_KEY)[1] == NO_KEY
