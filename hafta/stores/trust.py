"""Opening directories and files that nobody else can have prepared, and saying clearly why not.

1. Links: none in the last place, but for a link to the directory that stands where only we or root can put one
   (systemd makes such a link for DynamicUser=).
2. A directory that others can write to, or that belongs to another user, is refused: who can write to it can exchange
   the record.
3. A file is regular, ours or root's, and nobody else can write to it.
"""

from __future__ import annotations

import errno
import os
import stat

from hafta.errors import StoreError

_KINDS = {
    errno.ENOSPC: ("full", "no space is left", "free some; what had been recorded still stands"),
    errno.EDQUOT: ("full", "the quota is used up", "free some; what had been recorded still stands"),
    errno.EIO: ("io", "the disk reports an error", "look at the kernel's log (dmesg) and replace the disk"),
    errno.EROFS: (
        "read-only",
        "the file system is read-only",
        "mount it writable (systemd: StateDirectory=, ReadWritePaths=)",
    ),
    errno.EACCES: ("permission", "no permission", "look at owner and mode (systemd: StateDirectory=, User=)"),
    errno.EPERM: ("permission", "not permitted", "look at owner and mode (systemd: StateDirectory=, User=)"),
    errno.ELOOP: ("not-a-file", "a symbolic link stands there, and none is followed", "remove it"),
    errno.ENOTDIR: (
        "not-a-file",
        "something that is no directory is in the way",
        "remove it, or choose another directory",
    ),
    errno.EISDIR: ("not-a-file", "a directory stands there", "remove it"),
}


def explained(error: OSError, path: str) -> StoreError:
    """Return the StoreError for what the system said."""
    system = ("system", error.strerror or str(error), "mend that and start again")
    kind, cause, hint = _KINDS.get(error.errno or 0, system)
    told = StoreError(f"{path}: {cause}", hint, kind=kind)
    told.__cause__ = error
    return told


def open_directory(path: str, *, make: bool = False, removing: bool = False) -> int:
    """Open a directory that can be trusted. Raises StoreError, and FileNotFoundError unless it is to be made.

    `removing`: root may do that for the owner of the directory, whoever it is; nobody else's records stand in it.
    """
    if make:
        make_directory(path)
    fd = _enter(path)
    try:
        _check_directory(os.fstat(fd), path, removing=removing)
    except BaseException:
        shut(fd)
        raise
    return fd


def make_directory(path: str) -> None:
    """Make a directory, and those above it, for us alone, and on the disk. One that exists stays as it is."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path.rstrip("/")) or "."
    if parent != path:  # where even / or . cannot be looked at, mkdir will say why
        make_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return  # another process was faster, or it is no directory: opening it will tell
    sync_directory(parent)


def sync_directory(path: str) -> None:
    """Bring the names in a directory to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        shut(fd)


def shut(fd: int) -> None:
    """Close a descriptor. It is closed whatever the system says, and what mattered was acknowledged by other calls."""
    try:
        os.close(fd)
    except OSError:
        return


def check_file(fd: int, path: str, *, removing: bool = False) -> os.stat_result:
    """Return the file's status. Raises StoreError for what is no regular file, or not ours alone to write."""
    info = os.fstat(fd)
    check_regular(info, path)
    if _is_foreign(info, removing=removing):
        raise _shared(path, "the file", info)
    return info


def check_regular(info: os.stat_result, path: str) -> None:
    """Raise StoreError for what is no regular file."""
    if not stat.S_ISREG(info.st_mode):
        raise StoreError(f"{path}: not a regular file", "remove what stands there", kind="not-a-file")


def _enter(path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR} or not os.path.islink(path):
            raise
    _check_link(path)
    return os.open(path, flags)


def _check_link(path: str) -> None:
    parent = os.stat(os.path.dirname(path.rstrip("/")) or ".")
    if _is_foreign(parent) or os.lstat(path).st_uid not in {0, os.geteuid()}:
        hint = "name the real directory; a link is followed only where nobody else can make one"
        raise StoreError(f"{path}: a symbolic link that others can have made", hint, kind="shared")


def _check_directory(info: os.stat_result, path: str, *, removing: bool) -> None:
    if _is_foreign(info, removing=removing):
        raise _shared(path, "the directory", info)


def _is_foreign(info: os.stat_result, *, removing: bool = False) -> bool:
    for_the_owner = removing and os.geteuid() == 0
    return not (for_the_owner or info.st_uid in {0, os.geteuid()}) or bool(info.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _shared(path: str, what: str, info: os.stat_result) -> StoreError:
    mode = stat.S_IMODE(info.st_mode)
    message = (
        f"{path}: others can write to it: {what} has owner {info.st_uid} and mode {mode:04o}, and we are {os.geteuid()}"
    )
    return StoreError(message, f"chmod go-w {path}, run as its owner, or choose another directory", kind="shared")
