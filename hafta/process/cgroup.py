"""One cgroup (v2) for an overlord, and one below it for each unit, if the kernel and the machine allow it.

From the fork on, a process is in the cgroup of its parent. Unless it is privileged it cannot leave it, even if it
empties its environment, leaves its session or loses its parents. cgroup.kill ends all processes of a cgroup at once,
including those that are just being forked. We can use this if a cgroup2 file system is mounted and we may write to our
own place in it. Where systemd runs, that place must also be delegated (Delegate= of systemd.resource-control(5)): all
other places belong to systemd.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from hafta.process.stat import bytes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "hafta-overlord-"
BOOTED = "/run/systemd/system"  # sd_booted(3)
MOUNTS = "/proc/self/mountinfo"
BUSY = 0.5  # seconds
DEEPEST = 64  # how many levels of cgroups are searched below that of a unit: it may make some itself


class Cgroup:
    """The cgroup of one overlord: `path` in the file system, `place` as /proc/PID/cgroup names it."""

    def __init__(self, path: str, place: str) -> None:
        self.path = path
        self.place = place
        self._killed: set[str] = set()  # those that were killed as a whole, and are still the same

    def open_unit(self, name: str) -> int:
        """Return a descriptor of the directory that is the cgroup of a unit; -1 if there is none.

        One that was killed is made again if it is empty, so that a child can be forked into it.
        """
        folder = os.path.join(self.path, name)
        try:
            if name in self._killed:
                self._remove(name)
            with suppress(FileExistsError):
                os.mkdir(folder, 0o755)
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return -1

    def _remove(self, name: str) -> None:
        try:
            os.rmdir(os.path.join(self.path, name))
        except FileNotFoundError:
            pass
        except OSError:  # something is in it yet
            return
        self._killed.discard(name)

    def may_fork_into(self, name: str) -> bool:
        """Tell whether the kernel lets a child live that is forked into the cgroup of a unit.

        Since 6.14 it takes such a child for one that cgroup.kill has missed, however long ago that was; one that is
        moved there lives.
        """
        return name not in self._killed

    def unit_of(self, pid: int) -> str:
        """Return the unit in whose cgroup a process is; empty if it is in none of ours."""
        lines = os.fsdecode(bytes_of(pid, "cgroup") or b"").split("\n")
        place = next((line[3:] for line in lines if line.startswith("0::")), "")
        inside = place.removeprefix(f"{self.place}/")
        return inside.partition("/")[0] if inside != place else ""

    def kill(self, name: str = "") -> None:
        """End at once all processes in the cgroup of a unit, or of the overlord."""
        self._killed.add(name)
        with suppress(OSError):
            _write(os.path.join(self.path, name, "cgroup.kill"), b"1")

    def members(self) -> set[int]:
        """Return the processes of all units."""
        found: set[int] = set()
        for folder in _bottom_up(self.path):
            with suppress(OSError), open(os.path.join(folder, "cgroup.procs"), "rb") as file:
                found.update(map(int, file.read().split()))
        return found

    def remove(self) -> None:
        """Remove the cgroups. A cgroup that still has a process stays.

        A process that has been reaped may keep its cgroup busy for a moment longer.
        """
        end = time.monotonic() + BUSY
        while True:
            for folder in _bottom_up(self.path):
                with suppress(OSError):
                    os.rmdir(folder)
            if not os.path.isdir(self.path) or self.members() or time.monotonic() > end:
                return
            time.sleep(0.001)


def make_cgroup(identity: str) -> Cgroup | None:
    """Make the cgroup of an overlord; None if that is not possible here."""
    base, place = _own_place()
    if not base or not _is_delegated(base):
        return None
    found = Cgroup(os.path.join(base, PREFIX + identity), f"{place.rstrip('/')}/{PREFIX}{identity}")
    try:
        os.mkdir(found.path, 0o755)
    except OSError:
        return None
    if os.path.exists(os.path.join(found.path, "cgroup.kill")) and _can_join(found):
        return found
    found.remove()
    return None


def find_cgroup(identity: str) -> Cgroup | None:
    """Return the cgroup that another overlord has left at our place; None if it does not exist."""
    base, place = _own_place()
    path = os.path.join(base, PREFIX + identity)
    return Cgroup(path, f"{place.rstrip('/')}/{PREFIX}{identity}") if base and os.path.isdir(path) else None


def _can_join(cgroup: Cgroup) -> bool:
    """Try it with a child process: whether a process may be moved depends on more than the modes of files."""
    fd = cgroup.open_unit("try")
    if fd < 0:
        return False
    pid = os.fork()
    if pid == 0:
        status = 1
        with suppress(OSError):
            join(fd)
            status = 0
        os._exit(status)
    os.close(fd)
    joined = os.waitpid(pid, 0)[1] == 0
    with suppress(OSError):
        os.rmdir(os.path.join(cgroup.path, "try"))
    return joined


def join(cgroup: int) -> None:
    """Move the calling process into a cgroup, a descriptor of its directory. Raises OSError."""
    fd = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=cgroup)
    os.write(fd, b"0")
    os.close(fd)


def _own_place() -> tuple[str, str]:
    """Return the directory of the cgroup that we are in, and its name in /proc/PID/cgroup; empty if there is none."""
    lines = os.fsdecode(bytes_of(os.getpid(), "cgroup") or b"").split("\n")
    place = next((line[3:] for line in lines if line.startswith("0::")), "")
    if not place or place.startswith("/.."):  # outside of our namespace of cgroups
        return "", ""
    for root, mounted in _mounts():
        if place == root or place.startswith(f"{root.rstrip('/')}/"):
            return os.path.join(mounted, place[len(root.rstrip("/")) :].lstrip("/")).rstrip("/"), place
    return "", ""


def _mounts() -> Iterator[tuple[str, str]]:
    """Yield root and directory of each mount of cgroup2."""
    with suppress(OSError), open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            if after.split()[:1] == ["cgroup2"]:
                root, mounted = before.split()[3:5]
                yield root, mounted.replace("\\040", " ")


def _is_delegated(base: str) -> bool:
    if not os.access(os.path.join(base, "cgroup.procs"), os.W_OK) or not os.access(base, os.W_OK):
        return False
    if os.geteuid() != 0 or not os.path.isdir(BOOTED):
        return True
    with suppress(OSError):
        return os.getxattr(base, "trusted.delegate") == b"1"
    return False


def _bottom_up(path: str) -> list[str]:
    """Return a directory and those below it, the deepest first."""
    found, level = [path], [path]
    for _ in range(DEEPEST):
        level = [entry.path for folder in level for entry in _folders(folder)]
        found += level
    return found[::-1]


def _folders(folder: str) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
