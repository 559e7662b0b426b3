"""Values and descriptors from one process of ours to another, over a pair of sockets.

A value is what marshal knows: numbers, texts, bytes, and tuples, lists and dicts of them. Both ends are forks of one
Python, so that they have one format; nobody else can write there.
"""

from __future__ import annotations

import array
import errno
import marshal
import os
import socket
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PIECE = 32768  # bytes of a value in one packet
PASSED = 250  # descriptors in one packet, at most: the kernel takes 253
_MORE, _LAST = b"+", b"."
_ROOM = socket.CMSG_SPACE(PASSED * array.array("i").itemsize)


class Channel:
    """One end. With `patience`, in seconds, whatever takes longer raises TimeoutError."""

    def __init__(self, end: socket.socket, patience: float | None = None) -> None:
        self._end = end
        end.settimeout(patience)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._end.fileno()

    def send(self, value: Any, fds: Sequence[int] = ()) -> None:
        """Send a value, and descriptors with it. Raises OSError.

        That has ETOOMANYREFS if more descriptors of our user's wait to be received than may be open here. For a value
        of one packet nothing has been sent then.
        """
        data = marshal.dumps(value)
        more = True
        while more:
            piece, data = data[:PIECE], data[PIECE:]
            passed, fds = fds[:PASSED], fds[PASSED:]
            more = bool(data or fds)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", passed))] if passed else []
            try:
                self._end.sendmsg([_MORE if more else _LAST, piece], rights)
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    raise OSError(errno.ETOOMANYREFS, _too_many()) from None
                raise

    def receive(self) -> tuple[Any, list[int]]:
        """Return the next value and its descriptors. Raises EOFError if the other end is gone, OSError.

        That has EMFILE if more descriptors come than may be open here: the kernel has closed those that are missing.
        """
        data, fds = b"", array.array("i")
        while True:
            packet, ancillary, flags, _ = self._end.recvmsg(PIECE + 1, _ROOM, socket.MSG_CMSG_CLOEXEC)
            for _, _, passed in ancillary:
                fds.frombytes(passed)
            if not packet or flags & socket.MSG_CTRUNC:
                for fd in fds:
                    os.close(fd)
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) if packet else EOFError
            data += packet[1:]
            if packet[:1] == _LAST:
                return marshal.loads(data), list(fds)  # noqa: S302 - of ourselves

    def close(self) -> None:
        """Close it."""
        self._end.close()


def deposit(fds: Sequence[int]) -> int:
    """Return one descriptor that keeps others open: the end of a channel on which they have been sent, and wait.

    Who has it does not have them, so that forking does not copy them. The kernel counts them for our user as long as
    they wait. Raises OSError, with ETOOMANYREFS if those are more than may be open here (the superuser may have more).
    """
    sent, waiting = pair()
    with sent, waiting:
        sender = Channel(sent, 0)  # nobody reads it now
        for at in range(0, len(fds), PASSED):
            sender.send(None, fds[at : at + PASSED])
        return waiting.detach()


def withdraw(fd: int) -> list[int]:
    """Close what deposit() has returned, and return the descriptors. Raises OSError; then none of them is open."""
    found: list[int] = []
    try:
        with socket.socket(fileno=fd) as end, suppress(EOFError):
            receiver = Channel(end)
            while True:
                found += receiver.receive()[1]
    except BaseException:
        for each in found:
            os.close(each)
        raise
    return found


def _too_many() -> str:
    """Return in words why descriptors cannot be sent."""
    most = os.sysconf("SC_OPEN_MAX")
    return f"this user's processes pass each other more than {most} open files: raise their hard limit (ulimit -Hn)"


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the sockets of two ends. Raises OSError."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
