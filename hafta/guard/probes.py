"""Probes as a user writes them: `tcp:127.0.0.1:8080`, `http://127.0.0.1/health`, `file:/run/x/beat:10`, ...

Reading one checks everything that can be checked before the program runs, so that a wrong one is an error at the start.
"""

from __future__ import annotations

import os

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hafta.guard.children import Children
    from hafta.guard.net import Address
    from hafta.guard.steps import Probe

#: How each kind is written, for errors, help and the man page.
KINDS = {
    "tcp": "tcp:ADDRESS:PORT",
    "unix": "unix:PATH",
    "http": "http://ADDRESS[:PORT]/PATH[#STATUS]",
    "https": "https://ADDRESS[:PORT]/PATH[#STATUS]",
    "command": "command:PROGRAM ARG...",
    "file": "file:PATH:SECONDS",
    "pipe": "pipe:PATH",
    "process": "process",
}
_PORTS = {"http": 80, "https": 443}


class World(Frozen):
    """What probes need to know of the program that they ask."""

    pid: int
    children: Children
    environ: Mapping[str, str]


class Spec(Frozen):
    """A probe as it was written, and how to make it."""

    text: str
    make: Callable[[World, str], Probe]


def spec(text: str) -> tuple[Spec]:
    """Read a probe. Raises ValueError with what was expected."""
    kind, _, rest = text.partition(":")
    reader = _READERS.get(kind)
    if reader is None:
        raise ValueError(f"a probe: {', '.join(KINDS.values())}")
    try:
        make = reader(rest)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{KINDS[kind]}{f' ({error})' if str(error) else ''}") from None
    return (Spec(text, make),)


def _process(rest: str) -> Callable[[World, str], Probe]:
    if rest:
        raise ValueError
    return make_process


def make_process(world: World, text: str) -> Probe:
    """Make the probe that every guard has."""
    from hafta.guard.local import process
    from hafta.guard.steps import Probe

    return Probe(text, lambda: process(world.pid))


def _tcp(rest: str) -> Callable[[World, str], Probe]:
    address = _address(rest, 0)
    return _of_net(lambda net: lambda: net.tcp(address))


def _unix(rest: str) -> Callable[[World, str], Probe]:
    if not rest.strip("@") or rest[0] not in "/@":
        raise ValueError("an absolute path, or @NAME")
    if len(os.fsencode(rest)) > 107:
        raise ValueError("at most 107 bytes")
    return _of_net(lambda net: lambda: net.unix(rest))


def _http(kind: str) -> Callable[[str], Callable[[World, str], Probe]]:
    def read(rest: str) -> Callable[[World, str], Probe]:
        from hafta.guard.net import Request, tls_context

        if not rest.startswith("//"):
            raise ValueError
        target, sign, status = rest[2:].partition("#")
        host, _, path = target.partition("/")
        if not all("!" <= char <= "~" for char in path):
            raise ValueError("a path of ASCII characters without blanks; write others as %20")
        expected = _status(status) if sign else range(200, 400)
        request = Request(_address(host, _PORTS[kind]), f"/{path}", host, expected)
        context = tls_context() if kind == "https" else None
        return _of_net(lambda net: lambda: net.http(request, context))

    return read


def _command(rest: str) -> Callable[[World, str], Probe]:
    import shlex

    argv = shlex.split(rest)
    if not argv or "\0" in rest:
        raise ValueError

    def make(world: World, text: str) -> Probe:
        from hafta.guard.local import command
        from hafta.guard.steps import Probe

        return Probe(text, lambda: command(argv, world.environ, world.children))

    return make


def _file(rest: str) -> Callable[[World, str], Probe]:
    from hafta.settings import number

    path, _, seconds = rest.rpartition(":")
    if not path or not (age := number(seconds)):
        raise ValueError("seconds, more than 0")
    return _of_local(lambda local: local.Fresh(path, age).steps)


def _pipe(rest: str) -> Callable[[World, str], Probe]:
    if not rest.startswith("/"):
        raise ValueError("an absolute path")
    return _of_local(lambda local: local.Readable(rest).steps)


def _of_net(begin: Callable[[Any], Any]) -> Callable[[World, str], Probe]:
    def make(_: World, text: str) -> Probe:
        from hafta.guard import net
        from hafta.guard.steps import Probe

        return Probe(text, begin(net))

    return make


def _of_local(begin: Callable[[Any], Any]) -> Callable[[World, str], Probe]:
    def make(_: World, text: str) -> Probe:
        from hafta.guard import local
        from hafta.guard.steps import Probe

        return Probe(text, begin(local))

    return make


def _address(text: str, port: int) -> Address:
    """Read 127.0.0.1:80, [::1]:80 or localhost:80; the port may be missing if there is a usual one."""
    from hafta.guard.net import Address

    host, bracket, rest = text[1:].partition("]") if text.startswith("[") else ("", "", "")
    if not bracket:
        host, colon, rest = text.partition(":")
        rest = colon + rest
    if rest or not port:
        digits = rest.removeprefix(":")
        if not rest.startswith(":") or not (digits.isascii() and digits.isdigit()) or not 0 < int(digits) < 1 << 16:
            raise ValueError("a port from 1 to 65535")
        port = int(digits)
    return Address(_number(host, v6=bool(bracket)), port)


def _number(host: str, *, v6: bool) -> str:
    import socket

    if host == "localhost":
        return "127.0.0.1"
    try:
        socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, host)
    except OSError:
        raise ValueError("an IP address or localhost: looking up a name may take for ever") from None
    return host


def _status(text: str) -> range:
    if len(text) != 3 or not (text.isascii() and text.isdigit()):
        raise ValueError("a status of three digits")
    return range(int(text), int(text) + 1)


_READERS: dict[str, Callable[[str], Callable[[World, str], Probe]]] = {
    "tcp": _tcp,
    "unix": _unix,
    "http": _http("http"),
    "https": _http("https"),
    "command": _command,
    "file": _file,
    "pipe": _pipe,
    "process": _process,
}
