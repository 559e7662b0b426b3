"""The overlord's side of sd_notify(3): one datagram socket, who sent what, and what it says."""

from __future__ import annotations

import array
import os
import socket
import struct

from hafta import exits
from hafta.errors import HaftaError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 65536  # bytes of a datagram that are read
DESCRIPTORS = 253  # SCM_MAX_FD: the most that the kernel passes in one datagram
AT_ONCE = 64  # datagrams that are read before others have their turn
QUEUED = 1024  # datagrams: more than wait in a socket at a time (net.unix.max_dgram_qlen, 512 on a machine of systemd)
PATH_MAX = 107  # bytes of the path of a Unix socket
_CREDENTIALS = struct.Struct("3i")


class Message(Record):
    """A datagram: who sent it, as the kernel says, and its assignments in order."""

    pid: int
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """Return the last value of a field."""
        return dict(self.fields).get(name)


class NotifySocket:
    """Receives notifications at a path. Raises HaftaError if the path is too long for a socket."""

    def __init__(self, path: str, mode: int) -> None:
        if len(os.fsencode(path)) > PATH_MAX:
            hint = "choose a shorter one with --runtime-dir"
            raise HaftaError(f"{path} is longer than the {PATH_MAX} bytes of a socket's path", hint, status=exits.USAGE)
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(path)
        os.chmod(path, mode)

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def receive(self, most: int = AT_ONCE) -> Iterator[Message]:
        """Give what has come, at most so much; passed descriptors are closed, which is what BARRIER= waits for."""
        space = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
        for _ in range(most):
            try:
                data, ancillary, _, _ = self._socket.recvmsg(SIZE, space, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            yield Message(_sender(ancillary), _fields(data))

    def close(self) -> None:
        """Close it; the path is removed with its directory."""
        self._socket.close()


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Return the sender's pid, 0 if the kernel could not tell; close what was passed."""
    pid = 0
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors = array.array("i")
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            for fd in descriptors:
                os.close(fd)
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
    return pid


def _fields(data: bytes) -> tuple[tuple[str, str], ...]:
    lines = data.decode("utf-8", "replace").split("\n")
    return tuple((name, value) for name, equals, value in (line.partition("=") for line in lines) if equals)
