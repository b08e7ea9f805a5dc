"""What is said to a chip beside keys. That it opens and refuses is seen with one in software (tests/loopback)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.machine.encryption import tpm
from gateway.machine.encryption.tpm import Tpm, TpmLockedOut, TpmRefused
from gateway.machine.programs import ProgramFailed

SHUTDOWN_CLEAR = b"\x80\x01\x00\x00\x00\x0c\x00\x00\x01\x45\x00\x00"


@pytest.fixture
def chip(tmp_path: Path) -> Tpm:
    (tmp_path / "tpmrm0").touch()
    return Tpm(device=str(tmp_path / "tpmrm0"))


def answers(monkeypatch: pytest.MonkeyPatch, answer: bytes | None) -> None:
    def run(words: Sequence[str | Path], *, given: bytes) -> bytes:
        assert words[0] == "systemd-creds"
        assert given
        if answer is None:
            raise ProgramFailed("systemd-creds", 1, "refused")
        return answer

    monkeypatch.setattr(tpm, "run", run)


def test_a_chip_that_was_asked_is_told_that_the_power_may_go(chip: Tpm, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, b"key")
    assert chip.unseal(b"sealed") == b"key"
    assert Path(chip.device).read_bytes() == SHUTDOWN_CLEAR


def test_also_after_it_refused(chip: Tpm, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, None)
    with pytest.raises(TpmRefused):
        chip.unseal(b"sealed")
    assert Path(chip.device).read_bytes() == SHUTDOWN_CLEAR


def test_a_chip_that_does_not_listen_costs_no_key(chip: Tpm, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, b"key")
    Path(chip.device).unlink()
    assert chip.seal(b"key") == b"key"


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (
            "Esys_Load() Esys Finish ErrorCode (0x00000921) TPM2 device is in dictionary attack lockout mode.",
            TpmLockedOut,
        ),
        ("Esys_Unseal() Esys Finish ErrorCode (0x0000099d) Failed to unseal HMAC key in TPM", TpmRefused),
        ("ErrorCode (0x00009210)", TpmRefused),
    ],
)
def test_a_chip_that_refuses_everybody_is_told_from_one_that_refuses_this_start(
    chip: Tpm, monkeypatch: pytest.MonkeyPatch, said: str, means: type[TpmRefused]
) -> None:
    def run(*_: object, **__: object) -> bytes:
        raise ProgramFailed("systemd-creds", 1, said)

    monkeypatch.setattr(tpm, "run", run)
    with pytest.raises(TpmRefused) as refused:
        chip.unseal(b"sealed")
    assert type(refused.value) is means
