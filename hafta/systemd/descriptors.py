"""Descriptors from the overlord and back to it: sd_listen_fds(3), and the file descriptor store (FDSTORE=1).

A service that leaves a socket or a memfd in the store has it again after a crash or a restart. It needs
FileDescriptorStoreMax= in its unit; systemd and the embedded overlord both keep what is stored. Of a warm service the
parent keeps it, too (service/warm/shelf.py), so that the next worker has it at once.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST = 3
MOST = 253  # descriptors in one message: the kernel's SCM_MAX_FD

_handed: list[list[tuple[str, int]]] = []  # to a worker, by its parent: at most one list


def given(environ: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return what the overlord has passed to this process, in order: names and descriptors.

    Empty if it has passed nothing, or passed it to another process. Programs that this process starts do not inherit
    them.
    """
    if _handed:
        return list(_handed[0])
    pid, count = environ.get("LISTEN_PID", ""), environ.get("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not (count.isascii() and count.isdigit()):
        return []
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found = [(names[at] if at < len(names) else "", FIRST + at) for at in range(int(count))]
    for _, fd in found:
        os.set_inheritable(fd, False)
    return found


def hand_over(found: list[tuple[str, int]]) -> None:
    """Note, in a worker, what its parent keeps for it: that is given to it from now on."""
    _handed[:] = [found]


def store(environ: Mapping[str, str], name: str, *fds: int, watch: bool = True) -> bool:
    """Leave descriptors with the overlord under a name; False if there is no overlord, or its queue is full.

    `watch`: the overlord drops one whose other end is gone. Raises OSError if it cannot be reached, ValueError for a
    name that a descriptor cannot have or for too many at once.
    """
    if not 0 < len(fds) <= MOST:
        raise ValueError(f"1 to {MOST} descriptors at a time, not {len(fds)}")
    return _send(environ, f"FDSTORE=1\nFDNAME={_checked(name)}" + ("" if watch else "\nFDPOLL=0"), fds)


def drop(environ: Mapping[str, str], name: str) -> bool:
    """Have the overlord close what is stored under a name. Returns and raises as `store`."""
    return _send(environ, f"FDSTOREREMOVE=1\nFDNAME={_checked(name)}", ())


def is_name(name: str) -> bool:
    """Tell whether a descriptor can have this name."""
    return 0 < len(name) <= 255 and name.isascii() and name.isprintable() and ":" not in name


def _checked(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"{name!r} is not a name of 1 to 255 characters of ASCII without a colon")
    return name


def _send(environ: Mapping[str, str], text: str, fds: tuple[int, ...]) -> bool:
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        try:
            sender.connect(f"\0{address[1:]}" if address[0] == "@" else address)
            socket.send_fds(sender, [text.encode()], fds)
        except BlockingIOError:
            return False
    return True
