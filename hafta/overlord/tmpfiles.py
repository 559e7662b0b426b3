"""Makes what tmpfiles.d asks for below /run, as root, before the first unit starts (units/tmpfiles.py).

Rules
1. A path is walked down from /run one name at a time, and no symbolic link is followed. As in systemd, what belongs to
   another user than the directory around it, which is not root's, is not gone into: its owner may have put it there.
2. What is there and is not of the kind that a line asks for stays; only L+ takes its place.
3. Nothing that has a second name (a hard link) gets another owner or mode.
4. A line that fails is a trouble, and the others are carried out all the same.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress

from hafta.overlord.dirs import removal
from hafta.units.files import has_wildcards, matching
from hafta.units.tmpfiles import BELOW, changes_nothing, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.units.roots import Roots
    from hafta.units.tmpfiles import Line, Mode, Owner

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_FACTORY = "/usr/share/factory"
_SHOWN = 3
_KINDS = {"f": stat.S_ISREG, "L": stat.S_ISLNK, "p": stat.S_ISFIFO}


def prepare_run(roots: Roots, root: str = "") -> list[str]:
    """Make everything; return a sentence on what is not done here, and one on what failed. `root` is for tests."""
    if os.geteuid() != 0 or roots.runtime != BELOW:
        return []
    reading = read_all(roots, booting=os.getpid() == 1 or bool(root), root=root)
    troubles = list(reading.troubles)
    before = os.umask(0)
    try:
        for line in reading.lines:
            try:
                _carry_out(line, root)
            except OSError as error:
                if "-" not in line.modifiers:
                    troubles.append(f"{line.where}: {error.filename or line.path}: {error.strerror}")
    finally:
        os.umask(before)
    lost = [f"{line.type} {line.path} ({line.where})" for line in reading.not_done if not changes_nothing(line, root)]
    return [*_sentence("not done here: ", lost), *_sentence("", troubles)]


def _sentence(what: str, found: list[str]) -> list[str]:
    if not found:
        return []
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"tmpfiles.d: {what}{'; '.join(found[:_SHOWN])}{more}"]


def _carry_out(line: Line, root: str) -> None:
    """Carry out a line. Raises OSError."""
    if line.makes:
        with _parent(line.path, root, make=True) as (folder, name):
            _make(line, folder, name)
        return
    paths = matching(root + line.path) if has_wildcards(line.path) else [root + line.path]
    for path in sorted(paths):
        with suppress(FileNotFoundError), _parent(path.removeprefix(root), root, make=False) as (folder, name):
            _change(line, folder, name)


@contextmanager
def _parent(path: str, root: str, *, make: bool) -> Iterator[tuple[int, str]]:
    """Give the directory in which a path stands, and its name there (rule 1). Raises OSError."""
    *above, name = path.removeprefix(f"{BELOW}/").split("/")
    fd = os.open(root + BELOW, _FOLDER)
    try:
        for part in above:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=fd)
            deeper = os.open(part, _FOLDER, dir_fd=fd)
            trusted = _may_enter(os.fstat(fd), os.fstat(deeper))
            os.close(fd)
            fd = deeper
            if not trusted:
                raise _error(errno.EPERM, "a user other than root may have put it there", path)
        yield fd, name
    except OSError as error:
        raise _error(error.errno or errno.EIO, error.strerror or str(error), path) from None
    finally:
        os.close(fd)


def _may_enter(outer: os.stat_result, inner: os.stat_result) -> bool:
    return outer.st_uid in {0, inner.st_uid}


def _error(number: int, words: str, path: str) -> OSError:
    return OSError(number, words, path)


def _make(line: Line, folder: int, name: str) -> None:
    """Make what a line asks for, unless it is there. Raises OSError."""
    try:
        _make_new(line, folder, name)
        is_new = True
    except FileExistsError:
        is_new = False
    fd = _look(line, folder, name)
    try:
        if line.type == "f" and (is_new or "+" in line.modifiers):
            _fill(line, folder, name)
        _settle(line, fd, is_new=is_new)
    finally:
        os.close(fd)


def _make_new(line: Line, folder: int, name: str) -> None:
    if line.type == "f":
        os.close(os.open(name, _NEW, line.mode_of_new, dir_fd=folder))
    elif line.type == "L":
        _make_link(line, folder, name)
    elif line.type == "p":
        os.mkfifo(name, line.mode_of_new, dir_fd=folder)
    else:
        os.mkdir(name, line.mode_of_new, dir_fd=folder)


def _make_link(line: Line, folder: int, name: str) -> None:
    """Make a link; L+ puts it in the place of whatever is there."""
    target = line.argument or _FACTORY + line.path
    if "+" in line.modifiers:
        with suppress(OSError):
            if os.readlink(name, dir_fd=folder) == target:
                return
        for _ in removal(f"/proc/self/fd/{folder}", name):
            pass
    os.symlink(target, name, dir_fd=folder)


def _look(line: Line, folder: int, name: str) -> int:
    """Open what is there, to have its owner and mode set. Raises OSError if it is of another kind (rule 2)."""
    fd = os.open(name, _LOOK, dir_fd=folder)
    if not _KINDS.get(line.type, stat.S_ISDIR)(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EEXIST, "something else is there")
    return fd


def _fill(line: Line, folder: int, name: str) -> None:
    """Write the argument of a line into its file, in the place of what is there. Raises OSError."""
    fd = os.open(name, _WRITE, dir_fd=folder)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
            raise OSError(errno.EEXIST, "something else is there")
        os.ftruncate(fd, 0)
        os.write(fd, os.fsencode(line.argument))
    finally:
        os.close(fd)


def _change(line: Line, folder: int, name: str) -> None:
    """Set owner and mode of what is there. Raises OSError."""
    fd = os.open(name, _LOOK, dir_fd=folder)
    try:
        info = os.fstat(fd)
        if line.type == "e" and not stat.S_ISDIR(info.st_mode):
            return
        if not _may_enter(os.fstat(folder), info):
            raise OSError(errno.EPERM, "a user other than root may have put it there")
        _settle(line, fd, is_new=False)
    finally:
        os.close(fd)


def _settle(line: Line, fd: int, *, is_new: bool) -> None:
    """Set owner and mode as the line asks, by a descriptor of O_PATH. Raises OSError."""
    info = os.fstat(fd)
    uid, gid = _number(line.user, info.st_uid, is_new=is_new), _number(line.group, info.st_gid, is_new=is_new)
    mode = _new_mode(line.mode, info.st_mode, is_new=is_new)
    moves = (uid, gid) != (info.st_uid, info.st_gid)
    is_link = stat.S_ISLNK(info.st_mode)
    if not moves and (is_link or mode == stat.S_IMODE(info.st_mode)):
        return
    if not stat.S_ISDIR(info.st_mode) and info.st_nlink > 1:
        raise OSError(errno.EPERM, "it has a second name (a hard link)")
    own = f"/proc/self/fd/{fd}"
    if moves:
        os.chown(own, uid, gid)
    if not is_link:
        os.chmod(own, mode)


def _number(owner: Owner | None, present: int, *, is_new: bool) -> int:
    return present if owner is None or (owner.only_new and not is_new) else owner.number


def _new_mode(asked: Mode | None, present: int, *, is_new: bool) -> int:
    if asked is None or (asked.only_new and not is_new):
        return stat.S_IMODE(present)
    mode = asked.bits
    if asked.masked:
        for bits in (0o111, 0o222, 0o444):
            mode &= 0o7777 if present & bits else ~bits
        mode &= 0o7777 if stat.S_ISDIR(present) else 0o777
    return mode
