"""A driver that does not return, in a real one: `python -m tests.kernel.held_driver NODE`.

vivid's nodes share one lock. This program reads from NODE into memory that is not there yet and that only it could
bring (userfaultfd(2)): the kernel waits for it in the middle of the read, with the lock, and every call on another
node of the same device waits too. It says "held" before it reads; ended by SIGKILL it lets go.
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import pack
from subprocess import PIPE, Popen

from tests.kernel.gadgets import until

_USERFAULTFD = 323  # of x86-64's system calls
_API, _UFFDIO_API, _UFFDIO_REGISTER, _MISSING = 0xAA, 0xC018AA3F, 0xC020AA00, 1  # linux/userfaultfd.h


@contextmanager
def held(node: str) -> Iterator[None]:
    """Hold the driver of a node until the block is left."""
    words = [sys.executable, "-m", "tests.kernel.held_driver", node]
    with Popen(words, stdout=PIPE, text=True) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            waits_in = Path(f"/proc/{holder.pid}/wchan")
            until("the read to wait for its memory", lambda: "userfault" in waits_in.read_text())
            yield
        finally:
            holder.kill()


def main(node: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    faults = libc.syscall(_USERFAULTFD, os.O_CLOEXEC)
    if faults < 0:
        raise OSError(ctypes.get_errno(), "userfaultfd")
    ioctl(faults, _UFFDIO_API, bytearray(pack("QQQ", _API, 0, 0)))
    missing = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(missing))
    ioctl(faults, _UFFDIO_REGISTER, bytearray(pack("QQQQ", address, mmap.PAGESIZE, _MISSING, 0)))
    fd = os.open(node, os.O_RDWR)
    print("held", flush=True)
    libc.read(fd, ctypes.c_void_p(address), mmap.PAGESIZE)


if __name__ == "__main__":
    main(sys.argv[1])
