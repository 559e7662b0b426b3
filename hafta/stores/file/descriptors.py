"""Descriptors that an interrupt cannot leave open.

A signal handler may raise between `os.open` and the assignment of its result. Then the number is lost: the descriptor
stays open, and keeps its lock. So here a descriptor gets its owner inside of one call of the interpreter's C code,
where no handler runs: `map` passes the number from `os.open` to the owner. The owner is a C object as well. It closes
the descriptor when nothing refers to it any more, and runs no Python code for that. A `__del__` in Python would not do:
Python swallows a stop that comes in the middle of one.
"""

from __future__ import annotations

import os
from _io import FileIO
from functools import partial
from select import epoll

TYPE_CHECKING = False
if TYPE_CHECKING:
    Owner = FileIO | epoll


def open_file(name: str, flags: int, *, directory: int | None = None) -> FileIO:
    """Open a file for writing and locking. Raises OSError."""
    opening = map(partial(os.open, dir_fd=directory), (name,), (flags,), (0o600,))
    return next(map(FileIO, opening, ("r+b",)))


def open_to_look(path: str, flags: int) -> epoll:
    """Open a directory, or any other file, to look at it. Raises OSError.

    FileIO refuses directories. An epoll object is the only C object that can own any descriptor. It is never polled
    here.
    """
    return next(map(epoll.fromfd, map(os.open, (path,), (flags | os.O_CLOEXEC,))))


def close(owner: Owner) -> None:
    """Close it. An error is ignored: the descriptor is closed all the same, and other calls have synced the data."""
    try:
        owner.close()
    except OSError:
        return
