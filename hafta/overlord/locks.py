"""One lock per unit: the same unit never runs twice, also while a dead overlord's processes are still being ended.

A lock is flock(2) on a file in a private directory. The keeper has it by fork(2), so it is only free when both are
gone: the overlord, and the keeper that cleans up after it. The file says who holds it; it is removed by its holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress

from hafta import exits
from hafta.errors import HaftaError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 15.0  # seconds for the keeper of an overlord that is gone
POLL = 0.02  # seconds


class Lock(Record):
    """A lock that we hold."""

    path: str
    fd: int

    def release(self) -> None:
        """Remove the file and let go; whoever waits for it finds that the file is another one."""
        with suppress(OSError):  # somebody has tidied up: flock(2) is what counts
            os.unlink(self.path)
        os.close(self.fd)


def acquire_all(folder: str, units: Iterable[str], patience: float = PATIENCE) -> list[Lock]:
    """Lock the units. Raises HaftaError (status 25) naming who runs one of them; then none is locked."""
    locks: list[Lock] = []
    try:
        for unit in sorted(units):
            locks.append(acquire(folder, unit, patience))  # noqa: PERF401 - what was locked before a failure is released
    except BaseException:
        for lock in locks:
            lock.release()
        raise
    return locks


def acquire(folder: str, unit: str, patience: float = PATIENCE) -> Lock:
    """Lock a unit. Waits only while a keeper cleans up after an overlord that is gone.

    Raises HaftaError (status 25) naming the pid of who has it.
    """
    path = os.path.join(folder, f"{unit}.lock")
    deadline = time.monotonic() + patience
    while True:
        lock, holder = _try(path)
        if lock:
            return lock
        if holder and _is_alive(holder):
            pid = holder.split()[0]
            hint = f"stop that one first (kill {pid}), or run other units"
            raise HaftaError(f"{unit} is already run by the overlord of process {pid}", hint, status=exits.IN_USE)
        if time.monotonic() > deadline:
            hint = "its processes survive SIGKILL: see what holds them (ps -eo pid,stat,wchan,args), then try again"
            problem = f"{unit}: the overlord that ran it is gone, but its processes are still being ended"
            raise HaftaError(problem, hint, status=exits.IN_USE)
        time.sleep(POLL)


def _try(path: str) -> tuple[Lock | None, str]:
    """Return the lock, or who has it (empty if that is not known at this instant)."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "choose another directory with --runtime-dir"
        raise HaftaError(f"cannot open the lock {path}: {error.strerror}", hint, status=exits.SYSTEM) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 100, 0).decode("ascii", "replace")
        os.close(fd)
        return None, holder
    if not _is_current(fd, path):
        os.close(fd)
        return None, ""
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()} {started(os.getpid())}".encode(), 0)
    return Lock(path, fd), ""


def _is_current(fd: int, path: str) -> bool:
    """Tell whether the file that we locked is still the one at its path: its last holder removes it."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _is_alive(holder: str) -> bool:
    pid, _, since = holder.partition(" ")
    return pid.isdigit() and bool(since) and started(int(pid)) == since


def started(pid: int) -> str:
    """Return when a process began, in the kernel's ticks; empty if there is none, or only its remains."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {b"Z", b"X"} else fields[19].decode()
