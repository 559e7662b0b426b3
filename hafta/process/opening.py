"""Opening a path of a unit with our own rights, though other users may have put links on its way.

Rules
1. A symbolic link is followed only in a directory that is ours or root's, and that nobody else may write to.
2. What the kernel makes itself, below /proc and /dev, is opened as it is.
"""

from __future__ import annotations

import errno
import os
import stat

from hafta.trust import is_own, is_shared

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = 40  # as the kernel
_KERNELS = ("/proc/", "/dev/")
_OF_OTHERS = ("/dev/shm/", "/dev/mqueue/")  # noqa: S108 - these are not


def open_safely(path: str, flags: int, mode: int) -> int:
    """Open an absolute path. Raises OSError; ELOOP for a link that is not to be followed."""
    if path.startswith(_KERNELS) and not path.startswith(_OF_OTHERS):
        return os.open(path, flags, mode)
    folder = os.open("/", _LOOK)
    waiting, links = path.split("/"), 0
    try:
        while True:
            name = waiting.pop(0) or "."
            try:
                deeper = os.open(name, _LOOK if waiting else flags | os.O_NOFOLLOW, mode, dir_fd=folder)
            except OSError as error:
                if error.errno != errno.ELOOP or waiting:
                    raise
                deeper = os.open(name, _LOOK, dir_fd=folder)
            if not stat.S_ISLNK(os.fstat(deeper).st_mode):
                if not waiting:
                    return deeper
                os.close(folder)
                folder = deeper
                continue
            os.close(deeper)
            links += 1
            target = _follow(folder, name, links)
            if target.startswith("/"):
                os.close(folder)
                folder = os.open("/", _LOOK)
            waiting = [*target.split("/"), *waiting]
    finally:
        os.close(folder)


def _follow(folder: int, name: str, links: int) -> str:
    """Return where a link leads. Raises OSError if it is not to be followed (rule 1)."""
    info = os.fstat(folder)
    if links > _LINKS or not is_own(info) or is_shared(info):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return os.readlink(name, dir_fd=folder)
