"""A grabber that the kernel plays itself (vivid): inputs, standards, timings, faults and plugs on demand.

What it is told goes through v4l2-ctl and sysfs, never through the product.
"""

import subprocess
from pathlib import Path

from tests.kernel.gadgets import until

WEBCAM, TV, SVIDEO, HDMI = range(4)
NO_SIGNAL, NO_LOCK, OUT_OF_RANGE = 1, 2, 3  # of `dv_timings_signal_mode` and `standard_signal_mode`
SELECTED = 4  # of both: what `arrive` or `standard` says
VGA, I720X480, P720X480, P1280X720, I1024X768 = 0, 1, 2, 9, 30  # of `dv_timings`
FULL_RANGE = 1  # of `quantization`
NTSC_M, PAL_BGH = 0, 4  # of `standard`
COLOUR_SQUARES, TEN_PIXEL_CROSS = 4, 19  # of `test_pattern`
_DRIVER = Path("/sys/bus/platform/drivers/vivid")
_NODES = 0x1 | 0x20  # of `node_types`: one that gives pictures, one that gives samples of a radio


class VirtualGrabber:
    """One vivid instance, as it is after loading: four inputs, text off, full colour bars."""

    device = "/dev/v4l/by-path/platform-vivid.0-video-index0"
    radio = "/dev/swradio0"  # another function of the same driver

    def __init__(self) -> None:
        subprocess.run(["modprobe", "-r", "vivid"], check=True)
        subprocess.run(["modprobe", "vivid", "n_devs=1", f"node_types={_NODES:#x}"], check=True)
        until("the grabber", Path(self.device).exists)
        self.switch(HDMI)
        self.set(test_pattern=1, osd_text_mode=2)

    def tell(self, *words: str) -> str:
        """Return what v4l2-ctl says."""
        done = subprocess.run(["v4l2-ctl", "-d", self.device, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"v4l2-ctl {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def set(self, **controls: int) -> None:
        self.tell("--set-ctrl", ",".join(f"{name}={value}" for name, value in controls.items()))

    def switch(self, number: int) -> None:
        self.tell("--set-input", str(number))

    def arrive(self, timings: int) -> None:
        """Have these digital timings arrive."""
        self.set(dv_timings_signal_mode=SELECTED, dv_timings=timings)

    def move(self) -> None:
        """Show a picture that no grabber shows by itself: it moves."""
        self.set(test_pattern=COLOUR_SQUARES, osd_text_mode=0, horizontal_movement=5)

    def unplug(self) -> None:
        (_DRIVER / "unbind").write_text("vivid.0")
        until("the grabber to go", lambda: not Path(self.device).exists())

    def plug(self) -> None:
        (_DRIVER / "bind").write_text("vivid.0")
        until("the grabber", Path(self.device).exists)

    def throw_away(self) -> None:
        subprocess.run(["modprobe", "-r", "vivid"], check=True)
