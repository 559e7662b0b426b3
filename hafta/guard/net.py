"""Probes over sockets: a connection, a Unix socket, the status of an HTTP answer. Each is a generator (steps.py)."""

from __future__ import annotations

import errno
import os
import socket

from hafta.frozen import Frozen
from hafta.guard.steps import Refused, Want

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator
    from typing import Any

LINE_MAX = 1024  # bytes of a status line
_KINDS = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM)


class Address(Frozen):
    """Where to connect: a number, never a name, because looking a name up may wait for ever."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


class Request(Frozen):
    """An HTTP request: where to, which path, and the statuses that pass."""

    address: Address
    path: str
    host: str  # as the user wrote it
    expected: range = range(200, 400)


def tcp(address: Address) -> Generator[Want, None, None]:
    """Pass if something accepts a connection."""
    with socket.socket(address.family, socket.SOCK_STREAM) as connection:
        yield from _connect(connection, (address.host, address.port))


def unix(path: str) -> Generator[Want, None, None]:
    """Pass if something listens at a Unix socket, of whichever kind."""
    place = f"\0{path[1:]}" if path.startswith("@") else path
    number = errno.EPROTOTYPE
    for kind in _KINDS:
        with socket.socket(socket.AF_UNIX, kind) as connection:
            connection.setblocking(False)
            answer = connection.connect_ex(place)
        if answer != errno.EPROTOTYPE:
            number = answer
        if answer not in {errno.EPROTOTYPE, errno.ECONNREFUSED}:  # names without a path are looked up for each kind
            break
    if number == errno.EAGAIN:
        raise Refused("its queue of connections is full")
    if number:
        raise OSError(number, os.strerror(number))
    yield from ()


def http(request: Request, context: ssl.SSLContext | None) -> Generator[Want, None, None]:
    """Pass if the status of the answer is an expected one. The certificate of a TLS server is not checked."""
    with socket.socket(request.address.family, socket.SOCK_STREAM) as plain:
        yield from _connect(plain, (request.address.host, request.address.port))
        connection: Any = plain
        if context is not None:
            connection = context.wrap_socket(plain, do_handshake_on_connect=False)
        with connection:
            if context is not None:
                yield from _patient(connection.fileno(), connection.do_handshake)
            yield from _send(connection, _request_text(request))
            line = yield from _first_line(connection)
    status = _status_of(line)
    if status not in request.expected:
        raise Refused(f"answered with status {status}")


def tls_context() -> ssl.SSLContext:
    """Return the context of all tries: who answers is not the question, but whether it answers."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _connect(connection: socket.socket, place: tuple[str, int]) -> Generator[Want, None, None]:
    connection.setblocking(False)
    number = connection.connect_ex(place)
    if number == errno.EINPROGRESS:
        yield Want(connection.fileno(), write=True)
        number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _patient(fd: int, call: Any, *arguments: Any) -> Generator[Want, None, Any]:
    """Call until it neither wants to read nor to write; a plain socket says BlockingIOError for both."""
    while True:
        try:
            return call(*arguments)
        except OSError as error:
            name = type(error).__name__
            if name not in {"BlockingIOError", "SSLWantReadError", "SSLWantWriteError"}:
                raise
            is_write = name == "SSLWantWriteError" or (name == "BlockingIOError" and call.__name__ == "send")
        yield Want(fd, write=is_write)


def _send(connection: socket.socket, data: bytes) -> Generator[Want, None, None]:
    while data:
        sent = yield from _patient(connection.fileno(), connection.send, data)
        data = data[sent:]


def _first_line(connection: socket.socket) -> Generator[Want, None, bytes]:
    data = b""
    while b"\n" not in data:
        if len(data) >= LINE_MAX:
            raise Refused("did not answer with HTTP")
        piece = yield from _patient(connection.fileno(), connection.recv, LINE_MAX)
        if not piece:
            raise Refused("closed the connection without an answer")
        data += piece
    return data.partition(b"\n")[0]


def _request_text(request: Request) -> bytes:
    lines = (f"GET {request.path} HTTP/1.1", f"Host: {request.host}", "User-Agent: hafta-guard", "Accept: */*")
    return "\r\n".join((*lines, "Connection: close", "", "")).encode()


def _status_of(line: bytes) -> int:
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or len(words[1]) != 3 or not words[1].isdigit():
        raise Refused("did not answer with HTTP")
    return int(words[1])
