"""The [Socket] section as a table, and the Socket that its values make."""

from __future__ import annotations

import socket

from hafta.units import listen, values
from hafta.units.directive import Directive
from hafta.units.sockets import Files, Limits, Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.units.names import Name

ACCEPT_BURST = 200  # TriggerLimitBurst= where each connection is one start
_ADDRESSES = "ListenStream=, ListenDatagram=, ListenSequentialPacket= or ListenFIFO=: no others are opened here"

#: What is told to the kernel about each socket, by the name of the directive.
_OPTIONS: dict[str, Any] = {
    **dict.fromkeys(("Broadcast", "FreeBind", "KeepAlive", "NoDelay", "ReusePort", "Transparent"), values.yes),
    **dict.fromkeys(("PassCredentials", "PassPacketInfo", "PassSecurity"), values.yes),
    **dict.fromkeys(("DeferAcceptSec", "KeepAliveTimeSec", "KeepAliveIntervalSec"), listen.whole_seconds),
    **dict.fromkeys(("Mark", "Priority"), listen.number(1 << 31)),
    **dict.fromkeys(("ReceiveBuffer", "SendBuffer", "PipeSize"), listen.size),
    "KeepAliveProbes": listen.number(128),
    "IPTOS": listen.ip_tos,
    "IPTTL": listen.number(256),
    "BindIPv6Only": listen.ipv6_only,
    "Timestamping": listen.timestamping,
    "BindToDevice": listen.word("the name of a network interface", 15),
    "TCPCongestion": listen.word("the name of a congestion control, such as cubic", 15),
}
_OF_SOCKET = {
    "ListenStream": Directive("listen", listen.address(socket.SOCK_STREAM), adds=True),
    "ListenDatagram": Directive("listen", listen.address(socket.SOCK_DGRAM), adds=True),
    "ListenSequentialPacket": Directive("listen", listen.address(socket.SOCK_SEQPACKET), adds=True),
    "ListenFIFO": Directive("listen", listen.fifo, adds=True),
    "Accept": Directive("accept", values.yes),
    "Service": Directive("service", listen.service),
    "Backlog": Directive("backlog", listen.number(1 << 31)),
    "FileDescriptorName": Directive("fd_name", listen.fd_name, resets=True),
    "FlushPending": Directive("flush_pending", values.yes),
}
_OF_FILES = {
    "SocketMode": Directive("mode", values.mode),
    "SocketUser": Directive("user", values.identity, resets=True),
    "SocketGroup": Directive("group", values.identity, resets=True),
    "DirectoryMode": Directive("directory_mode", values.mode),
    "RemoveOnStop": Directive("remove_on_stop", values.yes),
    "Symlinks": Directive("symlinks", listen.paths, adds=True),
}
_OF_LIMITS = {
    "TriggerLimitIntervalSec": Directive("interval", values.seconds),
    "TriggerLimitBurst": Directive("burst", values.whole),
    "MaxConnections": Directive("connections", values.whole),
    "MaxConnectionsPerSource": Directive("per_source", values.whole),
}
HONOURED = (
    _OF_SOCKET
    | _OF_FILES
    | _OF_LIMITS
    | {name: Directive(f"option {name}", read, resets=True) for name, read in _OPTIONS.items()}
)
_REASONS = {
    **dict.fromkeys(("ListenNetlink", "ListenSpecial", "ListenMessageQueue", "ListenUSBFunction"), _ADDRESSES),
    "SocketProtocol": "no protocol: only the usual ones are spoken here",
}
#: The phase of units.unit.Commands that each directive fills.
COMMANDS = {
    "ExecStartPre": "start_pre",
    "ExecStartPost": "start_post",
    "ExecStopPre": "stop",
    "ExecStopPost": "stop_post",
}
REFUSED = {name: Directive(name, listen.refused(why)) for name, why in _REASONS.items()}


def make_socket(found: dict[str, Any], name: Name) -> Socket:
    """Return the socket that values by field make. Raises ValueError for values that do not go together."""
    options = [(field.partition(" ")[2], value) for field, value in found.items() if field.startswith("option ")]
    made = Socket(
        files=Files(**_of(_OF_FILES, found)),
        limits=Limits(**_of(_OF_LIMITS, found)),
        options=tuple(options),
        **_of(_OF_SOCKET, found),
    )
    if made.accept and "burst" not in found:
        made = made.replace(limits=made.limits.replace(burst=ACCEPT_BURST))
    if not made.accept and not made.service:
        made = made.replace(service=f"{name.stem}.service")
    _check(made)
    return made


def _of(directives: dict[str, Directive], found: dict[str, Any]) -> dict[str, Any]:
    fields = [directive.field for directive in directives.values()]
    return {field: found[field] for field in dict.fromkeys(fields) if field in found}


def _check(made: Socket) -> None:
    if not made.listen:
        raise ValueError("a line such as ListenStream=: the socket listens nowhere")
    if made.accept and made.service:
        raise ValueError("no Service= with Accept=yes: a connection gets an instance of the template of the same name")
    if made.accept and not all(each.accepts for each in made.listen):
        raise ValueError("no ListenDatagram= and no ListenFIFO= with Accept=yes: nothing can be accepted from them")
    if made.accept and not made.limits.connections:
        raise ValueError("MaxConnections= of 1 or more with Accept=yes")
    if made.files.symlinks and len([each for each in made.listen if each.path]) != 1:
        raise ValueError("exactly one address that is a path with Symlinks=")
