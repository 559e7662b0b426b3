"""The socket at which services report events, with fields, for the event log: journald's native protocol.

Rules:

1. Who sent a datagram is what the kernel says (SCM_CREDENTIALS). Its unit is the one to which that process belongs, or
   did when it ended, for REMEMBERED seconds. Of others nothing is known, and the entry says so by not naming a unit.
2. A service never waits: its socket does not block, and what does not fit in ours it counts as dropped. We never wait
   either: AT_ONCE datagrams, or SLICE seconds and the datagram that was begun in them, and others have their turn.
3. What is too large for a datagram comes as a file. It is read only if it is sealed, so that nobody can change it
   meanwhile, and is not too large. A datagram with other descriptors is dropped with them.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
import time

from hafta.eventlog.format import NATIVE, TRANSPORT
from hafta.eventlog.native import ENTRY_MAX, parse
from hafta.overlord.closing import discard
from hafta.overlord.notifications import PATH_MAX
from hafta.process.loop import SLICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Take = Callable[[str, dict[str, Any], dict[str, str]], None]

AT_ONCE = 64  # datagrams that are read before others have their turn
SIZE = 256 * 1024  # bytes of a datagram: more than a sender's buffer has
REMEMBERED = 10.0  # seconds
DEAD = 10_000  # processes that are remembered, at most
_CREDENTIALS, _TIME, _INT = struct.Struct("3i"), struct.Struct("qq"), struct.Struct("i")
_SPACE = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_TIME.size) + socket.CMSG_SPACE(4 * _INT.size)
_SO_TIMESTAMP = 29  # of the old kind, which is also that of what comes
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Reports:
    """The socket at a path. `owner` finds the unit of a process that lives, `run` the run of a unit."""

    def __init__(
        self, path: str, mode: int, owner: Callable[[int], str], run: Callable[[str], str], take: Take
    ) -> None:
        self.path = path
        self._mode = mode
        self._owner = owner
        self._run = run
        self._take = take
        self._buffer = bytearray(SIZE)
        self._dead: dict[int, tuple[str, str, float]] = {}  # by number: unit, run, until when
        self._socket = self._listen()

    def _listen(self) -> socket.socket:
        if len(os.fsencode(self.path)) > PATH_MAX:
            raise OSError(36, "the path is too long for a socket", self.path)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMP, 1)
            made.bind(self.path)
            os.chmod(self.path, self._mode)
        except OSError:
            made.close()
            raise
        return made

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    @property
    def is_whole(self) -> bool:
        """Whether nobody has swept the path away."""
        return os.path.lexists(self.path)

    def close(self) -> None:
        """Let go."""
        self._socket.close()

    def buried(self, pid: int, unit: str) -> None:
        """Note that a process of a unit has ended: what it has sent may come later."""
        now = time.monotonic()
        self._dead.pop(pid, None)
        self._dead[pid] = (unit, self._run(unit), now + REMEMBERED)
        while self._dead and (len(self._dead) > DEAD or next(iter(self._dead.values()))[2] < now):
            del self._dead[next(iter(self._dead))]

    def take(self, most: int = AT_ONCE, seconds: float = SLICE) -> None:
        """Take what has come: `most` datagrams, and none is begun after `seconds`."""
        end = time.monotonic() + seconds
        for _ in range(most):
            try:
                size, ancillary, _, _ = self._socket.recvmsg_into([self._buffer], _SPACE, socket.MSG_CMSG_CLOEXEC)
            except OSError:  # there is none
                return
            sender, sent, fds = _read(ancillary)
            data = bytes(self._buffer[:size]) if not fds else b"" if size or len(fds) > 1 else _content(fds[0])
            for fd in fds:
                discard(fd)
            self._put(data, sender, sent)
            if time.monotonic() >= end:
                return

    def _put(self, data: bytes, sender: tuple[int, int, int], sent: int) -> None:
        pid, uid, gid = sender
        unit, run = self._who(pid) if pid else ("", "")
        trusted = {TRANSPORT: NATIVE, "_PID": str(pid), "_UID": str(uid), "_GID": str(gid)}
        if sent:
            trusted["_SOURCE_REALTIME_TIMESTAMP"] = str(sent)
        if unit:
            trusted["_SYSTEMD_UNIT"] = unit
        if run:
            trusted["_SYSTEMD_INVOCATION_ID"] = run
        for entry in parse(data):
            self._take(unit, entry, trusted)

    def _who(self, pid: int) -> tuple[str, str]:
        if unit := self._owner(pid):
            return unit, self._run(unit)
        unit, run, until = self._dead.get(pid, ("", "", 0.0))
        return (unit, run) if until >= time.monotonic() else ("", "")


def _read(ancillary: list[tuple[int, int, bytes]]) -> tuple[tuple[int, int, int], int, list[int]]:
    """Return the sender, as the kernel says, when it sent that (microseconds since 1970, 0: unknown), and files."""
    sender, sent, fds = (0, -1, -1), 0, array.array("i")
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        elif kind == socket.SCM_CREDENTIALS:
            sender = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
        elif kind == _SO_TIMESTAMP and len(data) >= _TIME.size:
            seconds, usec = _TIME.unpack(data[: _TIME.size])
            sent = seconds * 1_000_000 + usec
    return sender, sent, list(fds)


def _content(fd: int) -> bytes:
    """Return what is in a sealed file (rule 3); nothing of any other."""
    try:
        if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            return b""
        size = os.fstat(fd).st_size
        return os.pread(fd, size, 0) if size <= ENTRY_MAX else b""
    except OSError:
        return b""
