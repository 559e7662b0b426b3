"""Reading files of others: regular ones of a bounded size, so that nothing can wait for one or fill the memory."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from hafta.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 1 << 20  # bytes
_WILDCARDS = frozenset("*?[")


def absolute(path: str) -> str:
    """Return a path from the root on. Raises UsageError where the current directory is gone."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        hint = "change to a directory that is there, or give paths that begin with /"
        raise UsageError(f"{path}: the current directory does not exist any more", hint) from None


def has_wildcards(path: str) -> bool:
    """Tell whether a path may stand for several."""
    return not _WILDCARDS.isdisjoint(path)


def matching(path: str) -> list[str]:
    """Return the paths that one with wildcards stands for."""
    from glob import glob  # late: with it come regular expressions, 0.4 MiB

    return glob(path)


def read_text(path: str) -> str:
    """Return what a file holds, as UTF-8 with surrogateescape; /dev/null holds nothing.

    Raises OSError, or ValueError saying what kind of file it is.
    """
    held = os.open(os.fsencode(path), os.O_PATH | os.O_CLOEXEC)
    try:
        data = _read(held)
    finally:
        os.close(held)
    if len(data) > MOST:
        raise ValueError(f"longer than {MOST} bytes")
    if b"\0" in data:
        raise ValueError("has a NUL byte")
    return data.decode("utf-8", "surrogateescape")


def _read(held: int) -> bytes:
    """Read what is held by O_PATH. Only a regular file is opened: to open a device may start something (watchdogs)."""
    info = os.fstat(held)
    if stat.S_ISCHR(info.st_mode) and os.path.samestat(info, os.stat(os.devnull)):
        return b""
    if stat.S_ISDIR(info.st_mode):
        raise ValueError("Is a directory")
    if not stat.S_ISREG(info.st_mode):
        raise ValueError("not a regular file")
    fd = os.open(f"/proc/self/fd/{held}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return file.read(MOST + 1)


def newest(paths: Iterable[str]) -> int:
    """Return when the newest of some files was changed, in nanoseconds; 0 if none is there."""
    found = 0
    for path in paths:
        with suppress(OSError):
            found = max(found, os.stat(os.fsencode(path)).st_mtime_ns)
    return found


def reason(error: OSError | ValueError) -> str:
    """Return in words why a file could not be read."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
