"""The directories of an overlord: private ones that must be ours, and those that units ask for.

R                       %t: /run for root (/run/hafta-overlord beside a systemd), else
                        $XDG_RUNTIME_DIR/hafta-overlord or /tmp/hafta-overlord-UID
R/hafta-overlord        ours alone
    lock/UNIT           one lock per unit that some overlord runs (locks.py)
    ID.roll             which sessions one overlord has begun (roll.py); ID also marks its processes (keeper.py)
    ID/notify           its notify socket
    ID/control          its control socket (control/)
    ID/folders          the runtime directories of its units, for who clears away after it (heir.py)
    ID/gone             what is being removed piece by piece
R/NAME                  RuntimeDirectory=NAME
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from itertools import islice

from hafta import exits
from hafta.causes import cause_of
from hafta.errors import HaftaError
from hafta.trust import is_shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hafta.units.folders import Folder, Folders

SLICE = 1000  # entries of a directory that are listed at a time
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def make_private(path: str, mode: int = 0o700) -> None:
    """Make a directory, or take over one that is ours and that nobody else can write to.

    Raises HaftaError when something else stands there: in a shared directory anybody may have put it there.
    """
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, mode)
    except FileExistsError:
        pass
    except OSError as error:
        raise _trouble("cannot make", path, error) from error
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode):
        raise _distrust(path, "is not a directory" if not stat.S_ISLNK(info.st_mode) else "is a symbolic link")
    if info.st_uid != os.geteuid():
        raise _distrust(path, f"belongs to user {info.st_uid}")
    if is_shared(info):
        raise _distrust(path, f"can be written by others (mode {stat.S_IMODE(info.st_mode):04o})")


def own_run(path: str) -> None:
    """As PID 1, take the right to write to /run from all but root: some containers mount it as if it were /tmp."""
    with suppress(OSError):
        info = os.lstat(path)
        if path == "/run" and os.getpid() == 1 and info.st_uid == os.geteuid() == 0 and stat.S_ISDIR(info.st_mode):
            os.chmod(path, stat.S_IMODE(info.st_mode) & 0o755)


def make_below(root: str, name: str, mode: int, owner: tuple[int, int] | None = None, *, spared: bool = False) -> str:
    """Make the directory `name` below `root` with this mode and owner; return its path. Follows no symbolic link.

    If it is `spared`, one that is there stays as it is. Raises OSError.
    """
    path = os.path.join(root, name)
    if spared and os.path.isdir(path):
        return path
    if not os.path.isdir(root):
        os.makedirs(root, 0o700)
        if os.geteuid() == 0:  # the users that services change to must get through
            os.chmod(root, 0o711)  # noqa: S103 - through, but they see nothing
    fd = os.open(root, _FOLDER)
    try:
        for part in name.split("/"):
            fd = _descend(fd, part)
        if owner:
            os.fchown(fd, *owner)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
    return path


def make_folders(kind: str, folders: Folders, root: str, owner: tuple[int, int] | None) -> list[str]:
    """Make the directories of a unit of one kind, and the links to them; return the paths. Raises OSError.

    A directory of settings belongs to who made it, as in systemd: the service's user gets it in no case.
    """
    spared = kind == "configuration"
    made = [make_below(root, name, folders.mode, None if spared else owner, spared=spared) for name in folders.names]
    for name, link in folders.links:
        _make_link(root, name, link)
    return made


def _make_link(root: str, name: str, link: str) -> None:
    """Make a link below a root to a directory below it, unless it is there. Raises OSError."""
    fd, last, target = _enter_above(root, name, link, _descend)
    try:
        os.symlink(target, last, dir_fd=fd)
    except FileExistsError:
        if not _is_link_to(target, last, fd):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), os.path.join(root, link)) from None
    finally:
        os.close(fd)


def remove_links(root: str, links: Iterable[Folder]) -> None:
    """Remove links below a root that lead to what they were made for. Raises nothing."""
    for name, link in links:
        with suppress(OSError):
            fd, last, target = _enter_above(root, name, link, _step)
            try:
                if _is_link_to(target, last, fd):
                    os.unlink(last, dir_fd=fd)
            finally:
                os.close(fd)


def _enter_above(root: str, name: str, link: str, step: Callable[[int, str], int]) -> tuple[int, str, str]:
    """Return the directory in which a link is to stand, its name there, and where it leads."""
    *above, last = link.split("/")
    fd = os.open(root, _FOLDER)
    try:
        for part in above:
            fd = step(fd, part)
    except OSError:
        os.close(fd)
        raise
    return fd, last, os.path.relpath(name, "/".join(above) or ".")


def _is_link_to(target: str, name: str, fd: int) -> bool:
    try:
        return os.readlink(name, dir_fd=fd) == target
    except OSError:
        return False


def _descend(fd: int, part: str) -> int:
    """Go into a directory, made if missing; the descriptor that is left is closed."""
    with suppress(FileExistsError):
        os.mkdir(part, 0o755, dir_fd=fd)
    return _step(fd, part)


def _step(fd: int, part: str) -> int:
    """Go into a directory; the descriptor that is left is closed."""
    deeper = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    os.dup2(deeper, fd, inheritable=False)
    os.close(deeper)
    return fd


def remove_tree(path: str) -> None:
    """Remove a directory and all in it, or nothing if it is not there. Follows no symbolic link, raises nothing."""
    for _ in removal(os.path.dirname(path), os.path.basename(path)):
        pass


def removal(root: str, name: str) -> Iterator[None]:
    """Remove `name` below `root` with all that is in it, a step at each turn. What cannot be removed stays.

    What is below `root` may be anybody's, and as deep and wide as he likes. So each directory is opened relative to the
    one above it, no part of `name` may be a symbolic link, nothing recurses, and few descriptors are open. What is
    mounted there is left alone. Raises nothing.
    """
    try:
        fd = os.open(root, _FOLDER)
    except OSError:
        return
    walk = _Removal(fd)
    try:
        *above, last = name.split("/")
        for part in above:
            walk.enter(part)
        yield from walk.run(last)
    except OSError:
        return
    finally:
        walk.close()


class _Level:
    """A directory that is being emptied: its name in the one above, which is `above`."""

    def __init__(self, name: str, above: tuple[int, int]) -> None:
        self.name = name
        self.above = above
        self.to_do: list[str] = []
        self.moved = True  # whether the last look at it has led to anything

    def look(self, fd: int) -> bool:
        """Look at the next entries; False if none is left, or none can be removed."""
        if self.moved:
            self.moved = False
            with os.scandir(fd) as entries:
                self.to_do = [entry.name for entry in islice(entries, SLICE)]
        return bool(self.to_do)


class _Removal:
    """Stands in one directory at a time, and knows those above it by their numbers."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._path: list[_Level] = []
        self._device = -1

    def run(self, name: str) -> Iterator[None]:
        """Remove an entry of the directory in which it stands. Raises OSError if somebody moves it meanwhile."""
        self._try(name)
        while self._path:
            yield
            level = self._path[-1]
            if level.to_do or level.look(self._fd):
                level.moved = self._try(level.to_do.pop()) or level.moved
            else:
                self._leave()

    def enter(self, name: str) -> None:
        """Go into a directory for good. Raises OSError."""
        deeper = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self._fd)
        self.close()
        self._fd = deeper

    def move(self, name: str, path: str) -> None:
        """Move an entry of the directory in which it stands. Raises OSError."""
        os.rename(name, path, src_dir_fd=self._fd)

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)

    def _try(self, name: str) -> bool:
        """Remove an entry, or go into it if it is a directory; False if neither can be."""
        try:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=self._fd).st_mode):
                os.unlink(name, dir_fd=self._fd)
                return True
            above = os.fstat(self._fd)
            fd = _open_to_change(name, self._fd)
        except OSError:
            return False
        device = os.fstat(fd).st_dev
        if self._device not in {-1, device}:
            os.close(fd)
            return False
        self._device = device
        self._path.append(_Level(name, (above.st_dev, above.st_ino)))
        self.close()
        self._fd = fd
        return False  # it moves on when it is removed itself

    def _leave(self) -> None:
        """Go up, and remove the directory that it leaves."""
        level = self._path.pop()
        above = os.open("..", _FOLDER, dir_fd=self._fd)
        self.close()
        self._fd = above
        info = os.fstat(above)
        if (info.st_dev, info.st_ino) != level.above:
            raise FileNotFoundError(level.name)  # it is another one: somebody has moved what we were in
        with suppress(OSError):
            os.rmdir(level.name, dir_fd=above)
            if self._path:
                self._path[-1].moved = True


def _open_to_change(name: str, folder: int) -> int:
    """Open a directory to remove what is in it, also one whose modes forbid that to its owner. Raises OSError."""
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        own = f"/proc/self/fd/{fd}"
        if os.geteuid() == os.fstat(fd).st_uid:
            with suppress(OSError):
                os.chmod(own, 0o700)
        return os.open(own, _FOLDER)
    finally:
        os.close(fd)


def move_aside(root: str, name: str, place: str, aside: str) -> bool:
    """Move the directory `name` below `root` into another directory; False if that cannot be. Follows no link."""
    *above, last = name.split("/")
    try:
        walk = _Removal(os.open(root, _FOLDER))
    except OSError:
        return False
    try:
        for part in above:
            walk.enter(part)
        walk.move(last, os.path.join(place, aside))
    except OSError:
        return False
    finally:
        walk.close()
    return True


def remove_empty(*paths: str) -> None:
    """Remove those of these directories that are empty."""
    for path in paths:
        try:
            os.rmdir(path)
        except OSError:
            continue


def _distrust(path: str, why: str) -> HaftaError:
    hint = "choose a directory of your own with --runtime-dir, or find out who has made this one"
    return HaftaError(f"{path} {why}, so it cannot hold the overlord's files", hint, status=exits.PERMISSION)


def _trouble(what: str, path: str, error: OSError) -> HaftaError:
    status = exits.PERMISSION if isinstance(error, PermissionError) else exits.SYSTEM
    return HaftaError(
        f"{what} {path}: {cause_of(error).words}", "choose another directory with --runtime-dir", status=status
    )
