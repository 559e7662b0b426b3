"""The directories of an overlord: private ones that must be ours, and those that units ask for.

R                       %t: /run for root (/run/hafta-overlord beside a systemd), else
                        $XDG_RUNTIME_DIR/hafta-overlord or /tmp/hafta-overlord-UID
R/hafta-overlord        ours alone
    lock/UNIT.lock      one lock per unit that some overlord runs (locks.py)
    ID/notify           the notify socket of one overlord; ID also marks its processes (keeper.py)
R/NAME                  RuntimeDirectory=NAME
"""

from __future__ import annotations

import contextlib
import os
import stat

from hafta import exits
from hafta.errors import HaftaError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CONTROL = "hafta-overlord"
BOOTED = "/run/systemd/system"  # sd_booted(3)


class Roots(Record):
    """Where the directories of units stand: %t, %S, %C, %L, %E."""

    runtime: str
    state: str
    cache: str
    logs: str
    configuration: str

    @property
    def control(self) -> str:
        """The overlord's own directory."""
        return os.path.join(self.runtime, CONTROL)


def roots(environ: Mapping[str, str], runtime: str = "", state: str = "") -> Roots:
    """Return the roots: the system's for root, private ones for others, unless they are given.

    Where systemd has booted the machine, it may run the same units: root then has places of its own, too.
    """
    if os.geteuid() == 0:
        found = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
        if os.path.isdir(BOOTED):
            found = found.replace(runtime=f"/run/{CONTROL}", state=f"/var/lib/{CONTROL}")
    else:
        home = environ.get("HOME", "") or "/"
        states = environ.get("XDG_STATE_HOME", "") or os.path.join(home, ".local/state")
        caches = environ.get("XDG_CACHE_HOME", "") or os.path.join(home, ".cache")
        settings = environ.get("XDG_CONFIG_HOME", "") or os.path.join(home, ".config")
        found = Roots(_private(environ), os.path.join(states, CONTROL), caches, os.path.join(states, "log"), settings)
    given = {"runtime": runtime, "state": state}
    return found.replace(**{name: os.path.abspath(path) for name, path in given.items() if path})


def _private(environ: Mapping[str, str]) -> str:
    own = environ.get("XDG_RUNTIME_DIR", "")
    if own and os.path.isdir(own) and os.stat(own).st_uid == os.geteuid():
        return os.path.join(own, CONTROL)
    return f"/tmp/{CONTROL}-{os.geteuid()}"  # noqa: S108 - make_private() trusts only a directory of our own there


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
    if info.st_mode & 0o022:
        raise _distrust(path, f"can be written by others (mode {stat.S_IMODE(info.st_mode):04o})")


def make_below(root: str, name: str, mode: int, owner: tuple[int, int] | None = None) -> str:
    """Make the directory `name` below `root` with this mode and owner; return its path. Follows no symbolic link.

    Raises OSError.
    """
    if not os.path.isdir(root):
        os.makedirs(root, 0o700)
        if os.geteuid() == 0:  # the users that services change to must get through
            os.chmod(root, 0o711)  # noqa: S103 - through, but they see nothing
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in name.split("/"):
            fd = _descend(fd, part)
        if owner:
            os.fchown(fd, *owner)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
    return os.path.join(root, name)


def _descend(fd: int, part: str) -> int:
    """Go into a directory, made if missing; the descriptor that is left is closed."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, 0o755, dir_fd=fd)
    deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    os.dup2(deeper, fd, inheritable=False)
    os.close(deeper)
    return fd


def remove_tree(path: str) -> None:
    """Remove a directory and all in it, or nothing if it is not there. Follows no symbolic link, raises nothing."""
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            os.unlink(path)
            return
        for _, folders, files, fd in os.fwalk(path, topdown=False):
            for name in files:
                _attempt(os.unlink, name, fd)
            for name in folders:
                _attempt(os.rmdir, name, fd) or _attempt(os.unlink, name, fd)
        os.rmdir(path)
    except OSError:
        return  # what somebody else put there stays


def _attempt(remove: object, name: str, fd: int) -> bool:
    try:
        remove(name, dir_fd=fd)  # type: ignore[operator]
    except OSError:
        return False
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
    return HaftaError(f"{what} {path}: {error.strerror}", "choose another directory with --runtime-dir", status=status)
