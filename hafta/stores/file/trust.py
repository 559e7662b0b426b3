"""Open only directories and files that other users cannot have prepared, and say clearly why one is refused.

1. Symbolic links: the file must not be one. The directory may be one only if nobody but we or root could have created
   the link (systemd makes such a link for DynamicUser=).
2. A directory that other users can write to, or that belongs to another user, is refused: they could replace a record.
3. A file must be a regular file, belong to us or to root, and not be writable by others.
"""

from __future__ import annotations

import errno
import os
import stat

from hafta.causes import Cause, cause_of
from hafta.errors import StoreError
from hafta.stores.file.descriptors import close, open_to_look
from hafta.trust import is_own, is_shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from select import epoll

_REMOVE = "remove or rename it"

#: What the errors of opening a path mean here, where links are not followed.
_IN_THE_WAY = {
    errno.ELOOP: Cause("not-a-file", "it is a symbolic link, which is never followed", _REMOVE),
    errno.ENOTDIR: Cause("not-a-file", "a part of this path is not a directory", f"{_REMOVE}, or choose another"),
    errno.EISDIR: Cause("not-a-file", "it is a directory", _REMOVE),
}
#: The errors of a file system that lacks a feature which records need, such as locks.
_CANNOT = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK})


def explained(error: OSError, path: str) -> StoreError:
    """Return the StoreError for what the system said."""
    cause = _IN_THE_WAY.get(error.errno or 0) or cause_of(error)
    words, hint = cause.words, cause.hint
    if cause.kind == "full":
        hint += "; what was recorded before is still there"
    if error.errno in _CANNOT:
        words += f" (file system: {_file_system(os.path.dirname(path))})"
        hint = "keep the records in a directory on a local file system (ext4, xfs, btrfs)"
    told = StoreError(f"{path}: {words}", hint, kind=cause.kind)
    told.__cause__ = error
    return told


def open_directory(path: str, *, make: bool = False, removing: bool = False) -> epoll:
    """Open a directory that can be trusted. Raises StoreError; without `make` also FileNotFoundError.

    `removing`: root may remove records from a directory of any owner; all records in it belong to that owner.
    """
    if make:
        make_directory(path)
    directory = _enter(path)
    try:
        _check_directory(os.fstat(directory.fileno()), path, removing=removing)
    except BaseException:
        close(directory)
        raise
    return directory


def make_directory(path: str) -> None:
    """Make a directory and its parents, for this user alone, and sync them. An existing directory stays as it is."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path.rstrip("/")) or "."
    if parent != path:  # if even / or . cannot be examined, mkdir reports why
        make_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return  # another process was faster, or it is not a directory: opening it shows that
    directory = open_to_look(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_names(directory.fileno())
    finally:
        close(directory)


def sync_directory(path: str) -> None:
    """Bring the names in a directory to the disk. Raises StoreError where its file system cannot do that."""
    directory = open_to_look(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        synced = sync_names(directory.fileno())
    finally:
        close(directory)
    if not synced:
        message = f"{path}: this file system ({_file_system(path)}) cannot sync the names of files to the disk"
        hint = 'use the level "process" without sync=True, or a directory on another file system (ext4, xfs, btrfs)'
        raise StoreError(message, hint, kind="system")


def sync_names(directory: int) -> bool:
    """Sync the names in a directory to the disk. False: its file system cannot do that. Raises OSError."""
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        return False
    return True


def check_file(fd: int, path: str, *, removing: bool = False) -> os.stat_result:
    """Return the file's status. Raises StoreError if it is not a regular file, or if others can write to it."""
    info = os.fstat(fd)
    check_regular(info, path)
    if _is_foreign(info, removing=removing):
        raise _shared(path, "the file", info)
    return info


def check_regular(info: os.stat_result, path: str) -> None:
    """Raise StoreError if it is not a regular file."""
    if not stat.S_ISREG(info.st_mode):
        raise StoreError(f"{path}: not a regular file", _REMOVE, kind="not-a-file")


def _enter(path: str) -> epoll:
    flags = os.O_RDONLY | os.O_DIRECTORY
    try:
        return open_to_look(path, flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR} or not os.path.islink(path):
            raise
    _check_link(path)
    return open_to_look(path, flags)


def _check_link(path: str) -> None:
    parent = os.stat(os.path.dirname(path.rstrip("/")) or ".")
    if _is_foreign(parent) or os.lstat(path).st_uid not in {0, os.geteuid()}:
        hint = "name the real directory; a link is followed only where other users cannot create one"
        raise StoreError(f"{path}: a symbolic link that other users could have created", hint, kind="shared")


def _check_directory(info: os.stat_result, path: str, *, removing: bool) -> None:
    if _is_foreign(info, removing=removing):
        raise _shared(path, "the directory", info)


def _is_foreign(info: os.stat_result, *, removing: bool = False) -> bool:
    for_the_owner = removing and os.geteuid() == 0
    return not (for_the_owner or is_own(info)) or is_shared(info)


def _file_system(path: str) -> str:
    from hafta.stores.file.mounts import file_system  # late: few file systems lack anything

    return file_system(path)


def _shared(path: str, what: str, info: os.stat_result) -> StoreError:
    mode = stat.S_IMODE(info.st_mode)
    message = (
        f"{path}: other users can write to it: {what} has owner {info.st_uid} and mode {mode:04o},"
        f" and this process runs as user {os.geteuid()}"
    )
    return StoreError(message, f"chmod go-w {path}, run as its owner, or choose another directory", kind="shared")
