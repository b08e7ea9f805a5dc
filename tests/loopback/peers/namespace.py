"""Puts the test process into a network of its own, where nothing but its loopback exists.

DCMTK's servers and Orthanc 1.10 cannot be told to listen on one address only: in a private network their
"all addresses" is 127.0.0.1, and no port of the machine is touched. Root needs a network namespace only,
others a user namespace as well, which must be made before the process has a second thread: call this from
the first conftest.py that is read. `SCOPEGATE_TEST_NETWORK=shared` goes without (say, in a container that
forbids namespaces): peers then listen on all addresses of the machine while the tests run.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

import pytest

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_IFF_UP_RUNNING = 0x1 | 0x40
_ENTERED = "SCOPEGATE_TEST_NETWORK"


def enter_private_network() -> None:
    """Enter it once; a second call changes nothing. Children inherit it."""
    if os.environ.get(_ENTERED) in ("shared", f"private:{_network()}"):
        return
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        pytest.exit(
            f"These tests need a private network and could not make one ({errno.errorcode.get(number, number)}). "
            f"Run them as `unshare -rn` would, as root, or with {_ENTERED}=shared: the peers then listen on all "
            "addresses of this machine.",
            returncode=2,
        )
    if flags & _CLONE_NEWUSER:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", _IFF_UP_RUNNING, b"")
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
    os.environ[_ENTERED] = f"private:{_network()}"


def _network() -> str:
    return Path("/proc/self/ns/net").readlink().name


def add_address(address: str, alias: int) -> bool:
    """Give the loopback of the private network one more address; False in a shared one, which stays as it is."""
    if os.environ.get(_ENTERED) == "shared":
        return False
    name = f"lo:{alias}".encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        target = struct.pack("=HH4s8s", socket.AF_INET, 0, socket.inet_aton(address), b"")
        fcntl.ioctl(any_socket, _SIOCSIFADDR, struct.pack("16s16s", name, target))
    return True
