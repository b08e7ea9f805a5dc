"""A bundle before it is written: everything in it is checked, and what RAUC says of it has words of the box."""

import subprocess
from pathlib import Path

import pytest

from gateway.machine.update import payload, refusals
from gateway.machine.update.payload import Seal
from gateway.machine.update.rauc import Rauc
from tests.unit.test_update_machine import SEAL


def sealed(out: Path) -> Seal:
    """Make what a bundle consists of, with a signature of nothing; return what it would vouch for."""
    data, tree = out.parent / "data", out.parent / "tree"
    data.write_bytes(bytes(range(256)) * 16 * 40)
    words = ["veritysetup", "format", "--no-superblock", "--salt=ab", "--root-hash-file", str(out.parent / "root")]
    subprocess.run([*words, str(data), str(tree)], check=True, capture_output=True)
    out.write_bytes(data.read_bytes() + tree.read_bytes() + b"sign" + (4).to_bytes(8, "big"))
    return Seal(root=(out.parent / "root").read_text(), salt="ab", tree=tree.stat().st_size)


def test_everything_in_a_bundle_is_checked(tmp_path: Path) -> None:
    bundle = tmp_path / "x.raucb"
    seal = sealed(bundle)
    payload.check(bundle, seal)
    raw = bundle.read_bytes()
    for place in (0, 5000, 17 * 4096, 40 * 4096 - 1, 40 * 4096 + 3):
        bundle.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises(refusals.Damaged):
            payload.check(bundle, seal)


@pytest.mark.parametrize("raw", [b"", b"x" * 7, b"\xff" * 40, b"\0" * 5000])
def test_what_is_too_short_for_a_bundle_is_damaged(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises((refusals.Damaged, OSError)):
        payload.check(tmp_path / "x", SEAL)


@pytest.mark.parametrize("words", ["", "{", "[]", '{"update": {}}'])
def test_what_rauc_does_not_say_as_agreed_is_a_damaged_file(words: str) -> None:
    class Saying(Rauc):
        def _said(self, *_: str) -> str:
            return words

    with pytest.raises(refusals.Damaged):
        Saying().look(Path("x.raucb"))


# --- what RAUC says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("signature verification failed: Verify error: unable to get local issuer certificate", "update-foreign"),
        ("signature verification failed: Verify error: certificate has expired", "update-foreign"),
        ("Invalid bundle format: Signature size (77) exceeds bundle size", "update-damaged"),
        ("Bundle format 'plain' not allowed", "update-damaged"),
        ("LastError: Compatible mismatch: Expected 'a' but bundle manifest has 'b'", "update-other-machine"),
        ("Version mismatch: Expected at least '2' but bundle manifest has '1'", "update-too-old"),
        ("something new", "update-failed"),
    ],
)
def test_what_rauc_says_is_told_in_words_of_the_box(words: str, code: str) -> None:
    assert refusals.meant(f"{words}\n").code == code
