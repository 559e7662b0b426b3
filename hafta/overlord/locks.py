"""One lock per unit: the same unit never runs twice, also while a dead overlord's processes are still being ended.

A lock is flock(2) on a file in a private directory. The keeper has it, too, so it is only free when both are
gone: the overlord, and the keeper that cleans up after it. The file says who holds it; it is removed by its holder.

Outside of /run, files may be swept: whatever cleans /tmp removes the file, and the next overlord would lock another
one. There the holder also has an abstract socket, which no sweep reaches. Its name has the numbers of the directory
that holds all of ours (/tmp itself), which tell containers with one network apart. The kernel says whose socket it is:
one of another user's, who may have taken the name to annoy us, does not count.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import time
from contextlib import suppress

from hafta import exits
from hafta.errors import HaftaError
from hafta.frozen import Frozen
from hafta.process.stat import started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 15.0  # seconds for the keeper of an overlord that is gone
POLL = 0.02  # seconds
_CREDENTIALS = struct.Struct("3i")


class Lock(Frozen):
    """A lock that we hold."""

    path: str
    fd: int
    name: int = -1  # the abstract socket

    @property
    def fds(self) -> tuple[int, ...]:
        """Its descriptors."""
        return (self.fd,) if self.name < 0 else (self.fd, self.name)

    def release(self) -> None:
        """Remove the file and let go; an overlord that waits for it finds that the file is another one."""
        with suppress(OSError):  # somebody has tidied up: the descriptors are what counts
            if is_current(self.fd, self.path):
                os.unlink(self.path)
        for fd in self.fds:
            os.close(fd)


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
    path = os.path.join(folder, unit)
    deadline = time.monotonic() + patience
    while True:
        try:
            lock, holder = _try(path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(path)  # it is locked, but says nothing
            hint = "free some space there, or choose another directory with --runtime-dir"
            raise HaftaError(f"cannot write the lock {path}: {error.strerror}", hint, status=exits.SYSTEM) from error
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
    if not is_current(fd, path):
        os.close(fd)
        return None, ""
    name, holder = _take_name(path)
    if holder:
        os.close(fd)
        return None, holder
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()} {started(os.getpid())}".encode(), 0)
    return Lock(path, fd, name), ""


def _take_name(path: str) -> tuple[int, str]:
    """Take the abstract socket of a lock; return its descriptor (-1 for none) and who has it, if somebody of us has."""
    if path.startswith("/run/"):
        return -1, ""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    address = _address(path)
    try:
        own.bind(address)
        own.listen(128)
    except OSError:  # it is taken, or there are no such sockets here
        own.close()
        return -1, _holder_of(address)
    return own.detach(), ""


def _address(path: str) -> str:
    runtime = os.path.dirname(os.path.dirname(os.path.dirname(path)))
    above = os.stat(os.path.dirname(runtime))
    digest = _digest(os.fsencode(f"{os.path.basename(runtime)}/{os.path.basename(path)}"))
    return f"\0hafta-overlord/{above.st_dev:x}:{above.st_ino:x}/{digest[:32]}"


def _digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits. hashlib would bring OpenSSL, 0.9 MiB."""
    try:
        module = __import__("_sha256" if sys.version_info < (3, 12) else "_sha2")
    except ImportError:
        module = __import__("hashlib")
    digest: str = module.sha256(data).hexdigest()
    return digest


def _holder_of(address: str) -> str:
    """Return pid and start of the process of ours that has an abstract socket; empty if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(address)
            data = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except BlockingIOError:  # too many ask at once: it is taken, that is all we know
            return "0 -"
        except OSError:
            return ""
    pid, uid, _ = _CREDENTIALS.unpack(data)
    return f"{pid} {started(pid) or '-'}" if uid == os.geteuid() else ""


def is_current(fd: int, path: str) -> bool:
    """Tell whether the file that we locked is still the one at its path: its last holder removes it."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def restore(lock: Lock) -> Lock:
    """Make the file of a lock once more if it is gone. Raises OSError; BlockingIOError if another one has locked it.

    The descriptor keeps its number: others who note it (the keeper's estate) need not hear of this.
    """
    if is_current(lock.fd, lock.path):
        return lock
    fd = os.open(lock.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    os.pwrite(fd, f"{os.getpid()} {started(os.getpid())}".encode(), 0)
    os.dup2(fd, lock.fd, inheritable=False)
    os.close(fd)
    return lock


def _is_alive(holder: str) -> bool:
    pid, _, since = holder.partition(" ")
    return pid.isdigit() and bool(since) and started(int(pid)) == since
