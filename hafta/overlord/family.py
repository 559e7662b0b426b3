"""Which process belongs to which unit. The overlord is a subreaper: all that its units start stays below it.

Rules: what the kernel says comes first, and what a process says of itself last.
1. A process belongs to the unit whose main process it is, or descends from.
2. An orphan, whose parents are gone, is a child of the overlord. It belongs to the unit in whose cgroup it is, where we
   have cgroups; else to the unit under which it was seen when its parents lived; else to the unit whose main process,
   the present one or an earlier one, has begun its session, or one of whose processes was seen in it, or died in it.
3. An orphan that was never seen, in a session that was never seen, belongs to the unit that its environment names, but
   only if it runs as the user of that unit. Of a unit of root it may be any user but those of other units.
4. A child in the middle of execve(2) shows no environment. Whose it is stays open for EXECUTING seconds, in which no
   unit counts as empty; nobody waits for it. A process that hides its environment does so once and is nobody's then.
5. A process that none of this finds belongs to no unit, and ends with the overlord. But a daemon may clean its
   environment (postfix) or write its title over it (nginx). So where ExecStart= of Type=forking has ended, a child of
   ours that has begun since ExecStart= and runs as the user of that unit is taken for the unit's (`take_in`), if no
   other such unit is just starting; and it is the unit's if its PID file says so (`claim`).

`scan` looks at all descendants and remembers them (rule 2), and puts the sessions that our processes have begun on the
roll, where the keeper finds them (roll.py).
"""

from __future__ import annotations

import os
import time

from hafta.overlord.roll import Berth
from hafta.process.stat import bytes_of, read_process, users_of
from hafta.process.table import MARKER, Session, children, children_in_text, descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hafta.overlord.roll import Roll
    from hafta.overlord.runner import Runner
    from hafta.process.cgroup import Cgroup
    from hafta.process.stat import Process

EXECUTING = 0.1  # seconds that an execve(2) may last before its process is taken for nobody's


class _Owners:
    """The units of our children, both ways. A number is not used again before we have reaped its process."""

    def __init__(self) -> None:
        self._units: dict[int, str] = {}
        self._children: dict[str, set[int]] = {}
        self._new: set[int] = set()

    def __contains__(self, pid: int) -> bool:
        return pid in self._units

    def __getitem__(self, pid: int) -> str:
        return self._units[pid]

    def get(self, pid: int) -> str:
        """Return the unit of a child, empty if that is not known."""
        return self._units.get(pid, "")

    def __setitem__(self, pid: int, name: str) -> None:
        self.pop(pid)
        self._units[pid] = name
        self._children.setdefault(name, set()).add(pid)

    def pop(self, pid: int) -> str:
        """Forget a child; return its unit, empty if that was not known."""
        name = self._units.pop(pid, "")
        if several := self._children.get(name):
            several.discard(pid)
            if not several:
                del self._children[name]
        return name

    def note(self, children: Iterable[int]) -> None:
        """Take note of the children that there are now."""
        self._new = set(children).difference(self._units)

    def missing(self) -> set[int]:
        """Return those of them of which it is not known whose they are."""
        return self._new.difference(self._units)  # unlike `-`, this does not go through all that are known

    def of(self, name: str) -> list[int]:
        """Return the children of a unit."""
        return sorted(self._children.get(name, ()))


class _Memory:
    """What is known of processes from when their parents lived (rule 2)."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, int], str] = {}  # descendants, by number and start -> unit
        self.sessions: dict[int, tuple[str, int]] = {}  # number -> unit, start
        self.latest: dict[str, int] = {}  # unit -> when the last process that was started for it began


class _Listing:
    """Our children that are neither the keeper nor strangers.

    The kernel lists all of them, which costs what there are. So it is asked only when `is_stale`, and what it has said
    is gone through only when that has changed.
    """

    def __init__(self, keeper: Callable[[], int]) -> None:
        self._keeper = keeper
        #: Children that the overlord had before it was one: a shell's, before exec. Not the keeper: when that has died,
        #: another process may have its number.
        self.strangers = frozenset(children(os.getpid())) - {keeper()}
        self._listed = (b"", 0)
        self.found: list[int] = []
        self.is_stale = True

    def look(self) -> bool:
        """Bring it up to date; return whether that has changed it."""
        if not self.is_stale:
            return False
        self.is_stale = False
        before, self._listed = self._listed, (children_in_text(os.getpid()), self._keeper())
        if self._listed == before:
            return False
        others = {self._keeper(), *self.strangers}
        self.found = [child for child in map(int, self._listed[0].split()) if child not in others]
        return True

    def forget(self) -> None:
        """Take the next list for another one in any case: a number that has been reaped may stand in it again."""
        self._listed = (b"", 0)


class Family:
    """Looks at the overlord's descendants; `keeper` returns the pid of the one that belongs to no service."""

    def __init__(
        self,
        identity: str,
        runners: Mapping[str, Runner],
        keeper: Callable[[], int],
        roll: Roll,
        cgroup: Cgroup | None = None,
    ) -> None:
        self._identity = identity
        self._runners = runners
        self._roll = roll
        self._cgroup = cgroup
        self.listing = _Listing(keeper)
        self._owners = _Owners()
        self._memory = _Memory()
        self._open: dict[tuple[int, int], float] = {}  # rule 4: since when

    # What the overlord's runners tell

    def expect(self, name: str) -> Berth:
        """Return a place for a process that is about to be forked."""
        if self._cgroup is None:
            return Berth(self._roll, -1)
        folder = self._cgroup.open_unit(name)
        return Berth(self._roll, folder, moves=not self._cgroup.may_fork_into(name))

    def born(self, name: str, pid: int) -> None:
        """Note a process that has been forked, and the session that it leads."""
        self._owners[pid] = name
        if process := read_process(pid):
            self._memory.sessions[pid] = (name, process.started)
            self._memory.latest[name] = process.started

    def scan(self) -> None:
        """Look at all descendants while their parents live, and forget those that are gone."""
        self.refresh()
        seen: dict[tuple[int, int], str] = {}
        live: dict[int, tuple[str, int]] = {}
        for child in self.own_children():
            name = self._owner_of_child(child)
            for pid in (child, *descendants(child)) if name else ():
                if process := read_process(pid):
                    seen[process.key] = name
                    self._note_session(process, name, live)
        for number in self._memory.sessions.keys() - live.keys():
            self._roll.strike(number)
        self._memory.seen, self._memory.sessions = seen, live

    def _note_session(self, process: Process, name: str, live: dict[int, tuple[str, int]]) -> None:
        number = process.session
        if number == os.getsid(0):  # a child that has not come as far as its setsid(2) yet: this session is ours
            return
        if number not in live:
            live[number] = self._memory.sessions.get(number, (name, process.started))
        if number not in self._memory.sessions:
            self._roll.add(Session(number, live[number][1]))

    # What they ask

    def members(self, name: str) -> list[int]:
        """Return the processes of a unit."""
        self.own_children()
        for child in self._owners.missing():
            self._owner_of_child(child)
        return [pid for child in self._owners.of(name) for pid in (child, *descendants(child))]

    @property
    def is_open(self) -> bool:
        """Whether there is a process of which we may soon know whose it is (rule 4)."""
        return any(time.monotonic() - since < EXECUTING for since in self._open.values())

    def kill(self, name: str) -> None:
        """End all of a unit at once, where we have cgroups."""
        if self._cgroup:
            self._cgroup.kill(name)

    def refresh(self) -> None:
        """Have the children listed again when they are asked for: one may have come.

        Between two calls only what is known already can change: a process that is counted is there until it is reaped.
        """
        self.listing.is_stale = True

    def own_children(self) -> list[int]:
        """Return our children without the keeper and the strangers."""
        if self.listing.look():
            self._owners.note(self.listing.found)
        return self.listing.found

    def everyone(self) -> list[int]:
        """Return all descendants that live, without the keeper and the strangers."""
        self.refresh()
        found = [pid for child in self.own_children() for pid in (child, *descendants(child))]
        return [pid for pid in found if (process := read_process(pid)) and not process.is_dead]

    def everyone_and(self, search: Callable[[], list[int]], but: int) -> Callable[[], list[int]]:
        """Return a search for all that is left: our descendants, and what another search finds, without one process."""

        def find() -> list[int]:
            return sorted({*self.everyone(), *(pid for pid in search() if pid != but)})

        return find

    def orphans(self, name: str) -> list[int]:
        """Return the children of ours that are of a unit."""
        return self._live_children(name)

    def unknown(self, name: str) -> list[int]:
        """Return the children of ours that are of no unit, as far as we know, and may be of this one (rule 5)."""
        runner = self._runners[name]
        found = ((pid, read_process(pid)) for pid in self._live_children(""))
        return [pid for pid, process in found if process and self._may_be_of(runner, process)]

    def _live_children(self, name: str) -> list[int]:
        self.refresh()
        found = [pid for pid in self.own_children() if self._owner_of_child(pid) == name]
        return [pid for pid in found if (process := read_process(pid)) and not process.is_dead]

    def take_in(self, name: str) -> None:
        """Take the processes of which nothing is known for those of a unit that has just gone to the background."""
        for pid in self.unknown(name):
            process = read_process(pid)
            if process and process.started >= self._memory.latest.get(name, 0):
                self.claim(name, pid)

    def claim(self, name: str, pid: int) -> bool:
        """Take a process of which nothing is known for one of a unit; False if it cannot be (rule 5)."""
        if pid not in self.unknown(name):
            return False
        self._owners[pid] = name
        self._remember_session(pid, name)
        return True

    def _remember_session(self, pid: int, name: str) -> None:
        process = read_process(pid)
        if process and process.session != os.getsid(0) and process.session not in self._memory.sessions:
            self._memory.sessions[process.session] = (name, process.started)
            self._roll.add(Session(process.session, process.started))
            for nobodys in self._owners.of(""):  # one may have been asked about too early
                other = read_process(nobodys)
                if other and other.session == process.session and other.started >= process.started:
                    self._owners[nobodys] = name

    def sender(self, pid: int) -> str:
        """Return the unit of a process that has just sent something: of a child, without asking the kernel."""
        return self._owners[pid] if pid in self._owners else self.owner(pid)

    def owner(self, pid: int) -> str:
        """Return the unit of a process; empty for none."""
        us = os.getpid()
        while True:
            process = read_process(pid)
            if process is None or process.parent in {0, pid}:
                return ""
            if process.parent == us:
                return self._owner_of_child(pid)
            pid = process.parent

    def _owner_of_child(self, pid: int) -> str:
        if pid not in self._owners:
            process = read_process(pid)
            if process is None:
                return ""
            found = self._known(process) or self._named(process)
            if found is None:
                return ""  # rule 4: it will be asked again
            self._owners[pid] = found
        return self._owners[pid]

    def _known(self, process: Process) -> str:
        """Return the unit that the kernel knows it by (rules 1 and 2)."""
        for name, runner in self._runners.items():
            if process.pid == runner.main:
                return name
        if self._cgroup and (name := self._cgroup.unit_of(process.pid)) in self._runners:
            return name
        if name := self._memory.seen.get(process.key, ""):
            return name
        name, began = self._memory.sessions.get(process.session, ("", 0))
        return name if process.started >= began else ""

    def _named(self, process: Process) -> str | None:
        """Return the unit that it says it belongs to (rule 3); None while that is open (rule 4)."""
        environment = bytes_of(process.pid, "environ")
        if environment == b"" and not process.is_dead and process.is_executing():
            since = self._open.setdefault(process.key, time.monotonic())
            if time.monotonic() - since < EXECUTING:
                return None
        self._open.pop(process.key, None)
        mark = f"{MARKER}={self._identity}/".encode()
        words = (environment or b"").split(b"\0")
        name = next((os.fsdecode(word[len(mark) :]) for word in words if word.startswith(mark)), "")
        runner = self._runners.get(name)
        return name if runner and self._may_be_of(runner, process) else ""

    def _may_be_of(self, runner: Runner, process: Process) -> bool:
        users = users_of(process.pid)
        if runner.uid:
            return users <= {runner.uid, 0}
        return not users & {other.uid for other in self._runners.values() if other.uid}

    def reap(self, hear: Callable[[], None] = lambda: None) -> Iterator[tuple[int, int, str]]:
        """Give pid, status and unit of each child that has ended; before it is reaped, `hear` what it has said last.

        The unit is empty where nobody has asked whose child it is.
        """
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            hear()
            if name := self._owners.get(dead.si_pid):
                # What it leaves behind is known by its session, which it may have begun after the last scan.
                self._remember_session(dead.si_pid, name)
            pid, status = os.waitpid(dead.si_pid, 0)
            self.listing.forget()
            yield pid, status, self._owners.pop(pid)

    def reap_all(self) -> None:
        """Reap all that have ended, when nobody asks any more who they were."""
        for _ in self.reap():
            pass
