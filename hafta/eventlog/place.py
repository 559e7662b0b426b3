"""Where an overlord keeps its event log: a directory that it has for itself as long as it lives.

Below %S/hafta-overlord/events there are directories 0, 1, 2, ... An overlord takes the first that no other one has. So
one that runs after another goes on in its files, and only those that run side by side have several directories. The
lock is one of the open file (F_OFD_SETLK), which can be asked for without being taken: readers disturb nobody.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress

from hafta.eventlog.format import FOLDER, LOCK
from hafta.trust import is_shared

MOST = 64  # overlords side by side that have an event log
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FLOCK = struct.Struct("hhqqi")


class Place:
    """A directory that is ours. `fd` is that of the directory."""

    def __init__(self, path: str, fd: int, lock: int) -> None:
        self.path = path
        self.fd = fd
        self._lock = lock

    def close(self) -> None:
        """Let go of it."""
        os.close(self._lock)
        os.close(self.fd)


def claim(state: str) -> Place:
    """Return a directory below %S that nobody else has. Raises OSError."""
    above = _open_private(state)
    try:
        for number in range(MOST):
            if place := _try(above, os.path.join(state, FOLDER, str(number)), str(number)):
                return place
    finally:
        os.close(above)
    raise OSError(errno.EUSERS, f"{MOST} overlords have one there already")


def _open_private(state: str) -> int:
    """Open the directory of all event logs, which is made if it is missing. Follows no link below %S."""
    os.makedirs(state, 0o700 if os.geteuid() else 0o755, exist_ok=True)
    fd = os.open(state, _FOLDER & ~os.O_NOFOLLOW)
    for name, mode in zip(FOLDER.split("/"), (0o711, 0o700), strict=True):
        fd = _enter(fd, name, mode)
    return fd


def _enter(above: int, name: str, mode: int) -> int:
    """Open a directory, made if missing; the descriptor of the one above is closed. Raises OSError."""
    try:
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=above)
        fd = os.open(name, _FOLDER, dir_fd=above)
    finally:
        os.close(above)
    info = os.fstat(fd)
    if info.st_uid != os.geteuid() or is_shared(info):
        os.close(fd)
        raise PermissionError(errno.EPERM, "it belongs to another user, or others may write to it", name)
    return fd


def _try(above: int, path: str, name: str) -> Place | None:
    fd = _enter(os.dup(above), name, 0o700)
    lock = -1
    try:
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=fd)
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        if lock >= 0:
            os.close(lock)
        os.close(fd)
        if error.errno in {errno.EAGAIN, errno.EACCES} and lock >= 0:
            return None
        raise
    return Place(path, fd, lock)


def is_held(folder: int) -> bool:
    """Tell whether an overlord lives that has this directory. `folder`: its descriptor."""
    try:
        lock = os.open(LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        return bool(_FLOCK.unpack(fcntl.fcntl(lock, fcntl.F_OFD_GETLK, asked)[: _FLOCK.size])[0] != fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(lock)


def logs_in(path: str) -> list[str]:
    """Return the directories of event logs: `path` itself if it is one, else those in it, or below it as %S.

    What belongs to another user than root and us, or can be written by others, does not count.
    """
    if _is_log(path):
        return [path]
    found: list[str] = []
    for folder in (path, os.path.join(path, "events"), os.path.join(path, FOLDER)):
        with suppress(OSError):
            names = sorted((name for name in os.listdir(folder) if name.isascii() and name.isdigit()), key=int)
            found += [each for name in names if _is_log(each := os.path.join(folder, name))]
    return found


def _is_log(path: str) -> bool:
    try:
        info = os.lstat(path)
        is_trusted = stat.S_ISDIR(info.st_mode) and info.st_uid in {0, os.geteuid()} and not is_shared(info)
        return is_trusted and any(name.startswith("events-") for name in os.listdir(path))
    except OSError:
        return False
