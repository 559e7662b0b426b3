"""Who has an address that is in use, as far as can be found out in a moment."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

from hafta.process.stat import bytes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.sockets import Listen

PATIENCE = 0.3  # seconds: a machine may have thousands of processes
MOST = 1 << 20  # bytes of a table of the kernel's
_TABLES: dict[int, tuple[str, ...]] = {socket.SOCK_STREAM: ("tcp", "tcp6"), socket.SOCK_DGRAM: ("udp", "udp6")}
_LISTENS = {"tcp": "0A", "tcp6": "0A"}


def holder_of(listen: Listen) -> str:
    """Return "process 12 (name)", empty if nobody can be named."""
    inodes = _unix(listen.host) if listen.family == socket.AF_UNIX else _ip(listen)
    pid = _having({f"socket:[{inode}]" for inode in inodes}) if inodes else 0
    if not pid:
        return ""
    name = (bytes_of(pid, "comm") or b"").decode("utf-8", "replace").strip()
    return f"process {pid} ({name})"


def _rows(table: str) -> list[list[str]]:
    with suppress(OSError), open(f"/proc/net/{table}", "rb") as file:
        return [line.split() for line in file.read(MOST).decode("utf-8", "replace").split("\n")[1:] if line]
    return []


def _unix(name: str) -> list[str]:
    return [row[6] for row in _rows("unix") if len(row) > 7 and row[7] == name]


def _ip(listen: Listen) -> list[str]:
    port = f"{listen.port:04X}"
    found = []
    for table in _TABLES.get(listen.kind, ()):
        rows = [row for row in _rows(table) if len(row) > 9 and row[1].rpartition(":")[2] == port]
        found += [row[9] for row in rows if row[3] == _LISTENS.get(table, row[3])]
    return found


def _having(links: set[str]) -> int:
    end = time.monotonic() + PATIENCE
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if time.monotonic() > end:
            break
        with suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{fd}") in links:
                        return int(pid)
    return 0
