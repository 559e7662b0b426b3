"""Where the control sockets of running overlords are, so that `hafta ctl` finds them without being told.

Looked at are the places where an overlord of this user keeps its own directory (hafta/units/roots.py). Root looks below
/run both with and without the overlord's own directory: an overlord that is PID 1 never is "beside a systemd", and the
one who asks cannot be PID 1. A directory in which others may write is not looked into.
"""

from __future__ import annotations

import os
import stat

from hafta.trust import is_own, is_shared
from hafta.units.roots import CONTROL, roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "control"  # of the socket, in the overlord's own directory


def sockets(environ: Mapping[str, str]) -> list[str]:
    """Return the control sockets that there are, those of overlords that have been killed among them."""
    runtimes = [roots(environ, environ.get("HAFTA_RUNTIME_DIR", "")).runtime]
    if os.geteuid() == 0:
        runtimes += ["/run", f"/run/{CONTROL}"]
    found = []
    for runtime in dict.fromkeys(runtimes):
        if _is_trusted(runtime) and _is_trusted(folder := os.path.join(runtime, CONTROL)):
            found += [os.path.join(folder, name, NAME) for name in sorted(os.listdir(folder))]
    return [path for path in found if _is_socket(path)]


def _is_trusted(folder: str) -> bool:
    try:
        info = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and is_own(info) and not is_shared(info) and os.access(folder, os.R_OK)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False
