"""The descriptors of the parent: the socket for notifications, the pipe of its signals, and the kick of its worker.

The address of the socket is an abstract one that the kernel chose. Anybody on the machine can send to it, so each
datagram comes with the pid of its sender, by the kernel's word. The descriptors that a datagram brings are closed,
except those that somebody takes out of its list. No program that is started inherits them.
"""

from __future__ import annotations

import array
import os
import select
import signal
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
DATAGRAM = 8192  # bytes; systemd takes 4,096
AT_ONCE = 64  # datagrams that one turn takes: a worker that floods the parent does not keep it from anything else
_CREDENTIALS = struct.Struct("3i")
_ROOM = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(253 * 4)  # SCM_MAX_FD descriptors


class Wires:
    """What the parent listens to. `inherited` are the socket and the kick of a parent that was reloaded."""

    def __init__(self, inherited: tuple[int, int] | None = None) -> None:
        if inherited is None:
            self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self.notify.bind("")
            self.kick = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self.notify = socket.socket(fileno=inherited[0])
            self.kick = inherited[1]
            os.set_inheritable(self.notify.fileno(), False)
            os.set_inheritable(self.kick, False)
        self.notify.setblocking(False)
        self.address = "@" + self.notify.getsockname()[1:].decode("ascii")
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.before: dict[int, Any] = {signum: signal.getsignal(signum) for signum in SIGNALS}

    def listen(self) -> None:
        """Take the signals of SIGNALS from now on, also those that were blocked until now."""
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for signum in SIGNALS:
            signal.signal(signum, _nothing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def wait(self, pidfds: Iterable[int], seconds: float) -> set[int]:
        """Wait until something is to be read, or the time is up. select() does not round to milliseconds."""
        fds = (self.notify.fileno(), self._wake, self.kick, *pidfds)
        return set(select.select(fds, (), (), max(0.0, min(seconds, 3600.0)))[0])

    def signals(self) -> bytes:
        """Return the signals that have come."""
        try:
            return os.read(self._wake, 4096)
        except BlockingIOError:
            return b""

    def clear_kick(self) -> None:
        """Take the kick."""
        try:
            os.eventfd_read(self.kick)
        except BlockingIOError:
            return

    def datagrams(self) -> Iterator[tuple[int, bytes, list[int]]]:
        """Yield (pid, datagram, descriptors) of those that have come. Descriptors that stay in the list are closed."""
        for _ in range(AT_ONCE):
            try:
                data, ancillary, flags, _ = self.notify.recvmsg(DATAGRAM, _ROOM, socket.MSG_CMSG_CLOEXEC)
            except OSError:
                return
            pid, fds = _sender(ancillary)
            try:
                if not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                    yield pid, data, fds
            finally:
                for fd in fds:
                    os.close(fd)

    def close_in_child(self) -> None:
        """Close what only the parent has. The kick stays: the worker writes to it."""
        signal.set_wakeup_fd(-1)
        self.notify.close()
        os.close(self._wake)
        os.close(self._woken)


def _nothing(_signum: int, _frame: object) -> None:
    """Handle a signal: its number is in the pipe already."""


def _sender(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[int, list[int]]:
    pid = 0
    found: list[int] = []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds = array.array("i")
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            found += fds
    return pid, found
