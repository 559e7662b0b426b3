"""The overlord itself: puts the parts together, takes signals, the dead and notifications, and ends in order.

Decisions are elsewhere: what a unit does in table.py, who waits for whom in order.py, what Restart= means in
restart.py.
"""

from __future__ import annotations

import os
import signal

from hafta import exits
from hafta.journal.choose import choose_sink
from hafta.journal.entry import printable
from hafta.journal.overlord_events import (
    DirectiveIgnored,
    OrphansKilled,
    OverlordStarted,
    OverlordStopped,
    SandboxIgnored,
)
from hafta.journal.reporter import Reporter
from hafta.overlord import prctl
from hafta.overlord.console import OVERLORD, ConsoleSink
from hafta.overlord.family import Family
from hafta.overlord.hear import Hearing
from hafta.overlord.loop import Loop
from hafta.overlord.manager import Manager
from hafta.overlord.notifications import AT_ONCE, QUEUED
from hafta.overlord.processes import belonging, end_all, kill
from hafta.overlord.restart import Outcome
from hafta.overlord.runner import Runner
from hafta.overlord.table import RESTING, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.journal.event import Event as JournalEvent
    from hafta.journal.sink import Sink
    from hafta.overlord.console import Console
    from hafta.overlord.dirs import Roots
    from hafta.overlord.keeper import Estate, Keeper
    from hafta.overlord.lines import Line
    from hafta.overlord.notifications import NotifySocket
    from hafta.overlord.plan import Plan
    from hafta.overlord.table import Event

END_PATIENCE = 10.0  # seconds for what survives SIGKILL, before it is left to the keeper
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGRTMIN + 3)
KEEPER_RETRY = 1.0  # seconds
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
        self._showing = False
        self._manager = Manager(plan.units, self.report)
        self._family = Family(self.identity, self._manager.runners, lambda: keeper.pid)
        self._hearing = Hearing(self.post, self._adopt, self.note)
        self._manager.runners.update({name: Runner(unit, self) for name, unit in plan.units.items()})
        console.introduce([short(name) for name in plan.units])

    def run(self) -> int:
        """Run until the end; return the exit status."""
        prctl.adopt_orphans()
        self._listen()
        self._introduce()
        try:
            self._manager.start_all()
            self._settle()
            while not self._manager.is_finished:
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
        signal.signal(
            signal.SIGTTOU, signal.SIG_IGN
        )  # a terminal that stops writers in the background must not stop us
        self.loop.watch(self._notifications, self._hear)
        if self._plan.duration:
            why = f"it has run for {self._plan.duration:g} s (--for)"
            self.loop.set_timer(("for", ""), self._plan.duration, lambda: self._stop(why))
        for name, seconds in self._plan.kills.items():
            self._plan_kill(name, seconds)

    def _introduce(self) -> None:
        self.report(OverlordStarted(len(self._plan.units)))
        for text in self._plan.notes:
            self.note(text)
        open_ones = [unit for unit in self._plan.units.values() if unit.sandbox]
        if directives := sorted({f"{name}=" for unit in open_ones for name in unit.sandbox}):
            self.report(SandboxIgnored(", ".join(unit.name for unit in open_ones), " ".join(directives)))
        for unit in self._plan.units.values():
            for text in unit.notes:
                self.note(f"{unit.name}: {text}")
            for unheeded in unit.unheeded:
                self.report(DirectiveIgnored(unit.name, unheeded.directive, unheeded.line))

    # What runners ask for (context.py)

    def post(self, runner: Runner, event: Event) -> None:
        """Queue an event for a unit."""
        self._manager.post(runner, event)

    def report(self, event: JournalEvent) -> None:
        """Report an event."""
        self._reporter.report(event)

    def show(self, runner: Runner, line: Line) -> None:
        """Show a line of a unit's output."""
        self._console.show(short(runner.name), line.text, line.priority, "+" if line.continues else "|")

    def note(self, text: str) -> None:
        """Say something that is no event."""
        self._console.show(OVERLORD, printable(text))

    def members(self, name: str) -> list[int]:
        """Return the processes of a unit."""
        return self._family.members(name)

    def is_used(self, directory: str, but: Runner) -> bool:
        """Tell whether another unit that is not at rest has this runtime directory."""
        others = [runner for runner in self._manager.runners.values() if runner is not but]
        return any(directory in runner.unit.runtime_directory and runner.state not in RESTING for runner in others)

    def extra_for(self, name: str) -> Mapping[str, str]:
        """Return what --set adds to a unit's environment."""
        return {**self._plan.extras.get("", {}), **self._plan.extras.get(name, {})}

    # What the loop calls

    def _settle(self) -> None:
        self._manager.settle()
        self.loop.set_timer(("reporter", ""), self._reporter.due - self.loop.now(), self._reporter.tick)
        self._console.flush()
        if self._console.waiting is not self._showing:
            self._showing = self._console.waiting
            if self._showing:
                self.loop.watch(self._console, self._console.flush, write=True)
            else:
                self.loop.forget(self._console)

    def _take_signal(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            self._bury()
        elif signum == signal.SIGUSR1:
            self._show_states()
        elif signum == signal.SIGQUIT or (signum == signal.SIGINT and self._manager.stopping):
            self.note("ending at once")
            self._stop(signal.Signals(signum).name)
            self.killing = True
            self._manager.kill_all()
        else:
            self._stop(f"signal {signum}" if signum > signal.SIGRTMIN else signal.Signals(signum).name)

    def _stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._manager.stop_all()

    def _show_states(self) -> None:
        for runner in self._manager.runners.values():
            parts = (runner.state.value, f"process {runner.main}" if runner.main else "", runner.status)
            self.note(f"{runner.name}: {', '.join(filter(None, parts))}")

    def _forgive_gap(self, seconds: float) -> None:
        self.note(f"did not run for {seconds:.1f} s: every watchdog starts anew")
        for runner in self._manager.runners.values():
            runner.feed()

    def _bury(self) -> None:
        """Reap, after hearing what the dead have said last."""
        for pid, status in self._family.reap(lambda: self._hear(QUEUED)):
            if pid == self._keeper.pid:
                self._keeper.lost()
                self._renew_keeper()
            else:
                self._buried(pid, Outcome.of(status))
        self._manager.look()

    def _buried(self, pid: int, outcome: Outcome) -> None:
        for runner in self._manager.runners.values():
            if runner.main == pid:
                runner.read_execution()
                self._manager.settle()  # READY=1, or the program, came before the end
                self._manager.exited(runner, outcome)

    def _renew_keeper(self) -> None:
        try:
            self._keeper.start()
        except OSError as error:
            self.note(f"the keeper died, and there can be no new one yet: {error.strerror}")
            self.loop.set_timer(("keeper", ""), KEEPER_RETRY, self._renew_keeper)
        else:
            self.note("the keeper died: there is a new one")

    def _hear(self, most: int = AT_ONCE) -> None:
        for message in self._notifications.receive(most):
            runner = self._manager.runners.get(self._family.owner(message.pid)) if message.pid else None
            if runner:
                self._hearing.take(message, runner)

    def _adopt(self, runner: Runner, pid: int) -> None:
        """Take another main process (MAINPID=) if it is one of the unit's, and watch for its end."""
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return
        if self._family.owner(pid) != runner.name:
            os.close(fd)
            self.note(f"{runner.name}: MAINPID={pid} is none of its processes")
            return
        runner.adopt(pid, fd, lambda: self._adopted_ended(runner, pid))

    def _adopted_ended(self, runner: Runner, pid: int) -> None:
        self._bury()
        if runner.main == pid:  # somebody else has reaped it, so how it ended is not known
            self._manager.exited(runner, Outcome())

    def _plan_kill(self, name: str, seconds: float) -> None:
        jitter = 0.5 + int.from_bytes(os.urandom(2), "big") / 65536
        self.loop.set_timer(("kill", name), seconds * jitter, lambda: self._kill(name, seconds))

    def _kill(self, name: str, seconds: float) -> None:
        """Do what --kill asks for."""
        runner = self._manager.runners[name]
        if runner.main and not self._manager.stopping:
            self.note(f"kills {name}, process {runner.main} (--kill)")
            kill(runner.main, signal.SIGKILL)
        self._plan_kill(name, seconds)

    def _end(self) -> bool:
        """End whoever is left, remove what is ours; False if somebody survives, who is then left to the keeper."""
        ended = end_all(self._everyone, END_PATIENCE, self._family.reap_all)
        if ended.killed:
            self.report(OrphansKilled(len(ended.killed)))
        if survivors := [str(pid) for pid in self._everyone()]:
            self.note(f"cannot end process {', '.join(survivors)}: the keeper goes on trying")
        self.report(OverlordStopped(self._reason or "all units have ended"))
        self._reporter.close()
        self._console.finish(FINAL_FLUSH)
        self._notifications.close()
        self.loop.close()
        if survivors:
            return False
        self._estate.clear()
        self._keeper.dismiss()
        self._estate.release()
        return True

    def _everyone(self) -> list[int]:
        marked = [pid for pid in belonging(self.identity) if pid != self._keeper.pid]
        return sorted({*self._family.everyone(), *marked})


def short(name: str) -> str:
    """Return a unit's name as its lines show it."""
    return name.removesuffix(".service")


def choose(environ: Mapping[str, str], console: Console) -> Sink:
    """Return where the overlord's events go: the journal if our output leads there, else among the lines."""
    sink = choose_sink(environ)
    if sink.structured:
        return sink
    sink.close()
    return ConsoleSink(console)
