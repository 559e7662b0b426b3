"""Opening what a .socket unit listens on. Nothing here waits: each socket is non-blocking until a service has it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
from contextlib import contextmanager, suppress

from hafta.frozen import Frozen
from hafta.overlord.port_holders import holder_of
from hafta.units.sockets import FIFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafta.overlord.paths import Paths
    from hafta.units.sockets import Files, Listen, Socket
    from hafta.units.unit import Credentials

RESERVED = 1024  # ports below are root's
_IP_PKTINFO, _IPV6_PKTINFO = 8, 49
_ANYWHERE = (("FreeBind", socket.IPPROTO_IP, 15), ("Transparent", socket.IPPROTO_IP, 19))
_ANYWHERE_V6 = (("FreeBind", socket.IPPROTO_IPV6, 78), ("Transparent", socket.IPPROTO_IPV6, 75))
_SO_PASSSEC, _SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 34, 33, 32
_SETPIPE_SZ = 1031


class OpeningError(OSError):
    """An address cannot be opened; the text says which, why, and what to do."""

    @property
    def is_unsupported(self) -> bool:
        """Whether the kernel does not know the family of the address."""
        return isinstance(self.__cause__, OSError) and self.__cause__.errno == errno.EAFNOSUPPORT


def open_address(listen: Listen, unit: Socket, owner: Credentials, paths: Paths) -> int:
    """Return a descriptor that listens there. Raises OpeningError."""
    try:
        if listen.kind == FIFO:
            return _open_fifo(listen.path, unit, owner, paths)
        return _open_socket(listen, unit, owner, paths)
    except OpeningError:
        raise
    except OSError as error:
        raise OpeningError(f"cannot listen on {listen.text}: {_words(error, listen)}") from error


def _words(error: OSError, listen: Listen) -> str:
    if error.errno == errno.EADDRINUSE:
        who = holder_of(listen)
        return f"it is in use{f' by {who}' if who else ''}; stop that, or choose another address"
    if error.errno == errno.EACCES and 0 < listen.port < RESERVED:
        return f"no permission: ports below {RESERVED} are for root; choose a higher one, or add CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have the address; FreeBind=yes listens all the same"
    return f"{error.strerror}"


def _open_socket(listen: Listen, unit: Socket, owner: Credentials, paths: Paths) -> int:
    options = dict(unit.options)
    made = _make(listen)
    try:
        _prepare(made, options)
        if listen.path:
            _bind_path(made, listen, unit.files, owner, paths)
        else:
            made.bind(_sockaddr(listen, made.family))
        if listen.accepts:
            made.listen(min(unit.backlog, (1 << 31) - 1))
        return made.detach()
    finally:
        made.close()


def _make(listen: Listen) -> socket.socket:
    kind = listen.kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        return socket.socket(listen.family, kind)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT or listen.host:
            raise
        return socket.socket(socket.AF_INET, kind)  # any address, on a machine without IPv6


def _sockaddr(listen: Listen, family: int) -> str | bytes | tuple[str, int] | tuple[str, int, int, int]:
    if family == socket.AF_UNIX:
        return b"\0" + os.fsencode(listen.host[1:])
    if family == socket.AF_INET:
        return listen.host or "0.0.0.0", listen.port  # noqa: S104 - the unit file asks for any address
    scope = socket.if_nametoindex(listen.device) if listen.device else 0
    return listen.host or "::", listen.port, 0, scope


# What is set before the address is taken. What cannot be set makes the socket fail: it would listen elsewhere.


def _prepare(made: socket.socket, options: dict[str, int | str]) -> None:
    if made.family == socket.AF_UNIX:
        return
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    is_v6 = made.family == socket.AF_INET6
    if is_v6 and options.get("BindIPv6Only", "default") != "default":
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, options["BindIPv6Only"] == "ipv6-only")
    if device := options.get("BindToDevice"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, f"{device}\0".encode())
    if options.get("ReusePort"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    for name, level, number in _ANYWHERE_V6 if is_v6 else _ANYWHERE:
        if options.get(name):
            made.setsockopt(level, number, 1)


# What is set then. What cannot be set is named, and the socket listens all the same, as in systemd.


class _Option(Frozen):
    """One or several socket options of a directive; the first level that fits counts."""

    level: int
    number: int
    families: tuple[int, ...] = ()  # empty: all
    kinds: tuple[int, ...] = ()


_IP = (socket.AF_INET, socket.AF_INET6)
_STREAMS = (socket.SOCK_STREAM,)
_TCP = socket.IPPROTO_TCP
_OPTIONS = {
    "KeepAlive": (_Option(socket.SOL_SOCKET, socket.SO_KEEPALIVE),),
    "KeepAliveTimeSec": (_Option(_TCP, socket.TCP_KEEPIDLE, _IP, _STREAMS),),
    "KeepAliveIntervalSec": (_Option(_TCP, socket.TCP_KEEPINTVL, _IP, _STREAMS),),
    "KeepAliveProbes": (_Option(_TCP, socket.TCP_KEEPCNT, _IP, _STREAMS),),
    "DeferAcceptSec": (_Option(_TCP, socket.TCP_DEFER_ACCEPT, _IP, _STREAMS),),
    "NoDelay": (_Option(_TCP, socket.TCP_NODELAY, _IP, _STREAMS),),
    "TCPCongestion": (_Option(_TCP, socket.TCP_CONGESTION, _IP, _STREAMS),),
    "Broadcast": (_Option(socket.SOL_SOCKET, socket.SO_BROADCAST),),
    "PassCredentials": (_Option(socket.SOL_SOCKET, socket.SO_PASSCRED, (socket.AF_UNIX,)),),
    "PassSecurity": (_Option(socket.SOL_SOCKET, _SO_PASSSEC, (socket.AF_UNIX,)),),
    "PassPacketInfo": (
        _Option(socket.IPPROTO_IP, _IP_PKTINFO, (socket.AF_INET,)),
        _Option(socket.IPPROTO_IPV6, _IPV6_PKTINFO, (socket.AF_INET6,)),
    ),
    "Priority": (_Option(socket.SOL_SOCKET, socket.SO_PRIORITY),),
    "Mark": (_Option(socket.SOL_SOCKET, socket.SO_MARK),),
    "ReceiveBuffer": (_Option(socket.SOL_SOCKET, _SO_RCVBUFFORCE), _Option(socket.SOL_SOCKET, socket.SO_RCVBUF)),
    "SendBuffer": (_Option(socket.SOL_SOCKET, _SO_SNDBUFFORCE), _Option(socket.SOL_SOCKET, socket.SO_SNDBUF)),
    "IPTOS": (
        _Option(socket.IPPROTO_IP, socket.IP_TOS, (socket.AF_INET,)),
        _Option(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, (socket.AF_INET6,)),
    ),
    "IPTTL": (
        _Option(socket.IPPROTO_IP, socket.IP_TTL, (socket.AF_INET,)),
        _Option(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, (socket.AF_INET6,)),
    ),
}


def set_options(
    fd: int, listen: Listen, options: tuple[tuple[str, int | str], ...], note: Callable[[str], None]
) -> None:
    """Set the options of an open socket, or of a connection; note what the kernel refuses."""
    for name, value in options:
        try:
            if listen.kind == FIFO:
                if name == "PipeSize":
                    fcntl.fcntl(fd, _SETPIPE_SZ, value)
            elif name == "Timestamping":
                _set(fd, listen, (_Option(socket.SOL_SOCKET, int(value)),) if value else (), 1)
            elif name in _OPTIONS:
                _set(fd, listen, _OPTIONS[name], value)
        except OSError as error:
            note(f"{name}={value} for {listen.text}: {error.strerror}")


def _set(fd: int, listen: Listen, options: tuple[_Option, ...], value: int | str) -> None:
    made = socket.socket(listen.family, listen.kind, fileno=fd)
    data = value.encode() if isinstance(value, str) else struct.pack("i", value)
    try:
        failed: OSError | None = None
        for option in options:
            if option.families and listen.family not in option.families:
                continue
            if option.kinds and listen.kind not in option.kinds:
                continue
            try:
                made.setsockopt(option.level, option.number, data)
            except OSError as error:
                failed = error
            else:
                return
        if failed:
            raise failed
    finally:
        made.detach()


# Paths


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _bind_path(made: socket.socket, listen: Listen, files: Files, owner: Credentials, paths: Paths) -> None:
    paths.make_parents(listen.path, files.directory_mode)
    with _umask(0o777 & ~files.mode):
        try:
            made.bind(listen.path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            _remove_stale(listen)
            made.bind(listen.path)
    fd = os.open(listen.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        paths.add(listen.path, os.fstat(fd))
        _give(fd, owner)
    finally:
        os.close(fd)


def _remove_stale(listen: Listen) -> None:
    """Remove a socket that nobody listens on any more. Raises OpeningError for anything else."""
    path = listen.path
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OpeningError(f"cannot listen on {path}: it is not a socket; remove or rename it, or choose another path")
    with socket.socket(socket.AF_UNIX, listen.kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                os.unlink(path)
                return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _give(fd: int, owner: Credentials) -> None:
    """Give what a path means to its owner: through the descriptor, so that it cannot be exchanged meanwhile."""
    missing = owner.missing_user or owner.missing_group
    if missing:
        kind = "user" if owner.missing_user else "group"
        raise OpeningError(f"there is no {kind} {missing} (Socket{kind.capitalize()}=)")
    if owner.uid >= 0 or owner.gid >= 0:
        os.chown(f"/proc/self/fd/{fd}", owner.uid, owner.gid)


def _open_fifo(path: str, unit: Socket, owner: Credentials, paths: Paths) -> int:
    paths.make_parents(path, unit.files.directory_mode)
    is_new = False
    with suppress(FileExistsError), _umask(0o777 & ~unit.files.mode):
        os.mkfifo(path, unit.files.mode)
        is_new = True
    # Open for both: it never ends, and neither end waits for the other.
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        _require_fifo(path, info, owner)
        if is_new:
            paths.add(path, info)
        os.fchmod(fd, unit.files.mode)
        _give(fd, owner)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _require_fifo(path: str, info: os.stat_result, owner: Credentials) -> None:
    if not stat.S_ISFIFO(info.st_mode):
        raise OpeningError(f"cannot listen on {path}: it is not a FIFO; remove it, or choose another path")
    if info.st_uid not in {os.geteuid(), owner.uid}:
        raise OpeningError(f"cannot listen on {path}: it belongs to user {info.st_uid}; remove it")


def link(target: str, path: str, files: Files, paths: Paths) -> None:
    """Make a symbolic link to a socket (Symlinks=), or leave one that is right. Raises OSError."""
    paths.make_parents(path, files.directory_mode)
    with suppress(OSError):
        if os.readlink(path) == target:
            return
    try:
        os.symlink(target, path)
    except FileExistsError:
        if not files.remove_on_stop:
            raise
        os.unlink(path)
        os.symlink(target, path)
    paths.add(path, os.lstat(path))
