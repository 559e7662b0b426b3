"""Closing descriptors that came from a service, without ever waiting for that.

A file of a service may lie on a file system that answers late, or never, and closing it asks that one. So what a
descriptor is, is read from its name in /proc/self/fd, which asks nobody; and what may wait is closed by a thread.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import socket
from contextlib import suppress

STUCK = 64  # threads that wait at a time: then nothing more is taken from services
_AT_ONCE = ("pipe:", *(f"anon_inode:[{kind}]" for kind in ("eventfd", "eventpoll", "pidfd", "signalfd", "timerfd")))
_F_GET_SEALS = 1034
_closing: set[int] = set()


def what_is(fd: int) -> str:
    """Return what a descriptor is: socket:[12], pipe:[13], anon_inode:..., or a path."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


def stuck() -> int:
    """Return how many descriptors are being closed."""
    return len(_closing)


def discard(fd: int) -> None:
    """Close a descriptor that came from a service."""
    if not _may_wait(fd):
        os.close(fd)
        return
    _closing.add(fd)
    try:
        _thread.start_new_thread(_close, (fd,))
    except RuntimeError:  # there can be no more threads
        _close(fd)


def _close(fd: int) -> None:
    with suppress(OSError):
        os.close(fd)
    _closing.discard(fd)


def _may_wait(fd: int) -> bool:
    """Tell whether its close may wait: for data to be sent (SO_LINGER), or for a file system."""
    what = what_is(fd)
    if what.startswith("socket:"):
        return _lingers(fd)
    return not (what.startswith(_AT_ONCE) or _is_memory(fd))


def _lingers(fd: int) -> bool:
    made = socket.socket(fileno=fd)
    try:
        return any(made.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)[:4])
    except OSError:
        return False
    finally:
        made.detach()


def _is_memory(fd: int) -> bool:
    """Tell whether it is a memfd, or a file in a tmpfs: only those have seals."""
    try:
        fcntl.fcntl(fd, _F_GET_SEALS)
    except OSError:
        return False
    return True
