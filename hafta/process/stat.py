"""What /proc/PID says about one process. A pid can be reused; pid and start time together are unique."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PIECE = 65536  # bytes
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD


class Process:
    """One process. `started` is in ticks of the kernel's clock since the machine started."""

    def __init__(self, pid: int, fields: Sequence[bytes]) -> None:
        self.pid = pid
        # The first thread of a process that others outlive looks like a zombie, and what they have open is open still.
        self.is_dead = fields[0] in {b"X", b"x"} or (fields[0] == b"Z" and int(fields[17]) < 2)
        self.is_stopped = fields[0] == b"T"  # by SIGSTOP or the like, not by a debugger
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.is_of_kernel = bool(int(fields[6]) & _KERNEL_THREAD)
        self.started = int(fields[19])

    @property
    def key(self) -> tuple[int, int]:
        """Pid and start: no other process ever has the same."""
        return self.pid, self.started

    def is_executing(self) -> bool:
        """Tell whether it seems to be in the middle of execve(2). A process can make itself look like that for ever."""
        return not self.is_of_kernel and bytes_of(self.pid, "environ") == b"" == bytes_of(self.pid, "cmdline")


def read_process(pid: int) -> Process | None:
    """Return a process, or None if there is none with this pid."""
    line = bytes_of(pid, "stat")
    return Process(pid, line.rpartition(b")")[2].split()) if line else None


def bytes_of(pid: int, name: str) -> bytes | None:
    """Return a file of /proc/PID; None if it cannot be read: the process is gone, or belongs to another user."""
    return content(f"/proc/{pid}/{name}")


def content(path: str) -> bytes | None:
    """Return a file of the kernel; None if it cannot be read.

    Without open(): that touches 130 pages, which a process that has just been forked has to copy first.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = b""
        while piece := os.read(fd, PIECE):
            data += piece
    except OSError:
        return None
    finally:
        os.close(fd)
    return data


def variable(pid: int, name: str) -> str | None:
    """Return a variable from the environment that a process was started with; None if it has none, or hides it."""
    words = (bytes_of(pid, "environ") or b"").split(b"\0")
    wanted = name.encode() + b"="
    return next((os.fsdecode(word[len(wanted) :]) for word in words if word.startswith(wanted)), None)


def users_of(pid: int) -> frozenset[int]:
    """Return the user ids of a process: real, effective, saved; empty if it is gone."""
    lines = (bytes_of(pid, "status") or b"").split(b"\n")
    line = next((line for line in lines if line.startswith(b"Uid:")), b"Uid:")
    return frozenset(map(int, line.split()[1:4]))


def own_start() -> tuple[bytes, bytes]:
    """Return the number of the calling process, and when it began. For a fork: it touches few pages. Raises OSError."""
    fd = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
    line = os.read(fd, 1024)
    os.close(fd)
    return line[: line.index(b" ")], line[line.rindex(b")") + 2 :].split(b" ", 20)[19]


def started(pid: int) -> str:
    """Return when a process began, in ticks of the kernel's clock; empty if it does not exist or is a zombie."""
    process = read_process(pid)
    return "" if process is None or process.is_dead else str(process.started)
