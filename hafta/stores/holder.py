"""Who has the claim: a lock that dies with its holder, and a note for people beside it.

The lock decides; the note only tells. An open-file-description lock (fcntl F_OFD_SETLK) because it survives that the
file is opened and closed elsewhere in this process, as a POSIX lock does not, and can be asked after without being
taken, as flock cannot.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from struct import Struct
from zlib import crc32

from hafta.stores.layout import PAGE
from hafta.stores.protocol import Holder

_FLOCK = Struct("hhqqi4x")  # struct flock: type, whence, start, length (0: all of it), pid (must be 0)
_NOTE = Struct("<8sII")
_MAGIC = b"HAFTA-HO"
_ROOM = PAGE - _NOTE.size
_TAKEN = frozenset({errno.EAGAIN, errno.EACCES})


def lock(fd: int) -> bool:
    """Take the lock without waiting. False: somebody else has it."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def unlock(fd: int) -> None:
    """Give the lock up, although others may have copies of the descriptor; if it fails, closing the last one does."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return


def is_locked(fd: int) -> bool:
    """Tell whether somebody has the lock, without taking it."""
    answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def note() -> bytes:
    """Return the note about this process."""
    text = f"{os.getpid()} {time.time():.3f} {unit()}".encode(errors="replace")[:_ROOM]
    return (_NOTE.pack(_MAGIC, len(text), crc32(text)) + text).ljust(PAGE, b"\0")


def read(data: bytes) -> Holder | None:
    """Return what a note says, or None if it says nothing."""
    if len(data) < _NOTE.size:
        return None
    magic, size, crc = _NOTE.unpack_from(data)
    text = data[_NOTE.size : _NOTE.size + size]
    if magic != _MAGIC or crc32(text) != crc:
        return None
    pid, since, name = text.decode(errors="replace").split(" ", 2)
    return Holder(int(pid), name, float(since))


def tell(holder: Holder | None) -> str:
    """Return who it is, for a message."""
    if holder is None:
        return "another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(holder.since))
    itself = "this process itself, " if holder.pid == os.getpid() else ""
    return f"{itself}pid {holder.pid}{f' ({holder.unit})' if holder.unit else ''}, since {since}"


def is_gone(holder: Holder | None) -> bool:
    """Tell whether the process that the note names has ended."""
    if holder is None:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def unit() -> str:
    """Return the unit that this process belongs to, as its control group tells; empty if none."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as groups:
            return unit_of(groups.read())
    except OSError:
        return ""


def unit_of(groups: str) -> str:
    """Return the innermost service or scope in /proc/PID/cgroup: systemd's own hierarchy, or the unified one."""
    for line in groups.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers in {"", "name=systemd"}:
            for part in reversed(path.split("/")):
                if part.endswith((".service", ".scope")):
                    return part
    return ""
