"""How much processor time a picture takes beside ustreamer (Debian's package), both at the same virtual grabber.

`python -m tests.kernel.beside_ustreamer` fetches the package, starts a machine and prints the rounds. What both do:
take 640 x 360 YUYV from the driver and make a JPEG of quality 80 of each. An emulated processor says nothing of
milliseconds; the ratio of two programs on it says little more than which of them does more.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tests.kernel.machine import PRODUCT, machine

PACKAGES = (
    "ustreamer",
    "libevent-2.1-7",
    "libevent-core-2.1-7",
    "libevent-pthreads-2.1-7",
    "libjpeg62-turbo",
    "libbsd0",
    "libmd0",
)
FOLDER = "/srv/ustreamer"
ROUNDS, SECONDS, QUALITY, SIZE, RATE = 5, 12, 80, (640, 360), 10
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    with machine() as made:
        made.unpack(fetched(), FOLDER)
        words = f"cd {PRODUCT} && PYTHONPATH=. .venv/bin/python -m tests.kernel.beside_ustreamer inside"
        print(made.shell(words, silence_s=900), end="")


def fetched() -> bytes:
    """Return Debian's packages, unpacked, as a tar."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as tar:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True, capture_output=True)
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, f"{folder}/root"], check=True)
        tar.add(f"{folder}/root", arcname=".")
    return packed.getvalue()


def inside() -> None:
    from tests.kernel.virtual_grabber import WEBCAM, VirtualGrabber  # noqa: PLC0415 - needs the machine's kernel

    grabber = VirtualGrabber()
    grabber.switch(WEBCAM)
    grabber.move()
    try:
        for number in range(ROUNDS):
            own, theirs = ours(grabber.device), ustreamer(grabber.device)
            print(
                f"round {number + 1}: {own / theirs:.2f} (ours {own:.1f} ms, ustreamer {theirs:.1f} ms a picture)"
            )
    finally:
        grabber.throw_away()


def ours(device: str) -> float:
    """Return our processor time a picture, ms."""
    from gateway.clock import Clock  # noqa: PLC0415
    from hardware.pixels import clip_jpeg  # noqa: PLC0415
    from hardware.sources import Picture, PixelFormat  # noqa: PLC0415
    from hardware.sources.v4l2.finding import Place  # noqa: PLC0415
    from hardware.sources.v4l2.source import V4l2Source  # noqa: PLC0415
    from hardware.sources.v4l2.wish import Wish  # noqa: PLC0415

    clock = Clock()
    source = V4l2Source(
        place=Place(device),
        wish=Wish(input="0", size=SIZE, rate=RATE, formats=("YUYV",)),
        clock_ns=clock.boottime_ns,
        monotonic_ns=clock.monotonic_ns,
        wait=clock.pause,
    )
    source.open()
    start, end, count = time.process_time(), time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        picture = source.read(1.0)
        if isinstance(picture, Picture):
            assert picture.format is not PixelFormat.JPEG
            clip_jpeg(picture, QUALITY)
            count += 1
    spent = time.process_time() - start
    source.close()
    return spent / count * 1000


def ustreamer(device: str) -> float:
    """Return ustreamer's processor time a picture, ms; it says each one that it made."""
    log = Path("/var/tmp/ustreamer.log")
    size = f"--resolution={SIZE[0]}x{SIZE[1]}"
    words = [f"{FOLDER}/usr/bin/ustreamer", f"--device={device}", "--input=0", "--format=YUYV", size,
             f"--desired-fps={RATE}", f"--quality={QUALITY}", "--encoder=CPU", "--workers=1", "--port=8090",
             "--log-level=1"]  # fmt: skip
    with log.open("w") as out:
        process = subprocess.Popen(
            words, stdout=out, stderr=out, env={"LD_LIBRARY_PATH": f"{FOLDER}/usr/lib/x86_64-linux-gnu"}
        )
        try:
            time.sleep(5)
            before, seen = spent_by(process.pid), made_of(log)
            time.sleep(SECONDS)
            spent, count = spent_by(process.pid) - before, made_of(log) - seen
        finally:
            process.kill()
            process.wait()
    assert count, log.read_text()[-1500:]
    return spent / count * 1000


def spent_by(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def made_of(log: Path) -> int:
    return log.read_text().count("Encoded frame exposed")


if __name__ == "__main__":
    inside() if "inside" in sys.argv else main()
