"""Conditions on files and directories. None opens a file: they look at names, modes and sizes."""

from __future__ import annotations

import errno
import os
import stat

from hafta.settings import switch
from hafta.units.checks.libc import glob_exists
from hafta.units.checks.reading import content, content_or_nothing, mounts
from hafta.units.checks.words import kernel_command_line

exists_glob = glob_exists
#: Names that do not make a directory full, because they are backups or belong to the file system.
_NO_CONTENT = frozenset(("lost+found", "aquota.user", "aquota.group"))
_BACKUPS = frozenset(
    (
        *("rpmnew", "rpmsave", "rpmorig", "dpkg-old", "dpkg-new", "dpkg-tmp", "dpkg-dist", "dpkg-bak", "dpkg-backup"),
        *("dpkg-remove", "ucf-new", "ucf-old", "ucf-dist", "swp", "bak", "old", "new"),
    )
)
_DEEPEST = 16  # how many devices may lie below an encrypted one
_SECOND = 1_000_000_000  # nanoseconds


def _path(path: str) -> bytes:
    found = os.fsencode(path)
    if b"\0" in found:
        raise ValueError("it has a NUL byte")
    return found


def exists(path: str) -> bool:
    """Tell whether something is there, links followed."""
    return os.access(_path(path), os.F_OK)


def is_directory(path: str) -> bool:
    """Tell whether it is a directory, links followed."""
    return os.path.isdir(_path(path))


def is_symbolic_link(path: str) -> bool:
    """Tell whether it is a link."""
    return os.path.islink(_path(path))


def is_mount_point(path: str) -> bool:
    """Tell whether a file system is mounted here, or a single file."""
    place = os.fsdecode(os.path.realpath(_path(path)))
    return os.path.lexists(place) and (place == "/" or any(point == place for point, _ in mounts()))


def is_read_write(path: str) -> bool:
    """Tell whether it is there and not on a file system that is mounted read-only."""
    try:
        return not _is_read_only(path)
    except OSError as error:
        return error.errno != errno.ENOENT


def _is_read_only(path: str) -> bool:
    return bool(os.statvfs(_path(path)).f_flag & os.ST_RDONLY)


def is_encrypted(path: str) -> bool:
    """Tell whether the file system lies on encrypted block devices only."""
    try:
        device = os.stat(_path(path)).st_dev
    except OSError:
        return False
    return os.major(device) != 0 and _is_encrypted(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}", _DEEPEST)


def _is_encrypted(device: str, depth: int) -> bool:
    if depth == 0:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if content_or_nothing(f"{device}/dm/uuid").startswith("CRYPT-"):
        return True
    if os.path.exists(f"{device}/partition"):
        return _is_encrypted(f"{os.path.realpath(device)}/..", depth - 1)
    try:
        below = os.listdir(f"{device}/slaves")
    except OSError:
        return False
    return bool(below) and all(_is_encrypted(f"{device}/slaves/{name}", depth - 1) for name in below)


def is_directory_not_empty(path: str) -> bool:
    """Tell whether a directory has anything in it that is not hidden or a backup."""
    try:
        with os.scandir(_path(path)) as entries:
            return any(not _is_nothing(os.fsdecode(entry.name)) for entry in entries)
    except OSError as error:  # what cannot be looked into may well have something in it
        return error.errno not in {errno.ENOENT, errno.ENOTDIR}


def _is_nothing(name: str) -> bool:
    if name.startswith(".") or name.endswith("~") or name in _NO_CONTENT:
        return True
    _, point, suffix = name.rpartition(".")
    return bool(point) and suffix in _BACKUPS


def is_file_not_empty(path: str) -> bool:
    """Tell whether it is a regular file that is longer than nothing."""
    info = _stat(path)
    return info is not None and stat.S_ISREG(info.st_mode) and info.st_size > 0


def is_file_executable(path: str) -> bool:
    """Tell whether it is a regular file that somebody may run."""
    info = _stat(path)
    return info is not None and stat.S_ISREG(info.st_mode) and bool(info.st_mode & 0o111)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(_path(path))
    except OSError:
        return None


def needs_update(path: str) -> bool:
    """Tell whether /usr is newer than what stands below a path, /etc or /var, was made from it."""
    for word in kernel_command_line():
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == "systemd.condition-needs-update":
            return switch(value) if equals else True
    try:
        if _is_read_only(path):
            return False
    except OSError:
        pass
    stamp = f"{path.rstrip('/')}/.updated"
    try:
        made, usr = os.lstat(_path(stamp)).st_mtime_ns, os.lstat("/usr/").st_mtime_ns
    except OSError:
        return True
    # A file system that counts whole seconds only: the file says the rest.
    if usr // _SECOND == made // _SECOND and usr % _SECOND and not made % _SECOND:
        return usr > _noted(stamp)
    return usr > made


def _noted(stamp: str) -> int:
    if not os.path.isfile(stamp):
        return 0
    lines = content(stamp).splitlines()
    found = next((line.partition("=")[2] for line in lines if line.startswith("TIMESTAMP_NSEC=")), "")
    return int(found) if found.isascii() and found.isdigit() and len(found) <= 20 else 0
