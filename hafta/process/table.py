"""The processes in /proc: descendants, and the processes of an overlord, even if their parents are dead.

Rules for ending all of an overlord's processes (`Search`, `end_all`):
1. A process belongs to the overlord in three cases: it is in a session that the overlord has begun or seen (`Session`);
   its environment carries the overlord's id; it descends from such a process, or is in a session that one leads. A
   process that we kill may have forked a moment before. So the search is repeated until it finds nothing, CALM times
   in a row.
2. A session keeps its number when its leader is dead, so what is known about it stays useful after the leader was
   killed. If a leader began at another time, it belongs to another program: then the session is not ours.
3. A process in the middle of execve(2) shows neither environment nor command line; nor does a process that hides them.
   It is not killed on suspicion. Instead, a search that finds nothing is repeated while there is such a process, for
   at most EXECUTING seconds, and only once for each such process.
4. A process that began before the overlord does not belong to it.
5. With FOREVER as patience we also wait for a process that we may not kill (it changed its user). Otherwise it is left.
"""

from __future__ import annotations

import os
import signal
import time

from hafta.frozen import Frozen
from hafta.process.stat import bytes_of, read_process, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from hafta.process.stat import Process

#: Carries ID/UNIT: a process that has it in its environment belongs to that overlord, and ends with it.
MARKER = "HAFTA_OVERLORD"
CALM = 3
PAUSE = 0.005  # seconds between two searches
SLOW = 0.5  # the same, if each search finds the same processes
EXECUTING = 0.1  # seconds
FOREVER = float("inf")


class Session(Frozen):
    """A session: its number, and when its leader began, or the first process that was seen in it."""

    number: int
    started: int


def all_processes() -> list[Process]:
    """Return the processes that can be seen."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [process for pid in pids if (process := read_process(pid))]


def children(pid: int) -> list[int]:
    """Return the children of a process, from all of its threads.

    If the list changes while it is read, the kernel may skip a child. So it is read twice.
    """
    return sorted(map(int, children_in_text(pid).split()))


def children_in_text(pid: int) -> bytes:
    """Return the same as the kernel writes it: to compare that with an earlier one costs less than numbers."""
    first, second = _children(pid), _children(pid)
    return first if first == second else b" ".join({*first.split(), *second.split()})


def _children(pid: int) -> bytes:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return b""
    found = [bytes_of(pid, f"task/{thread}/children") for thread in threads]
    if None in found and not _has_lists():
        return b" ".join(b"%d" % process.pid for process in all_processes() if process.parent == pid)
    return b" ".join(filter(None, found))


def _has_lists() -> bool:
    """Tell whether the kernel lists children (CONFIG_PROC_CHILDREN)."""
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found: dict[int, None] = {}
    to_ask = [pid]
    while to_ask:
        fresh = [child for child in children(to_ask.pop()) if child not in found]
        found.update(dict.fromkeys(fresh))
        to_ask += fresh
    return list(found)


class Search:
    """Finds the living processes of an overlord (rules 1 to 4), except ourselves. May be called repeatedly."""

    def __init__(self, identity: str, sessions: Callable[[], Iterable[Session]] = tuple, since: int = 0) -> None:
        self._identity = identity
        self._sessions = sessions
        self._since = since
        self._doubted: set[tuple[int, int]] = set()  # rule 3

    def __call__(self) -> list[int]:
        """Return their pids, in order."""
        deadline = time.monotonic() + EXECUTING
        while True:
            everybody = all_processes()
            table = [each for each in everybody if not each.is_dead and each.started >= self._since]
            found = _closure({*self._in_sessions(everybody), *self._marked(table)}, table)
            found.discard(os.getpid())
            doubtful = [] if found else [p for p in table if p.key not in self._doubted and p.is_executing()]
            if not doubtful or time.monotonic() > deadline:
                self._doubted.update(process.key for process in doubtful)
                return sorted(found)
            time.sleep(PAUSE)

    def _in_sessions(self, everybody: Collection[Process]) -> Iterator[int]:
        began = {process.pid: process.started for process in everybody}
        ours = {each.number: each.started for each in self._sessions()}
        ours = {number: start for number, start in ours.items() if began.get(number, start) == start}  # rule 2
        for process in everybody:
            if not process.is_dead and process.started >= ours.get(process.session, process.started + 1):
                yield process.pid

    def _marked(self, table: Sequence[Process]) -> Iterator[int]:
        for process in table:
            if (variable(process.pid, MARKER) or "").partition("/")[0] == self._identity:
                yield process.pid


def _closure(found: set[int], table: Sequence[Process]) -> set[int]:
    """Add the descendants, and the sessions that one of the processes leads."""
    below: dict[int, list[Process]] = {}
    inside: dict[int, list[Process]] = {}
    for process in table:
        below.setdefault(process.parent, []).append(process)
        inside.setdefault(process.session, []).append(process)
    leads = {process.pid for process in table if process.pid == process.session}
    to_ask = list(found)
    while to_ask:
        pid = to_ask.pop()
        near = (*below.get(pid, ()), *(inside[pid] if pid in leads else ()))
        fresh = {process.pid for process in near} - found
        found |= fresh
        to_ask += fresh
    return found


def kill(pid: int, signum: int) -> bool:
    """Send a signal; False if we may not. For a process that is gone, True."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def end_all(search: Callable[[], Iterable[int]], patience: float, reap: Callable[[], None] = lambda: None) -> Ended:
    """Kill what `search` finds until it finds nothing; give up after `patience` seconds (rules 1 and 5)."""
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
