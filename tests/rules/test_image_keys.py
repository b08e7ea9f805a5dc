"""The keys of a manufacturer of boxes, and that no product is made with those of tests."""

import os
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


def test_a_product_with_all_keys_lacks_nothing(real: Path, tmp_path: Path) -> None:
    assert bash(CHOOSE, real, tmp_path).stdout == ""


@pytest.mark.parametrize(("name", "loudly"), [("db", "NO KEY db"), ("pcr", "NO KEY pcr")])
def test_a_product_that_is_not_signed_or_not_sealed_says_so(
    real: Path, tmp_path: Path, name: str, loudly: str
) -> None:
    some = tmp_path / "some"
    shutil.copytree(real, some)
    (some / f"{name}.key").unlink()  # what is public of it may stay: nothing is signed with that
    done = bash(CHOOSE, some, tmp_path)
    assert (done.returncode, done.stdout.count("said:")) == (0, 1)
    assert loudly in done.stdout


@pytest.mark.parametrize("public", ["db.crt", "pcr.pub"])
def test_half_a_pair_makes_no_product(real: Path, tmp_path: Path, public: str) -> None:
    half = tmp_path / "half"
    shutil.copytree(real, half)
    (half / public).unlink()
    done = bash(CHOOSE, half, tmp_path)
    assert done.returncode == 2
    assert f"and no {public}" in done.stderr


def test_a_build_forgets_its_own_results_and_nothing_else_in_their_folder(tmp_path: Path) -> None:
    text = (ROOT / "image-build/build").read_text()
    functions = "".join(
        text[(start := text.index(f"\n{name}() {{")) : text.index("\n}\n", start) + 3]
        for name in ("results", "forget_old")
    )
    results = [f"keys-{number:016x}" for number in range(4)]
    others = ["keys-of-our-company", "keys-of-tests.old", "keys-0123456789abcdef.saved", "image-0123456789abcdef"]
    for at, name in enumerate(others + results):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "keys-of-tests").write_text("")
    done = bash(f"folder=$1\n{functions}\nforget_old keys", tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {*others, *results[2:], "keys-of-tests"}


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
