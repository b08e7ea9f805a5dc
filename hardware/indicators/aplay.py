"""Sound through ALSA's `aplay`, one process a tone: a sound card that hangs or vanishes takes nothing with it."""

import os
import shutil
import subprocess

from hardware.errors import DeviceMissing

_DYING_S = 0.5
_ENVIRONMENT = {"PATH": os.defpath, "HOME": "/nonexistent"}  # a user's own ALSA settings are not the box's


class Aplay:
    """Plays on an ALSA device such as "default" or "plughw:CARD=Device"."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._process: subprocess.Popen[bytes] | None = None
        self._stuck: subprocess.Popen[bytes] | None = None

    def start(self, wav: bytes) -> None:
        self.stop()
        if self._stuck is not None and self._stuck.poll() is None:
            raise DeviceMissing(f"The sound card {self._device} hangs: take it out and plug it in again.")
        program = shutil.which("aplay")
        if program is None:
            raise DeviceMissing("No tone can be played: the program aplay (package alsa-utils) is not installed.")
        file = os.memfd_create("tone")  # a file, so that nobody waits for a pipe to be emptied
        try:
            os.write(file, wav)
            os.lseek(file, 0, os.SEEK_SET)
            command = [program, "--quiet", f"--device={self._device}"]
            self._process = subprocess.Popen(
                command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_ENVIRONMENT
            )
        except OSError as error:
            raise DeviceMissing("No tone can be played: the program aplay does not start.") from error
        finally:
            os.close(file)

    def playing(self) -> bool:
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return True
        self._process = None
        if code:
            raise DeviceMissing(
                f"The sound card {self._device} does not play: check that it is plugged in, the setting, and that "
                "this user is in the group audio."
            )
        return False

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.kill()
        try:
            process.wait(_DYING_S)
        except subprocess.TimeoutExpired:
            self._stuck = process  # the kernel holds it; there will be no second one before it is gone
