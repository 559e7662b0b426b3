"""prctl(2), which Python's os module does not have."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from hafta.process.stat import content

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
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
    """Set the name that ps shows, at most 15 bytes. Where /proc may not be written to, nothing happens."""
    with suppress(OSError):
        _write("/proc/self/comm", os.fsencode(name)[:15])


def set_title(title: str) -> None:
    """Set the command line that ps and `systemctl status` show. It is cut to the room that the real one has.

    The kernel reads it from the memory of the process, at the place that /proc/self/stat gives: that is overwritten.
    Where the place is not known, or may not be written to, nothing happens.
    """
    fields = (content("/proc/self/stat") or b"").rpartition(b")")[2].split()
    start, end = (int(fields[45]), int(fields[46])) if len(fields) > 46 else (0, 0)
    if 0 < start < end:
        text = os.fsencode(title)[: end - start - 1].ljust(end - start, b"\0")
        with suppress(OSError):
            _write("/proc/self/mem", text, start)


def _write(path: str, text: bytes, offset: int = 0) -> None:
    """Write to a file of /proc: ctypes would touch five times as many pages, which a forked process has to copy."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        if offset:
            os.lseek(fd, offset, os.SEEK_SET)
        os.write(fd, text)
    finally:
        os.close(fd)


def call(option: int, *arguments: int) -> None:
    """Make the system call. Raises OSError."""
    if value_of(option, *arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def value_of(option: int, *arguments: int) -> int:
    """Make the system call and return its result; below 0 if it failed."""
    result: int = _PRCTL(option, *(*arguments, 0, 0, 0, 0)[:4])
    return result
