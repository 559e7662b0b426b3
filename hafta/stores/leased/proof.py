"""Whether the process that has a record is proven dead, so that its lease need not be waited for (docs/hosts.md).

1. It was on this host: the same name, the same namespace of processes, and the same boot. Where a sandbox hides the
   boot from one of the two, the same machine-id. Anything else proves nothing.
2. Its id is nobody's now: kill() says so of any process, also of those that /proc hides. Or a process has it that began
   at another time. A zombie has its id still, and proves nothing.

A dead process sends nothing more. What it has sent before and arrives later has its token: the fence refuses that as
soon as a successor has a larger one. So a wrong proof could at most break rule 1, never rule 2.
"""

from __future__ import annotations

import os

from hafta.boot import boot_id
from hafta.stores.holder import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.protocol import Holder

_MACHINE = "/etc/machine-id"


def mark() -> str:
    """Return what tells this process from all others: boot, machine, namespace of processes, and its start."""
    return f"{boot_id()}:{_machine()}:{_namespace()}:{_start('self')}"


def is_dead(holder: Holder | None) -> bool:
    """Tell whether that process is proven dead. False: it lives, or there is no proof."""
    if holder is None or holder.host != host():
        return False
    boot, machine, namespace, start = (*holder.mark.split(":"), "", "", "", "")[:4]
    here, known = (boot_id(), _machine()), bool(start and namespace)
    is_here = boot == here[0] if boot and here[0] else bool(machine) and machine == here[1]
    if not known or not is_here or namespace != _namespace():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return _start(holder.pid) not in {"", start}


def _start(pid: int | str) -> str:
    """Return when a process began, in ticks since the boot; empty where that is not known, or it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state, *fields = file.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else fields[18]


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""


def _machine() -> str:
    try:
        with open(_MACHINE, encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, ValueError):
        return ""
