"""prctl(2), which Python's os module does not have."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

_PRCTL = ctypes.CDLL(None, use_errno=True).prctl
_PRCTL.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


def die_with_parent(signum: int, parent: int) -> bool:
    """Have the kernel send us `signum` when our parent dies; False if `parent` died before this took effect.

    The kernel forgets this when the process changes its user: call it after that.
    """
    call(PR_SET_PDEATHSIG, signum)
    return os.getppid() == parent


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    call(PR_SET_CHILD_SUBREAPER, 1)


def leave_no_core() -> None:
    """Have no core dump made of us: we are about to die like somebody else, whose dump it would hide."""
    call(PR_SET_DUMPABLE, 0)


def set_name(name: str) -> None:
    """Set the name that ps shows, at most 15 bytes."""
    text = ctypes.create_string_buffer(os.fsencode(name[:15]))
    call(PR_SET_NAME, ctypes.addressof(text))


def set_title(title: str) -> None:
    """Set the command line that ps and `systemctl status` show. It is cut to the room that the real one has.

    The kernel reads it from the memory of the process, at the place that /proc/self/stat gives: that is overwritten.
    Where the place is not known, nothing happens.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if 0 < start < end:
        text = os.fsencode(title)[: end - start - 1]
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, text, len(text))


def call(option: int, *arguments: int) -> None:
    """Make the system call. Raises OSError."""
    if value_of(option, *arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def value_of(option: int, *arguments: int) -> int:
    """Make the system call and return its result; below 0 if it failed."""
    result: int = _PRCTL(option, *(*arguments, 0, 0, 0, 0)[:4])
    return result
