"""Walking down a path without being led astray.

Invariant: what is returned was reached only through directories and links that nobody could have put there but root,
ourselves, or the owner of a directory in which nobody else may write.

Rules:

1. A path is walked one name at a time, each opened with O_PATH | O_NOFOLLOW below the one before. O_PATH touches
   nothing (it wakes no peer of a pipe and rewinds no tape), and what was checked is what is used.
2. A directory is shared when its group or others may write to it. What stands in a shared directory must be ours or
   root's. What stands in any other was put there by its owner, who was checked in this way on the walk down from /.
3. A symbolic link to a directory is followed only if it is ours or root's and its directory is not shared: so /var/run
   is followed, and a link in /tmp is not. In the last place of a path no link is followed.

The kernel's fs.protected_symlinks and fs.protected_fifos ask for about the same, but they may be off, know only sticky
directories, and let a plain open() of a foreign pipe pass.
"""

from __future__ import annotations

import errno
import os
import stat

from hafta import exits
from hafta.causes import cause_of
from hafta.errors import ServiceError
from hafta.trust import is_own, is_shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

CHOOSE = "choose another path (--pipe or HAFTA_PIPE)"

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = 40  # the kernel follows no more in one path

_STATUS = {"permission": exits.PERMISSION, "full": exits.NO_SPACE, "name": exits.USAGE}


class Walk:
    """One walk down a path, a context manager.

    It holds every descriptor that it opened until it ends; then an OSError of its body becomes a ServiceError that
    says which cause it was. `doing` is what the path is for, as a verb.
    """

    def __init__(self, path: str, doing: str) -> None:
        self.path = path
        self.parent, _, self.name = path.rpartition("/")
        self.parent += "/" if path.startswith("/") else ""
        self._doing = doing
        self._base = ""  # the way to the directory that is being searched
        self._at = path  # the name that is being looked at
        self._links = 0
        self._held: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        for fd in self._held:
            os.close(fd)
        if isinstance(error, OSError):
            raise self._explained(error) from error

    def directory(self) -> int:
        """Return the directory that the last name stands in, opened with O_PATH."""
        if self.name in {"", ".", ".."}:
            raise ServiceError(f"{self.path} names a directory", CHOOSE, status=exits.NOT_A_PIPE)
        here = self._start(self.parent)
        todo = self.parent.split("/")[::-1]
        while todo:
            if (name := todo.pop()) not in {"", "."}:
                here = self._step(name, here, todo)
        self._at = self.path
        return here

    def look(self, name: str, directory: int | None) -> int:
        """Return what has this name, opened with O_PATH; a link itself and not what it leads to."""
        fd = os.open(name, _LOOK, dir_fd=directory)
        self._held.append(fd)
        return fd

    def _start(self, path: str) -> int:
        self._base = "/" if path.startswith("/") else ""
        return self.look(self._base or ".", None)

    def _step(self, name: str, here: int, todo: list[str]) -> int:
        self._at = self._base + name
        there = self.look(name, here)
        info = os.fstat(there)
        if stat.S_ISLNK(info.st_mode):
            return self._follow(there, here, todo)
        if not stat.S_ISDIR(info.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not is_own(info) and is_shared(os.fstat(here)):
            raise foreign(info, self._at)
        self._base = f"{self._at}/"
        return there

    def _follow(self, there: int, here: int, todo: list[str]) -> int:
        target = os.readlink("", dir_fd=there)
        if not is_own(os.fstat(there)) or is_shared(os.fstat(here)):
            raise link(self._at, target)
        self._links += 1
        if self._links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        todo += target.split("/")[::-1]
        return self._start(target) if target.startswith("/") else here

    def _explained(self, error: OSError) -> ServiceError:
        if error.errno == errno.ENOENT:
            return self._missing()
        seen = os.path.lexists(self._at)  # if not, it is its directory that refuses
        at = _short(self._at if seen else os.path.dirname(self._at) or ".")
        words, hint, status = _cause(error, at)
        return ServiceError(f"cannot {self._doing} {_short(self.path)}: {words}", f"{hint}, or {CHOOSE}", status=status)

    def _missing(self) -> ServiceError:
        if self._at == self.path and self._doing == "make":
            message, hint = f"cannot make {self.path}: that directory cannot have a pipe", CHOOSE
        elif self._at == self.path:
            message, hint = f"there is no pipe at {self.path}", f"hafta-server --pipe {self.path} makes it"
        else:
            message, hint = f"there is no directory {self._at}", f"make it, or {CHOOSE}"
        return ServiceError(message, hint, status=exits.NOT_FOUND)


def _cause(error: OSError, at: str) -> tuple[str, str, int]:
    """Return what was refused in words, what to do, and the exit status."""
    if error.errno == errno.ELOOP:
        return "too many symbolic links", f"untangle the links at {at}", exits.SYMLINK
    if error.errno == errno.ENOTDIR:
        return f"{at} is not a directory", "make it one", exits.NOT_FOUND
    cause = cause_of(error)
    hint = f"look at the owner and mode of {at}" if cause.kind == "permission" else cause.hint
    return cause.words, hint, _STATUS.get(cause.kind, exits.SYSTEM)


def link(path: str, target: str) -> ServiceError:
    """Return the error for a link that is not followed."""
    hint = (
        "links are not followed to a pipe, nor where other users could have created them; give the real path (--pipe)"
    )
    return ServiceError(f"{path} is a symbolic link to {target}", hint, status=exits.SYMLINK)


def foreign(info: os.stat_result, path: str) -> ServiceError:
    """Return the error for what belongs to somebody who is not trusted there."""
    message = f"{path} belongs to user {info.st_uid}, who is not trusted there (we are user {os.geteuid()})"
    hint = f"it must be ours or root's, or its owner must be the only one who can write to its directory; or {CHOOSE}"
    return ServiceError(message, hint, status=exits.FOREIGN_OWNER)


def _short(path: str) -> str:
    return path if len(path) <= 100 else f"{path[:60]}... ({len(path)} characters)"
