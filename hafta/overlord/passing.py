"""Descriptors for a service: in their places from 3 on, and named in its environment (sd_listen_fds(3))."""

from __future__ import annotations

import fcntl
import os

from hafta.frozen import Frozen
from hafta.units.unitfile import UnitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.units.unit import Unit

FIRST = 3


class Passed(Frozen):
    """What a main process gets: sockets first, then what it has stored."""

    fds: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    sockets: int = 0  # how many of them are sockets
    non_blocking: bool = False
    standard: int = -1  # a socket that is standard input or output; then no others are passed
    streams: tuple[int, ...] = ()  # which of 0, 1 and 2 it is
    peer: tuple[str, int] | None = None  # of a connection by IP


NOTHING = Passed()


def standard(passed: Passed, unit: Unit) -> Passed:
    """Return what is passed where a standard stream is to be the socket. Raises UnitError if there is not just one."""
    streams = unit.standard.streams
    if not streams:
        return passed
    if passed.sockets != 1:
        problem = f"StandardInput=socket needs exactly one socket, and there are {passed.sockets}"
        raise UnitError(problem, "start it by its socket, or let it take its sockets from LISTEN_FDS")
    return Passed(standard=passed.fds[0], streams=streams, peer=passed.peer)


def arrange(passed: Passed, report: int) -> int:
    """Put the descriptors in their places, in the child; return where `report` has gone. Raises OSError.

    All are first moved out of the way, because one may stand where another belongs.
    """
    behind = FIRST + len(passed.fds)
    report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, behind)
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, behind) for fd in passed.fds]
    for at, fd in enumerate(moved):
        if at < passed.sockets:
            os.set_blocking(fd, not passed.non_blocking)
        os.dup2(fd, FIRST + at)
    return report


def variables(passed: Passed) -> Mapping[str, str]:
    """Return what the environment says of them, in the child."""
    found = {}
    if passed.fds:
        found["LISTEN_PID"] = str(os.getpid())
        found["LISTEN_FDS"] = str(len(passed.fds))
        found["LISTEN_FDNAMES"] = ":".join(passed.names)
    if passed.peer:
        found["REMOTE_ADDR"], found["REMOTE_PORT"] = passed.peer[0], str(passed.peer[1])
    return found
