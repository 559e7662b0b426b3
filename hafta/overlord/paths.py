"""What sockets leave in the file system, written down so that the overlord, its keeper or its heir can remove it.

A socket's path stays when the socket is stopped, as in systemd, but not when the overlord ends. It is removed only if
it is still what was made: the same device, inode and kind. Directories that were made for it go if they are empty.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "sockets"
_KINDS = {stat.S_IFSOCK: "s", stat.S_IFIFO: "f", stat.S_IFLNK: "l", stat.S_IFDIR: "d"}


class Paths:
    """The paths of one overlord, kept in its own directory."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: dict[str, str] = {}

    def make_parents(self, path: str, mode: int) -> None:
        """Make the directories above a path that are missing. Raises OSError."""
        missing = []
        while (path := os.path.dirname(path)) not in {"", "/"} and not os.path.isdir(path):
            missing.append(path)
        for folder in reversed(missing):
            before = os.umask(0o777 & ~mode)
            try:
                os.mkdir(folder, mode)
            except FileExistsError:
                continue
            finally:
                os.umask(before)
            self.add(folder, os.lstat(folder))

    def add(self, path: str, info: os.stat_result) -> None:
        """Write down something that was made."""
        self._made.pop(path, None)
        self._made[path] = f"{_KINDS[stat.S_IFMT(info.st_mode)]} {info.st_dev} {info.st_ino} "
        self._write()

    def remove(self, path: str) -> None:
        """Remove something that was made, if it is still that."""
        if mark := self._made.pop(path, ""):
            _remove(mark + path)
            self._write()

    def _write(self) -> None:
        with suppress(OSError):
            name = os.path.join(self._folder, FILE)
            fd = os.open(name + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(b"\0".join([os.fsencode(mark + path) for path, mark in self._made.items()]))
            os.rename(name + ".new", name)


def clear(folder: str) -> None:
    """Remove all that is written down in an overlord's directory, the last one first. Raises nothing."""
    for line in reversed(list(_lines(folder))):
        _remove(line)


def _lines(folder: str) -> Iterator[str]:
    with suppress(OSError):
        fd = os.open(os.path.join(folder, FILE), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            yield from (os.fsdecode(line) for line in file.read().split(b"\0") if line)


def _remove(line: str) -> None:
    kind, device, inode, path = line.split(" ", 3)
    with suppress(OSError):
        info = os.lstat(path)
        found = (_KINDS.get(stat.S_IFMT(info.st_mode)), str(info.st_dev), str(info.st_ino))
        if found == (kind, device, inode):
            (os.rmdir if kind == "d" else os.unlink)(path)
