"""The image for arm64 starts on a board with UEFI as that for PCs does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance.appliance import Appliance
from tests.kernel.machine import one_at_a_time

FIRMWARE = Path("/usr/share/AAVMF")


class Board(Appliance):
    """QEMU's board `virt`, with a processor as a Raspberry Pi 4 has it."""

    def __init__(self, folder: Path, *, image: Path) -> None:
        super().__init__(folder, image=image)
        shutil.copy(FIRMWARE / "AAVMF_VARS.fd", self._variables)

    def _words(self) -> list[str]:
        words = super()._words()
        for pc, board in (
            ("qemu-system-x86_64", "qemu-system-aarch64"),
            ("max", "cortex-a72"),
            ("q35", "virt"),
        ):
            words[words.index(pc)] = board
        return [word.replace("/usr/share/OVMF/OVMF_CODE_4M.fd", str(FIRMWARE / "AAVMF_CODE.fd")) for word in words]


@pytest.fixture(scope="module")
def board(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    if not pytestconfig.getoption("--arm64"):
        pytest.skip("make -C image-build image ARCH=arm64 PROFILE=test builds it (an hour, emulated)")
    with one_at_a_time():
        board = Board(tmp_path_factory.mktemp("board"), image=Path(pytestconfig.getoption("--arm64")))
        try:
            board.switch_on()
            yield board
        finally:
            print(board.last_words())
            board.stop()


def test_its_root_is_read_through_its_hashes(board: Board) -> None:
    assert board.shell("uname -m").strip() == "aarch64"
    assert "/dev/mapper/root erofs ro" in board.shell("findmnt -no SOURCE,FSTYPE,OPTIONS /")
    assert "verified" in board.shell("veritysetup status root")
    assert board.shell("cat /run/scopegate-slot").strip() == "a"


def test_its_three_processes_came_up(board: Board) -> None:
    assert board.shell("systemctl --failed --no-legend --plain").strip() == ""
    units = "scopegate-capture scopegate-forward scopegate-panel"
    assert board.shell(f"systemctl is-active {units}").split() == ["active"] * 3
