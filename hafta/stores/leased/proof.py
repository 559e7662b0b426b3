"""Whether the process that has a record is proven dead, so that its lease need not be waited for (docs/hosts.md).

1. It was on this host: the same name, the same namespaces of processes and of time, and the same boot. Where a sandbox
   hides the boot from one of the two, the same machine-id, and the machine began at the same time. Images that were
   copied have the same name and machine-id. Anything else proves nothing.
2. Its id is nobody's now: kill() says so of any process, also of those that /proc hides. Or a process has it that began
   at another time. A zombie has its id still, and proves nothing. Nor does a /proc of another namespace: its ids are
   those of other processes.

A dead process sends nothing more. What it has sent before and arrives later has its token: the fence refuses that as
soon as a successor has a larger one. So a wrong proof could at most break rule 1, never rule 2.
"""

from __future__ import annotations

import os
import time

from hafta.boot import boot_id
from hafta.stores.holder import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.protocol import Holder

_MACHINE = "/etc/machine-id"
SET = 5  # seconds that the clock may have been set by, between two looks at when the machine began


def mark() -> str:
    """Return what tells this process from all others: boot, machine, when that began, namespaces, and its start."""
    return f"{boot_id()}:{_machine()}:{_began()}:{_namespaces()}:{_start(os.getpid())}"


def is_dead(holder: Holder | None) -> bool:
    """Tell whether that process is proven dead. False: it lives, or there is no proof."""
    if holder is None or holder.host != host() or holder.pid <= 0:
        return False
    boot, machine, began, namespaces, start = (*holder.mark.split(":"), "", "", "", "", "")[:5]
    if not start or not namespaces or namespaces != _namespaces() or not _is_here(boot, machine, began):
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return _start(holder.pid) not in {"", start}


def _is_here(boot: str, machine: str, began: str) -> bool:
    """Tell whether this is that boot of that machine."""
    here = boot_id()
    if boot and here:
        return boot == here
    return bool(machine) and machine == _machine() and began.isdigit() and abs(int(began) - _began()) <= SET


def _start(pid: int) -> str:
    """Return when a process began, in ticks since the boot; empty where that is not known, or it is a zombie."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):  # it is that of another namespace
            return ""
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state, *fields = file.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else fields[18]


def _began() -> int:
    """Return when this boot began: seconds since 1970, by a clock that may be set."""
    return round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))


def _namespaces() -> str:
    """Return the namespace in which an id means a process, and that in which a start means a time."""
    try:
        processes = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""
    try:
        return f"{processes}.{os.readlink('/proc/self/ns/time').strip('time:[]')}"
    except OSError:  # the kernel has none
        return f"{processes}."


def _machine() -> str:
    try:
        with open(_MACHINE, encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, ValueError):
        return ""
