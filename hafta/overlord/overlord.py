"""The overlord itself: puts the parts together, takes signals, the dead and notifications, and ends in order.

Decisions are elsewhere: what a unit does in table.py, who waits for whom in order.py, what Restart= means in
restart.py.
"""

from __future__ import annotations

import gc
import os
import signal
from itertools import islice

from hafta import exits
from hafta.errors import HaftaError
from hafta.journal.overlord_events import OrphansKilled, OverlordStarted, OverlordStopped, in_run
from hafta.journal.reporter import Reporter
from hafta.overlord.console import OVERLORD, choose, short
from hafta.overlord.control.desk import Desk
from hafta.overlord.control.door import Door
from hafta.overlord.demonstration import arrange
from hafta.overlord.director import Director
from hafta.overlord.dirs import remove_links
from hafta.overlord.family import Family
from hafta.overlord.handover import Handover
from hafta.overlord.inquiry import Inquiries
from hafta.overlord.intake import take_in
from hafta.overlord.introduction import introduce, states
from hafta.overlord.notifications import AT_ONCE, QUEUED, Hearing, NotifySocket
from hafta.overlord.plan import extend, with_samples
from hafta.overlord.recording import Recording
from hafta.overlord.socket_runner import make_runner
from hafta.overlord.spawn import make_runtime_directories, spawn
from hafta.overlord.store import Stores
from hafta.overlord.sweep import Lookout, is_swept, is_whole, restore
from hafta.overlord.table import RESTING, STARTING, State
from hafta.overlord.trash import Trash
from hafta.process import prctl
from hafta.process.loop import Loop
from hafta.process.table import end_all
from hafta.units.restart import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafta.journal.event import Event as JournalEvent
    from hafta.overlord.child import Child, Launch
    from hafta.overlord.console import Console
    from hafta.overlord.estate import Estate
    from hafta.overlord.keeper import Keeper
    from hafta.overlord.lines import Line
    from hafta.overlord.plan import Plan
    from hafta.overlord.runner import Runner
    from hafta.overlord.table import Happening
    from hafta.units.folders import Folder
    from hafta.units.roots import Roots
    from hafta.units.unit import Unit

END_PATIENCE = 10.0  # seconds for what survives SIGKILL, before it is left to the keeper
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGRTMIN + 3)
KEEPER_RETRY = 1.0  # seconds
SCANS = (0.1, 1.0, 10.0)  # seconds from a start to the looks at what it has started, each from the one before
BURIALS = 1000  # at once
FINAL_FLUSH = 1.0  # seconds for a reader of our output that is slow


class Overlord:
    """Runs units until they have ended or somebody stops it."""

    def __init__(
        self, plan: Plan, estate: Estate, keeper: Keeper, notifications: NotifySocket, console: Console
    ) -> None:
        self.loop = Loop(self._take_signal, self._forgive_gap)
        self.roots: Roots = plan.roots
        self.environ = plan.environ
        self.identity = estate.identity
        self.notify_path = notifications.path
        self.killing = False
        self._plan = plan
        self._estate = estate
        self._keeper = keeper
        self._notifications = notifications
        self._console = console
        self._reporter = Reporter(choose(plan.environ, console), self.loop.now)
        self._reason = ""
        self._lookout = Lookout(self.loop, self._restore)
        self._manager = Director(plan.units, self.report, Inquiries(self.loop).ask, self.make)
        self._family = Family(self.identity, self._manager.runners, lambda: keeper.pid, estate.roll, estate.cgroup)
        self._trash = Trash(self.roots.runtime, os.path.join(estate.own, "gone"), self.loop)
        stores = Stores(self.loop, self.note)
        self._hearing = Hearing(self.post, self._take_main, self.note, self._note_errno, stores)
        self.handover = Handover(self._manager, plan, self.make, stores)
        desk = Desk(self._manager, plan, self.loop, self)
        self._control = Door(os.path.join(plan.own, "control"), desk, self.loop, self.note)
        self.recording = Recording(self._manager, self.note)
        self._manager.runners.update({name: make_runner(unit, self) for name, unit in plan.units.items()})
        console.introduce([short(name) for name in plan.units])

    def run(self) -> int:
        """Run until the end; return the exit status."""
        prctl.adopt_orphans()
        gc.freeze()  # what is there now stays: no search for garbage is to touch the pages that forks share
        self._listen()
        if self._plan.event_log:
            self.recording.open(self.roots.state)
            self.recording.listen(os.path.join(self._plan.own, "journal"), self.loop, self._family.sender)
        self.report(OverlordStarted(len(self._plan.units)))
        introduce(self._plan.introduced, self._plan.notes, self.report, self.note)
        try:
            self._manager.start_all(but=self._plan.on_demand)
            self._settle()
            while not self._manager.is_finished or self._control.desk.keeps:
                self.loop.turn()
                self._settle()
        finally:
            complete = self._end()
        if not complete:
            return exits.TIMED_OUT
        failed = any(runner.state is State.FAILED for runner in self._manager.runners.values())
        return exits.FAILED if failed and not self._manager.stopping else exits.OK

    def _listen(self) -> None:
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup: the terminal is not to matter
        stops = [signum for signum in STOP_SIGNALS if not (ignored and signum == signal.SIGHUP)]
        self.loop.listen((*stops, signal.SIGCHLD, signal.SIGUSR1))
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a terminal that stops background writers must not stop us
        self.loop.watch(self._notifications, self._hear)
        self._control.open()
        if is_swept(self.roots.runtime):
            self._lookout.watch(self._estate)
        arrange(self._plan.demonstration, self._manager, self.loop, self.note, self._stop)

    # What runners ask for (context.py)

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """The limit of open files that we had before we raised our own."""
        return self._plan.descriptors

    def post(self, runner: Runner, event: Happening) -> None:
        """Queue an event for a unit."""
        self._manager.post(runner, event)

    def report(self, event: JournalEvent) -> None:
        """Report an event; that of a unit with the run in which it happened."""
        event = in_run(event, self.invocation)
        self._reporter.report(event)
        self.recording.report(event)

    def show(self, runner: Runner, line: Line) -> None:
        """Show a line of a unit's output."""
        self._console.show(short(runner.name), line.text, line.priority, "+" if line.continues else "|")
        self.recording.line(runner, line)

    def note(self, text: str) -> None:
        """Say something that is not an event."""
        self._console.show(OVERLORD, text)

    def members(self, name: str) -> list[int]:
        """Return the processes of a unit."""
        return self._family.members(name)

    @property
    def is_unsure(self) -> bool:
        """Whether it will be known in a moment only whose process something is."""
        return self._family.is_open

    def refresh(self) -> None:
        """Have processes that came meanwhile be seen."""
        self._family.refresh()

    def spawn(self, name: str, launch: Launch) -> Child:
        """Start a process of a unit. Raises OSError."""
        return spawn(launch, self._family.expect(name), self._keeper)

    # What the desk asks for (control/host.py)

    def make(self, unit: Unit) -> Runner:
        """Return a runner for a unit, at rest."""
        return make_runner(unit, self)

    def take_in(self, name: str) -> None:
        """Run one more unit, and what it pulls in. Raises HaftaError or OSError."""
        running = {each: runner.unit for each, runner in self._manager.runners.items()}
        units, notes = extend(self._plan, running, name)
        self.note_estate(units)
        self._manager.enlarge(units)
        introduce(with_samples(units.values()), notes, self.report, self.note)

    def note_estate(self, units: Mapping[str, Unit]) -> None:
        """Lock units, and note what is to be cleared away of them. Raises HaftaError or OSError."""
        self._estate = take_in(self._estate, self._keeper, self.roots, units)

    def invocation(self, name: str) -> str:
        """Return the id of this run of a unit."""
        return self._manager.history.of(name).invocation

    def _note_errno(self, name: str, number: int) -> None:
        self._manager.history.of(name).errno = number

    def born(self, name: str, pid: int) -> None:
        """Note a main process that has been forked, and look in a while what it has started."""
        self._family.born(name, pid)
        self._family.refresh()
        self._scan_after(list(SCANS))

    def _scan_after(self, delays: list[float]) -> None:
        def scan() -> None:
            self._family.scan()
            self._scan_after(delays[1:])

        if delays:
            self.loop.set_timer(("scan", ""), delays[0], scan)

    def adopt(self, runner: Runner, pid: int, *, claim: bool = False) -> str:
        """Take a process for a unit's main one, by `claim` also one of which nothing is known; say why not in words."""
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return f"process {pid}, which does not exist"
        self._family.refresh()
        if self._family.owner(pid) != runner.name and not (claim and self._family.claim(runner.name, pid)):
            os.close(fd)
            return f"process {pid}, which is not one of its processes"
        runner.adopt(pid, fd, lambda: self._adopted_ended(runner, pid))
        return ""

    def orphans(self, runner: Runner) -> list[int]:
        """Return what a unit has left behind that went to the background: its processes that are our children."""
        others = [other for other in self._manager.runners.values() if other is not runner]
        if not any(other.unit.policy.type == "forking" and other.state in STARTING for other in others):
            self._family.take_in(runner.name)
        return self._family.orphans(runner.name)

    def kill_all_of(self, name: str) -> None:
        """End all processes of a unit at once, where that can be done."""
        self._family.kill(name)

    def remove_directory(self, name: str, links: Sequence[Folder]) -> None:
        """Remove a runtime directory and the links to it."""
        remove_links(self.roots.runtime, links)
        self._trash.remove(name)

    def is_used(self, directory: str, but: Runner) -> bool:
        """Tell whether another unit that is not at rest has this runtime directory."""
        others = [runner for runner in self._manager.runners.values() if runner is not but]
        users = [runner for runner in others if directory in runner.unit.directories.runtime.names]
        return any(runner.state not in RESTING for runner in users)

    def extra_for(self, name: str) -> Mapping[str, str]:
        """Return what --set adds to a unit's environment."""
        return {**self._manager.monitored(name), **self._plan.extra_for(name)}

    # What the loop calls

    def _settle(self) -> None:
        if not self._manager.settle():
            self.loop.set_timer(("settle", ""), 0.0, lambda: None)  # the loop comes back here behind each turn
        self._family.refresh()
        self.loop.set_timer(("reporter", ""), self._reporter.due - self.loop.now(), self._reporter.tick)
        self.handover.idle.settled(starting=self._manager.is_starting)
        self._control.desk.settled()
        self.recording.settled()
        self._console.flush_in(self.loop)

    def _take_signal(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            self._bury()
        elif signum == signal.SIGUSR1:
            for text in states(self._manager.runners.values()):
                self.note(text)
        elif signum == signal.SIGQUIT or (signum == signal.SIGINT and self._manager.stopping):
            self.note("ending at once")
            self._stop(signal.Signals(signum).name)
            self.killing = True
            self._manager.kill_all()
        else:
            if signum == signal.SIGINT:
                self.note("stopping all in order; a second Ctrl-C ends all at once")
            self._stop(f"signal {signum}" if signum > signal.SIGRTMIN else signal.Signals(signum).name)

    def _stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._manager.stop_all()

    def _forgive_gap(self, seconds: float) -> None:
        self.note(f"the overlord was suspended for {seconds:.1f} s: all watchdog timers restarted")
        for runner in self._manager.runners.values():
            runner.feed()

    def _bury(self) -> None:
        """Reap, after hearing what the dead have said last; then see what that means.

        Only a limited number at once: other work gets its turn, even while something forks for ever.
        """
        dead = list(islice(self._family.reap(lambda: self._hear(QUEUED)), BURIALS))
        if len(dead) == BURIALS:
            self.loop.set_timer(("bury", ""), 0.0, self._bury)
        self._family.refresh()
        for pid, status, name in dead:
            self.recording.buried(pid, name)
            if pid == self._keeper.pid:
                self._keeper.lost()
                self._renew_keeper()
            else:
                self._buried(pid, name, Outcome.of(status))
        self._manager.look()

    def _buried(self, pid: int, name: str, outcome: Outcome) -> None:
        runners = self._manager.runners
        for runner in (runners[name],) if name in runners else runners.values():
            if runner.main == pid:
                runner.read_execution()
                self._manager.drain()  # READY=1, or the program, came before the end
                self._manager.exited(runner, outcome)
            elif runner.control == pid:
                self._manager.drain()
                self._manager.control_exited(runner, outcome)

    def _renew_keeper(self) -> None:
        try:
            self._keeper.renew()
        except OSError as error:
            self.note(f"the keeper died, and there can be no new one yet: {error.strerror}")
            self.loop.set_timer(("keeper", ""), KEEPER_RETRY, self._renew_keeper)
        else:
            self.note("the keeper died: there is a new one")

    def _restore(self) -> None:
        """Make once more what a sweep has taken (sweep.py)."""
        is_there = is_whole(self._estate, self._notifications.path, self._notifications.inode)
        if is_there and self._control.is_whole and self.recording.is_whole:
            return
        try:
            self._estate = restore(self._estate, 0o711 if os.geteuid() == 0 else 0o700)
            self._keeper.entrust(self._estate)
            self._listen_again()
        except (OSError, HaftaError) as error:
            self.note(f"files of {self.roots.control} were removed and cannot be made again: {error}")
        else:
            hint = "set XDG_RUNTIME_DIR or --runtime-dir to a place that is not cleaned"
            self.note(f"files of {self.roots.control} were removed: made them again; {hint}")
        self._lookout.watch(self._estate)

    def _listen_again(self) -> None:
        """Have a new notify socket if the path of the old one is gone, and the runtime directories of what is up."""
        old = self._notifications
        if not os.path.lexists(old.path):
            self._hear(QUEUED)
            self._notifications = NotifySocket(old.path, old.mode)
            self.loop.forget(old)
            old.close()
            self.loop.watch(self._notifications, self._hear)
        self._control.renew()
        if not self.recording.is_whole:
            self.recording.listen(self.recording.path, self.loop, self._family.sender)
        for runner in self._manager.runners.values():
            if runner.state not in RESTING:
                make_runtime_directories(runner.unit, self.roots.runtime)

    def _hear(self, most: int = AT_ONCE) -> None:
        self._hearing.hear(self._notifications, most, self._speaker)

    def _speaker(self, pid: int) -> Runner | None:
        return self._manager.runners.get(self._family.owner(pid)) if pid else None

    def _take_main(self, runner: Runner, pid: int) -> None:
        """Take MAINPID=."""
        if self.adopt(runner, pid):
            self.note(f"{runner.name}: MAINPID={pid} is none of its processes")

    def _adopted_ended(self, runner: Runner, pid: int) -> None:
        self._bury()
        if runner.main == pid:  # somebody else has reaped it, so how it ended is not known
            self._manager.exited(runner, Outcome())

    def _end(self) -> bool:
        """End all processes that are left, remove what is ours; False if one survives: it is left to the keeper."""
        everyone = self._family.everyone_and(self._estate.search(), but=self._keeper.pid)
        ended = end_all(everyone, END_PATIENCE, self._family.reap_all)
        if ended.killed:
            self.report(OrphansKilled(len(ended.killed)))
        if survivors := [str(pid) for pid in everyone()]:
            self.note(f"cannot end process {', '.join(survivors)}: the keeper goes on trying")
        self.report(OverlordStopped(self._reason or "all units have ended"))
        self._control.close()
        self.recording.close()
        self._reporter.close()
        self._console.finish(FINAL_FLUSH)
        self._lookout.close()
        self._notifications.close()
        self.loop.close()
        if survivors:
            return False
        self._estate.clear()
        self._keeper.dismiss()
        self._estate.release()
        return True
