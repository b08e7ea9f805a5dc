"""With Secure Boot a box starts from what its maker signed, with the command line that was signed, and no other."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance.secure import SecureAppliance, with_tools
from tests.kernel.machine import one_at_a_time

SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.fixture
def box(image: Path, tmp_path: Path) -> Iterator[SecureAppliance]:
    with one_at_a_time():
        box = SecureAppliance(tmp_path / "box", image=image)
        yield box
        box.stop()


def verified(folder: Path, image: Path, file: str) -> bool:
    """Say whether a file bears the signature of who made the image, over what it holds."""
    try:
        with_tools(image, folder, "sbverify", "--cert", "db.pem", file)
    except subprocess.CalledProcessError:
        return False
    return True


def test_the_boot_file_is_signed_and_its_command_line_with_it(image: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-in", image / "secure-boot.cer", "-out", tmp_path / "db.pem"],
        check=True,
    )
    whole = (image / "start.efi").read_bytes()
    (tmp_path / "start.efi").write_bytes(whole)
    (tmp_path / "changed.efi").write_bytes(whole.replace(b"rd.shell=0", b"rd.shell=1"))
    assert verified(tmp_path, image, "start.efi")
    assert not verified(tmp_path, image, "changed.efi")


def test_a_firmware_in_set_up_mode_takes_what_lies_beside_the_image(image: Path) -> None:
    certificate = (image / "secure-boot.cer").read_bytes()
    for name in ("PK", "KEK", "db"):
        assert certificate in (image / f"{name}.auth").read_bytes()


def test_a_signed_image_starts_with_secure_boot(box: SecureAppliance) -> None:
    box.switch_on()
    assert box.shell(f"od -An -t u1 {SECURE_BOOT}").split()[-1] == "1"
    assert "veritysetup" not in box.shell("systemctl --failed --no-legend --plain")
    assert "[integrity]" in box.shell("cat /sys/kernel/security/lockdown")


def test_an_unsigned_image_does_not_start(box: SecureAppliance) -> None:
    file = box.boot_file()
    box.tool("sbattach", "--remove", file.name)
    box.put_boot_file(file)
    assert box.refuses()


def test_what_somebody_else_signed_does_not_start(box: SecureAppliance) -> None:
    file = box.boot_file()
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", "other.key", "-out", "other.crt",
         "-subj", "/CN=somebody else"],
        cwd=box.folder, check=True, capture_output=True,
    )  # fmt: skip
    box.tool("sbattach", "--remove", file.name)
    box.tool("sbsign", "--key", "other.key", "--cert", "other.crt", "--output", "foreign.efi", file.name)
    box.put_boot_file(box.folder / "foreign.efi")
    assert box.refuses()


def test_a_signed_image_with_another_command_line_does_not_start(box: SecureAppliance) -> None:
    file = box.boot_file()
    changed = file.read_bytes().replace(b"rd.shell=0", b"rd.shell=1")
    assert changed != file.read_bytes()
    file.write_bytes(changed)
    box.put_boot_file(file)
    assert box.refuses()
