"""The notify socket: sdnotify's notifier on a socket that does not block.

sdnotify takes the address from the environment of the process, and may wait for ever when it sends. So the socket is
made here, and sdnotify only sends. Where sdnotify is not installed (a bare checkout), a small class with the same
interface replaces it.
"""

from __future__ import annotations

import errno
import socket

try:
    from sdnotify import SystemdNotifier
except ImportError:

    class SystemdNotifier:  # type: ignore[no-redef]
        """The part of sdnotify that is used here."""

        socket: socket.socket
        debug: bool

        def notify(self, state: str) -> None:
            """Send assignments, one per line. Raises OSError."""
            self.socket.sendall(state.encode("latin-1"))


class Sender(SystemdNotifier):  # type: ignore[misc]
    """Sends to one address without waiting."""

    def __init__(self, address: str) -> None:
        """Connect. Raises OSError."""
        self.debug = True  # sdnotify: let errors out
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        try:
            self.socket.connect(f"\0{address[1:]}" if address[0] == "@" else address)
        except OSError:
            self.socket.close()
            raise

    def send(self, text: str) -> None:
        """Send assignments, one per line, as UTF-8. Raises OSError."""
        self.notify(text.encode().decode("latin-1"))  # sdnotify encodes as Latin-1

    def discard(self, error: OSError | None) -> None:
        """Close the socket, unless the error says that it was closed: its number may be another file by now."""
        if error is not None and error.errno in {errno.EBADF, errno.ENOTSOCK}:
            self.socket.detach()
        else:
            self.socket.close()
