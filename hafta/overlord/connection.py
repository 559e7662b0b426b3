"""One connection of a socket with Accept=yes: who it is from, and what its service is called."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from hafta.overlord.passing import Passed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.unit import Unit

NAME = "connection"  # in LISTEN_FDNAMES
_CREDENTIALS = struct.Struct("3i")
_MAPPED = "::ffff:"  # an IPv4 address on a socket of IPv6


class Connection:
    """One connection: whose it is, and the socket until its service has it."""

    def __init__(self, owner: str, accepted: socket.socket) -> None:
        self.owner = owner  # the .socket
        self.peer = peer_of(accepted)
        self.socket: socket.socket | None = accepted

    @property
    def source(self) -> str:
        """Who connects, as MaxConnectionsPerSource= counts them; empty for a Unix socket."""
        return self.peer[0] if self.peer else ""

    def passed(self, unit: Unit) -> Passed:
        """Return what its service gets."""
        fd = self.socket.fileno() if self.socket else -1
        if fd < 0:
            return Passed()
        return Passed((fd,), (NAME,), 1, unit.non_blocking, peer=self.peer)

    def close(self) -> None:
        """Close our end of it: the service's end is the service's."""
        if self.socket:
            self.socket.close()
            self.socket = None


def instance_name(prefix: str, number: int, accepted: socket.socket) -> str:
    """Return the name of a connection's service, as systemd gives it. Raises OSError if nobody is there any more."""
    if accepted.family == socket.AF_UNIX:
        size = _CREDENTIALS.size
        pid, uid, _ = _CREDENTIALS.unpack(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return f"{prefix}@{number}-{pid}-{uid}.service"
    ours, theirs = accepted.getsockname(), accepted.getpeername()
    return f"{prefix}@{number}-{_plain(ours[0])}:{ours[1]}-{_plain(theirs[0])}:{theirs[1]}.service"


def _plain(host: str) -> str:
    """Return an address without what a unit's name may not have, or does not need."""
    return host.removeprefix(_MAPPED).partition("%")[0]


def peer_of(accepted: socket.socket) -> tuple[str, int] | None:
    """Return the address and port of who has connected by IP; None for a Unix socket, or if the client is gone."""
    with suppress(OSError):
        if accepted.family != socket.AF_UNIX:
            host, port = accepted.getpeername()[:2]
            return _plain(host), port
    return None
