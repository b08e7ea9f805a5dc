"""What the board has, read from folders that look as the kernel's do."""

from pathlib import Path

from hardware.board import Board, Port, Seen

MEMINFO = (
    "MemTotal:        3884376 kB\nMemFree:          123456 kB\nMemAvailable:    2048000 kB\nHugePages_Total:   0\n"
)


def put(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def port(sys: Path, name: str, *, carrier: str, speed: str = "1000", kind: str = "1") -> Path:
    folder = sys / "class/net" / name
    (folder / "device").mkdir(parents=True)
    put(folder, carrier=carrier, speed=speed, type=kind)
    return folder


def test_a_board_with_everything(tmp_path: Path) -> None:
    put(
        tmp_path,
        class__rtc__rtc0__since_epoch="1795783555",
        class__tpm__tpm0__tpm_version_major="2",
        class__watchdog__watchdog0__identity="iTCO_wdt",
        class__watchdog__watchdog0__state="active",
        devices__system__cpu__cpu0__thermal_throttle__package_throttle_count="0",
        meminfo=MEMINFO,
    )
    port(tmp_path, "enp1s0", carrier="1")
    port(tmp_path, "enp2s0", carrier="0", speed="-1")
    (port(tmp_path, "wlp3s0", carrier="1") / "wireless").mkdir()
    port(tmp_path, "can0", carrier="1", kind="280")
    put(tmp_path, class__net__lo__type="772")
    assert Board(tmp_path, tmp_path).seen() == Seen(
        battery_clock=1_795_783_555,
        tpm="2",
        watchdog="iTCO_wdt",
        watched=True,
        memory_mb=3793,
        memory_free_mb=2000,
        slowed=False,
        ports=(Port(name="enp1s0", cable=True, mbit=1000), Port(name="enp2s0", cable=False, mbit=0)),
    )


def test_a_board_with_nothing(tmp_path: Path) -> None:
    assert Board(tmp_path, tmp_path).seen() == Seen(
        battery_clock=None,
        tpm="",
        watchdog="",
        watched=False,
        memory_mb=0,
        memory_free_mb=0,
        slowed=None,
        ports=(),
    )


def test_a_processor_that_was_too_hot_is_known_of_both_kinds(tmp_path: Path) -> None:
    put(tmp_path, devices__system__cpu__cpu0__thermal_throttle__package_throttle_count="7")
    assert Board(tmp_path, tmp_path).seen().slowed is True
    firmware = tmp_path / "devices/platform/soc/soc:firmware"
    firmware.mkdir(parents=True)
    for said, slowed in (("0", False), ("50000", True), ("10000", False), ("4", True)):  # 0x10000: only the voltage
        (firmware / "get_throttled").write_text(f"{said}\n")
        assert Board(tmp_path, tmp_path).seen().slowed is slowed, said
