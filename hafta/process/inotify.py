"""inotify(7), which Python does not have: it reports at once that something was removed from a directory."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

IN_MOVED_FROM = 0x40
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_ONLYDIR = 0x01000000

_LIBC = ctypes.CDLL(None, use_errno=True)
_GONE = IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR


class Removals:
    """A descriptor that becomes readable when something was removed from one of its directories."""

    def __init__(self) -> None:
        self._fd = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return int(self._fd)

    def add(self, path: str) -> None:
        """Watch one more directory. If it does not exist, or the kernel has no room for it, it is left out."""
        _LIBC.inotify_add_watch(self._fd, ctypes.c_char_p(os.fsencode(path)), _GONE)

    def clear(self) -> None:
        """Forget what was reported so far."""
        with suppress(BlockingIOError):
            while os.read(self._fd, 65536):
                pass

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)
