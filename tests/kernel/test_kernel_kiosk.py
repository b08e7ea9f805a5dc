"""Who asks for another browser gets one from a service that may do nothing else."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box import until

# The machine has no screen and no browser: something that stays takes its place, with all that its unit forbids.
STAND_IN = """\
[Unit]
ConditionPathExistsGlob=
[Service]
PAMName=
TTYPath=
TTYReset=no
TTYVHangup=no
TTYVTDisallocate=no
UtmpIdentifier=
StandardInput=null
ExecStart=
ExecStart=/usr/bin/sleep infinity
"""
WISH = Path("/run/scopegate/kiosk-restart")
DROP_IN = Path("/run/systemd/system/scopegate-kiosk.service.d/stand-in.conf")


def systemctl(*words: str) -> str:
    answer = subprocess.run(["systemctl", *words], check=True, capture_output=True, text=True, timeout=120)
    return answer.stdout.strip()


def browser() -> str:
    return systemctl("show", "--value", "-p", "MainPID", "scopegate-kiosk.service")


@pytest.fixture
def kiosk() -> Iterator[None]:
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(STAND_IN)
    systemctl("daemon-reload")
    systemctl("start", "scopegate-kiosk.service", "scopegate-kiosk-restart.path")
    try:
        yield
    finally:
        systemctl("stop", "scopegate-kiosk-restart.path", "scopegate-kiosk.service")
        DROP_IN.unlink()
        systemctl("daemon-reload")


@pytest.mark.usefixtures("kiosk")
def test_a_wish_for_another_browser_is_taken_away_and_granted_by_a_service_without_any_right() -> None:
    before = browser()
    assert before != "0"
    WISH.touch()
    until("another browser", lambda: browser() not in {"0", before}, 60)
    assert not WISH.exists()
    assert systemctl("show", "--value", "-p", "Result", "scopegate-kiosk-restart.service") == "success"
