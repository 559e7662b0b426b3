"""Which processes there are, from /proc: descendants, and those that carry an overlord's marker.

Rules for ending all of an overlord's processes (`end_all`):
1. A process belongs to the overlord if its environment carries the overlord's id, or if it descends from, or is in a
   session led by, one that does. Whoever is killed may have forked a moment before, so the search is repeated until it
   finds nobody, CALM times in a row.
2. A process in the middle of execve(2) shows neither environment nor command line. It is not killed on suspicion, but
   while there is one (for at most EXECUTING seconds) a search that finds nobody is repeated.
3. Who waits for ever waits for a process that may not be killed (it changed its user), too; others leave it at once.
"""

from __future__ import annotations

import os
import signal
import time

from hafta.overlord.environment import MARKER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CALM = 3
PAUSE = 0.005  # seconds between two searches
SLOW = 0.5  # the same, when it is always the same ones that are found
EXECUTING = 2.0  # seconds
FOREVER = float("inf")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD


class Process:
    """One line of the table of processes."""

    def __init__(self, pid: int, fields: Sequence[bytes]) -> None:
        self.pid = pid
        self.is_dead = fields[0] in {b"Z", b"X", b"x"}
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.is_of_kernel = bool(int(fields[6]) & _KERNEL_THREAD)

    def is_executing(self) -> bool:
        """Tell whether it is in the middle of execve(2)."""
        return not self.is_of_kernel and _bytes_of(self.pid, "environ") == b"" == _bytes_of(self.pid, "cmdline")


def read_process(pid: int) -> Process | None:
    """Return a process, or None if there is none of this number."""
    line = _bytes_of(pid, "stat")
    return Process(pid, line.rpartition(b")")[2].split()) if line else None


def _bytes_of(pid: int, name: str) -> bytes | None:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return None


def all_processes() -> list[Process]:
    """Return the processes that can be seen."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [process for pid in pids if (process := read_process(pid))]


def children(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads forked them.

    The kernel may skip one in a list that changes while it is read, so it is read twice.
    """
    return sorted({child for _ in range(2) for child in _children(pid)})


def _children(pid: int) -> list[int]:
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):  # CONFIG_PROC_CHILDREN=n
        return [process.pid for process in all_processes() if process.parent == pid]
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(word) for thread in threads for word in (_bytes_of(pid, f"task/{thread}/children") or b"").split()]


def descendants(pid: int) -> list[int]:
    """Return the children of a process, and theirs, and so on."""
    found: list[int] = []
    to_ask = [pid]
    while to_ask:
        fresh = [child for child in children(to_ask.pop()) if child not in found]
        found += fresh
        to_ask += fresh
    return found


def variable(pid: int, name: str) -> str | None:
    """Return a variable of a process's environment as it was at its start; None if it has none, or hides it."""
    words = (_bytes_of(pid, "environ") or b"").split(b"\0")
    wanted = name.encode() + b"="
    return next((os.fsdecode(word[len(wanted) :]) for word in words if word.startswith(wanted)), None)


def belonging(identity: str) -> list[int]:
    """Return the living processes of an overlord (rules 1 and 2), without ourselves."""
    deadline = time.monotonic() + EXECUTING
    while True:
        table = [process for process in all_processes() if not process.is_dead]
        found = _closure({process.pid for process in table if _is_marked(process.pid, identity)}, table)
        found.discard(os.getpid())
        if found or time.monotonic() > deadline or not any(process.is_executing() for process in table):
            return sorted(found)
        time.sleep(PAUSE)


def _is_marked(pid: int, identity: str) -> bool:
    return (variable(pid, MARKER) or "").partition("/")[0] == identity


def _closure(found: set[int], table: Sequence[Process]) -> set[int]:
    """Add descendants, and the sessions that one of them leads."""
    while True:
        led = {process.session for process in table if process.pid in found and process.session in found}
        more = {p.pid for p in table if (p.parent in found or p.session in led) and p.pid not in found}
        if not more:
            return found
        found |= more


def kill(pid: int, signum: int) -> bool:
    """Send a signal; False if it may not be sent. A process that is gone has had it, as it were."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def end_all(search: Callable[[], Iterable[int]], patience: float, reap: Callable[[], None] = lambda: None) -> Ended:
    """Kill what `search` finds until it finds nobody; give up after `patience` seconds (rules 1 to 3)."""
    ended = Ended()
    calm, pause, before = 0, PAUSE, [0]
    deadline = time.monotonic() + patience
    while calm < CALM and time.monotonic() < deadline:
        found = sorted(search())
        killed = [pid for pid in found if kill(pid, signal.SIGKILL)]
        ended.killed.update(killed)
        reap()
        if found and not killed and patience < FOREVER:
            break
        calm = 0 if found else calm + 1
        pause = min(2 * pause, SLOW) if found == before else PAUSE
        before = found
        time.sleep(pause if calm < CALM else 0)
    ended.complete = calm == CALM
    return ended


class Ended:
    """What end_all() did."""

    def __init__(self) -> None:
        self.killed: set[int] = set()
        self.complete = False
