"""Readers of the values of a .socket unit (systemd.socket(5)).

Every reader raises ValueError saying what it expected.
"""

from __future__ import annotations

import os
import socket

from hafta.units import amounts, words
from hafta.units.sockets import FIFO, Listen
from hafta.units.values import unit_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.units.specifiers import Specifiers

LONGEST_PATH = 107  # bytes of the path or the name of a Unix socket
LONGEST_NAME = 255  # characters of a descriptor's name
_ADDRESS = "a path, @name, port, IPv4:port or [IPv6]:port"


def address(kind: int) -> Callable[[str, Specifiers], tuple[Listen, ...]]:
    """Make a reader of an address for sockets of a kind."""

    def read(value: str, specifiers: Specifiers) -> tuple[Listen, ...]:
        return (parse_address(specifiers.expand(value), kind),)

    return read


def parse_address(text: str, kind: int) -> Listen:
    """Return what an address means."""
    if text.startswith("vsock:"):
        raise ValueError(f"{_ADDRESS}: vsock addresses are not opened here")
    if text.startswith(("/", "@")):
        return Listen(kind, socket.AF_UNIX, _unix_name(text))
    if kind == socket.SOCK_SEQPACKET:
        raise ValueError("a path or @name")
    host, colon, port = text.rpartition(":")
    number = _port(port)
    if not colon:
        return Listen(kind, socket.AF_INET6, "", number)
    if not host.startswith("["):
        return Listen(kind, socket.AF_INET, _numeric(socket.AF_INET, host), number)
    inner, bracket, device = host[1:].partition("]")
    if not bracket or (device and (device[0] != "%" or not device[1:])):
        raise ValueError(_ADDRESS)
    return Listen(kind, socket.AF_INET6, _numeric(socket.AF_INET6, inner), number, device[1:])


def _unix_name(text: str) -> str:
    if text in {"/", "@"} or len(os.fsencode(text)) > LONGEST_PATH or "\0" in text:
        raise ValueError(f"a path or @name of at most {LONGEST_PATH} bytes")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 0 < int(text) < 1 << 16:
        raise ValueError(f"{_ADDRESS}, with a port from 1 to 65535")
    return int(text)


def _numeric(family: int, host: str) -> str:
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, host))
    except (OSError, ValueError):
        raise ValueError(_ADDRESS) from None


def fifo(value: str, specifiers: Specifiers) -> tuple[Listen, ...]:
    """Read the path of a FIFO."""
    return (Listen(FIFO, socket.AF_UNIX, path(value, specifiers)),)


def path(value: str, specifiers: Specifiers) -> str:
    """Read an absolute path."""
    found = words.simplified(specifiers.expand(value))
    if not found.startswith("/") or found == "/" or ".." in found.split("/") or len(os.fsencode(found)) >= 4096:
        raise ValueError("an absolute path without ..")
    return found


def paths(value: str, specifiers: Specifiers) -> tuple[str, ...]:
    """Read absolute paths."""
    return tuple(path(word, specifiers) for word in words.split(value, words.STRICT))


def word(what: str, longest: int) -> Callable[[str, Specifiers], str]:
    """Make a reader of one word that the kernel is to know."""

    def read(value: str, _: Specifiers) -> str:
        if not value.isascii() or not value.isprintable() or " " in value or "/" in value or len(value) > longest:
            raise ValueError(what)
        return value

    return read


def fd_name(value: str, specifiers: Specifiers) -> str:
    """Read the name of a descriptor."""
    name = specifiers.expand(value)
    if not is_fd_name(name):
        raise ValueError(f"a name of 1 to {LONGEST_NAME} characters of ASCII without a colon")
    return name


def is_fd_name(name: str) -> bool:
    """Tell whether a descriptor can have this name (sd_listen_fds_with_names(3))."""
    return 0 < len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() and ":" not in name


def service(value: str, specifiers: Specifiers) -> str:
    """Read the name of a service."""
    name = unit_name(specifiers.expand(value), specifiers)
    if not name.endswith(".service"):
        raise ValueError("the name of a service such as x.service")
    return name


def size(value: str, _: Specifiers) -> int:
    """Read a size that setsockopt(2) takes."""
    found = amounts.size(value)
    if found >= 1 << 31:
        raise ValueError("a size below 2G")
    return found


def number(below: int) -> Callable[[str, Specifiers], int]:
    """Make a reader of whole numbers."""
    return lambda value, _: amounts.whole_number(value, below)


def whole_seconds(value: str, _: Specifiers) -> int:
    """Read a time span as whole seconds, which is all that the kernel takes."""
    found = -(-amounts.microseconds(value) // 1_000_000)
    if found >= 1 << 15:
        raise ValueError("a time span of at most 9 h")
    return found


_IPTOS = {"low-delay": 0x10, "throughput": 0x08, "reliability": 0x04, "low-cost": 0x02}


def ip_tos(value: str, _: Specifiers) -> int:
    """Read a type of service."""
    return _IPTOS[value] if value in _IPTOS else amounts.whole_number(value, 256)


def ipv6_only(value: str, _: Specifiers) -> str:
    """Read whether a socket of IPv6 takes IPv4, too; a boolean also says so."""
    if value in {"default", "both", "ipv6-only"}:
        return value
    try:
        return "ipv6-only" if amounts.boolean(value) else "both"
    except ValueError:
        raise ValueError("one of default, both, ipv6-only") from None


_TIMESTAMPS = {"us": 29, "usec": 29, "\u00b5s": 29, "\u03bcs": 29, "ns": 35, "nsec": 35}  # SO_TIMESTAMP, SO_TIMESTAMPNS


def timestamping(value: str, _: Specifiers) -> int:
    """Read which timestamps datagrams carry; return the number of the socket option, 0 for none."""
    if value in _TIMESTAMPS:
        return _TIMESTAMPS[value]
    if value != "off":
        raise ValueError("one of off, us, ns")
    return 0


def refused(instead: str) -> Callable[[str, Specifiers], str]:
    """Make a reader that refuses every value, saying what could stand there instead."""

    def read(_: str, __: Specifiers) -> str:
        raise ValueError(instead)

    return read
