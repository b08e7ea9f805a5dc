"""The keys of a manufacturer of boxes, and that no product is made with those of tests."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHOOSE = """
say() { echo "said: $*"; }
keys=$1 folder=$2 profile=product
. image-build/parts/keys.sh
choose_keys
"""
MADE_FOR_TESTS = """
folder=$2
. image-build/parts/keys.sh
mkdir "$1"
make_keys "$1"
"""


def bash(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    told = ["bash", "-euo", "pipefail", "-c", script, "bash", *map(str, words)]
    return subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=False)


def new_keys(folder: Path, *words: str) -> Path:
    subprocess.run([ROOT / "image-build" / "keys", "new", folder, *words], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_keys(tmp_path_factory.mktemp("keys") / "real")


def test_each_root_certifies_its_own_signer_alone(real: Path) -> None:
    def verified(signer: int, root: int) -> bool:
        words = ["openssl", "verify", "-CAfile", f"ca{root}.crt", f"update{signer}.crt"]
        return subprocess.run(words, cwd=real, capture_output=True, check=False).returncode == 0

    assert [verified(1, 1), verified(2, 2), verified(1, 2), verified(2, 1)] == [True, True, False, False]


def test_private_keys_are_their_owners_alone(real: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in real.glob("*.key")} == {0o600}


def test_keys_are_never_written_over(real: Path) -> None:
    words = [ROOT / "image-build" / "keys", "new", real]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "never written over" in done.stderr


def test_a_product_is_made_with_keys_of_a_manufacturer(real: Path, tmp_path: Path) -> None:
    assert bash(CHOOSE, real, tmp_path).returncode == 0


def test_a_product_without_keys_says_so(tmp_path: Path) -> None:
    assert "NO KEYS" in bash(CHOOSE, "", tmp_path).stdout


def test_no_product_is_made_with_keys_that_say_test(real: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(real, mixed)
    shutil.copy(new_keys(tmp_path / "test", "--test") / "ca2.crt", mixed)
    done = bash(CHOOSE, mixed, tmp_path)
    assert done.returncode == 2
    assert "ca2.crt is a key of tests" in done.stderr


def test_no_product_is_made_with_a_key_that_was_made_for_tests_here(real: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert bash(MADE_FOR_TESTS, made, tmp_path).returncode == 0
    mixed = tmp_path / "mixed"
    shutil.copytree(real, mixed)
    shutil.copy(made / "pcr.pub", mixed)  # which has no subject
    shutil.rmtree(made)
    done = bash(CHOOSE, mixed, tmp_path)
    assert done.returncode == 2
    assert "pcr.pub is a key of tests" in done.stderr
