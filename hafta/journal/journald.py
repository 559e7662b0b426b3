"""The journal as a sink: datagrams to journald's socket, never waiting for it.

journald's queue holds 512 datagrams, in a container some ten; when it does not read, a sender that waits stands still
until the watchdog kills a healthy service. So: not blocking, and not connected, which finds a restarted journald by
itself. An entry above the datagram limit goes as a sealed memory file. What is not taken is the reporter's to count.
"""

from __future__ import annotations

import errno
import os

from hafta.journal.entry import entry
from hafta.journal.sink import Sink
from hafta.journal.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from hafta.journal.event import Event

SOCKET = "/run/systemd/journal/socket"


class JournaldSink(Sink):
    """Sends structured entries to the journal."""

    structured = True

    def __init__(self, identifier: str, path: str = SOCKET) -> None:
        self._identifier = identifier
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, event: Event, number: int, repeated: int) -> bool:
        """Send one entry; False if journald did not take it."""
        data = encode(entry(event, number, repeated, self._identifier))
        try:
            self._send(data)
        except OSError as error:
            if error.errno in {errno.EBADF, errno.ENOTSOCK}:
                self._forget()
            return False
        return True

    def open(self) -> None:
        """Open the socket, if it can be."""
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
        """Open a new socket next time. Somebody closed ours, and its number may be another file's: leave that alone."""
        if self._socket is not None:
            self._socket.detach()
            self._socket = None


def _send_as_file(sender: socket.socket, data: bytes, path: str) -> None:
    """Hand the entry over as a memory file that nobody can change any more. Raises OSError."""
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
