"""The journal as a sink: datagrams to journald's socket, without ever waiting for it.

journald's queue holds 512 datagrams; in a container, about ten. When journald does not read, a sender that waits hangs
until the watchdog kills a healthy service. So the socket does not block. It is not connected either, so that it finds
a restarted journald by itself. An entry that is too large for a datagram is sent as a sealed memory file. The reporter
counts what journald does not take.
"""

from __future__ import annotations

import errno
import os

from hafta.journal.entry import NOTHING, entry
from hafta.journal.sink import Sink
from hafta.journal.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from hafta.journal.event import Event

SOCKET = "/run/systemd/journal/socket"


class JournaldSink(Sink):
    """Sends structured entries to the journal."""

    structured = True
    records = True

    def __init__(self, identifier: str, path: str = SOCKET, *, about: Mapping[str, str] = NOTHING) -> None:
        self._identifier = identifier
        self._about = about
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, event: Event, number: int, repeated: int) -> bool:
        """Send one entry; False if journald did not take it."""
        data = encode(entry(event, number, repeated, self._identifier, self._about))
        try:
            self._send(data)
        except OSError as error:
            if error.errno in {errno.EBADF, errno.ENOTSOCK}:
                self._forget()
            return False
        return True

    def open(self) -> None:
        """Open the socket, if possible."""
        try:
            self._opened()
        except OSError:
            return

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, data: bytes) -> None:
        sender = self._opened()
        try:
            sender.sendto(data, self._path)
        except OSError as error:
            if error.errno not in {errno.EMSGSIZE, errno.ENOBUFS}:
                raise
            _send_as_file(sender, data, self._path)

    def _opened(self) -> socket.socket:
        if self._socket is None:
            import socket

            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        return self._socket

    def _forget(self) -> None:
        """Open a new socket next time. Ours was closed, and its number may be another file by now: do not close it."""
        if self._socket is not None:
            self._socket.detach()
            self._socket = None


def _send_as_file(sender: socket.socket, data: bytes, path: str) -> None:
    """Hand over the entry as a memory file that nobody can change any more. Raises OSError."""
    from socket import SCM_RIGHTS, SOL_SOCKET
    from sys import byteorder

    file = os.memfd_create("hafta-journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _fill(file, data)
        sender.sendmsg([], [(SOL_SOCKET, SCM_RIGHTS, file.to_bytes(4, byteorder))], 0, path)
    finally:
        os.close(file)


def _fill(file: int, data: bytes) -> None:
    import fcntl

    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
