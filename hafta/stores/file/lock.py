"""The lock of a file, which dies with its holder, and the note about the holder, for people.

The lock decides; the note only informs. It is an open-file-description lock (fcntl F_OFD_SETLK). Unlike a POSIX lock,
it survives when the file is opened and closed elsewhere in this process. Unlike flock, it can be queried without being
taken.
"""

from __future__ import annotations

import errno
import fcntl
import os
from struct import Struct
from zlib import crc32

from hafta.stores.file.layout import PAGE
from hafta.stores.holder import myself
from hafta.stores.protocol import Holder

_FLOCK = Struct("hhqqi4x")  # struct flock: type, whence, start, length (0: all of it), pid (must be 0)
_NOTE = Struct("<8sII")
_MAGIC = b"HAFTA-HO"
_ROOM = PAGE - _NOTE.size
_TAKEN = frozenset({errno.EAGAIN, errno.EACCES})


def lock(fd: int) -> bool:
    """Take the lock without waiting. False: it is already taken."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def unlock(fd: int) -> None:
    """Release the lock, even if others have copies of the descriptor. If this fails, closing the last copy does it."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return


def is_locked(fd: int) -> bool:
    """Tell whether the lock is taken, without taking it."""
    answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def note() -> bytes:
    """Return the note about this process."""
    me = myself()
    text = f"{me.pid} {me.since:.3f} {me.unit}".encode(errors="replace")[:_ROOM]
    return (_NOTE.pack(_MAGIC, len(text), crc32(text)) + text).ljust(PAGE, b"\0")


def read_note(data: bytes) -> Holder | None:
    """Return the holder that a note names, or None if it names none."""
    if len(data) < _NOTE.size:
        return None
    magic, size, crc = _NOTE.unpack_from(data)
    text = data[_NOTE.size : _NOTE.size + size]
    if magic != _MAGIC or crc32(text) != crc:
        return None
    pid, since, name = (*text.decode(errors="replace").split(" ", 2), "", "")[:3]
    return Holder(pid=int(pid), unit=name, since=float(since)) if _is_sound(pid, since) else None


def _is_sound(pid: str, since: str) -> bool:
    """Tell whether these can be a process and a time: a right checksum says only that nothing was lost."""
    whole, _, rest = since.partition(".")
    digits = (pid, whole, rest or "0")
    return all(word.isascii() and word.isdigit() and len(word) < 11 for word in digits) and int(pid) > 0
