"""The life of a guard: starts the program, asks whether it works, says so, and ends everything below it.

| event | held back | running | ENDING |
|---|---|---|---|
| the program ends | - | ENDING, SIGTERM to what is left | SIGTERM to what is left |
| a signal to stop | over, status 0 | ENDING, the signal to its group | SIGINT: as if the grace were over |
| SIGABRT: the watchdog | - | ENDING, SIGABRT to its group | - |
| one failure too many | - | trigger the watchdog; without one: ENDING, SIGTERM to its group | - |
| not ready in time | - | ENDING, SIGTERM to its group | - |
| the grace is over | - | - | SIGKILL to all that is left: over |
| another signal | - | to the program | to the program |

ENDING is over when the program has been reaped and nothing is left below us. What the guard then does, `outcome` says:
the first reason counts.
"""

from __future__ import annotations

import errno
import os
import signal

from hafta import exits
from hafta.errors import HaftaError
from hafta.frozen import Frozen
from hafta.guard.children import Children, environment, signal_group
from hafta.guard.health import Health, Verdict
from hafta.guard.probes import Spec, World, make_process
from hafta.guard.steps import Rounds
from hafta.journal import guard_events as events
from hafta.process.dying import die_of
from hafta.process.loop import Loop
from hafta.process.table import end_all, kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.guard.voice import Voice

STOPS = (signal.SIGTERM, signal.SIGINT)
FORWARDED = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
ABORT_GRACE = 0.5  # seconds between SIGABRT and SIGKILL: below TimeoutAbortSec=1
REST_GRACE = 1.0  # seconds for what a program that has ended by itself leaves behind: they delay its restart
START_INTERVAL = 0.1  # seconds between two rounds until the first one passes, unless the interval is shorter
KILL_PATIENCE = 1.0  # seconds for what survives SIGKILL (an uninterruptible wait)
PROCESS = "process"


class Plan(Frozen):
    """What to run, and how to ask whether it works. Times in seconds."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    probes: tuple[Spec, ...] = ()
    interval: float = 1.0
    timeout: float = 1.0
    failures: int = 3
    start_grace: float = 30.0
    stop_grace: float = 10.0

    @property
    def name(self) -> str:
        """The program, as events and STATUS call it."""
        return os.path.basename(self.argv[0]) or self.argv[0]


class Outcome(Frozen):
    """How the guard ends: with a status, or as a wait status says; `is_stop`: it was asked to."""

    status: int | None = None
    wait_status: int = 0
    is_stop: bool = False


class Guard:
    """Runs one program once."""

    def __init__(self, plan: Plan, voice: Voice) -> None:
        self._plan = plan
        self._voice = voice
        self._loop = Loop(self._on_signal, lambda _: None)
        self._children = Children()
        self._health = Health(plan.failures)
        self._pid = 0  # of the program; it stays when that has ended
        self._began = 0.0  # when the program was started
        self._rounds: Rounds | None = None
        self._outcome: Outcome | None = None  # set: ENDING
        self._is_over = False

    def run(self, hold: float = 0.0) -> Outcome:
        """Run the program after `hold` seconds. Raises HaftaError if it cannot be started."""
        self._loop.listen((*STOPS, *_forwarded(), signal.SIGABRT, signal.SIGCHLD))
        self._loop.set_timer(("start", ""), hold, self._start)
        try:
            while not self._is_over:
                self._loop.turn()
                self._voice.tick()
        finally:
            self._loop.close()
        assert self._outcome is not None
        return self._outcome

    def _start(self) -> None:
        plan, environ = self._plan, environment(self._plan.environ)
        self._voice.status(f"starting {plan.name}")
        self._voice.extend(plan.start_grace + plan.timeout)
        try:
            self._pid = self._children.start(plan.argv, environ)
        except OSError as error:
            raise _not_started(plan.argv[0], error) from error
        self._voice.report(events.GuardStarted(plan.name, self._pid))
        self._began = self._loop.now()
        self._loop.set_timer(("grace", ""), plan.start_grace, self._not_ready)
        world = World(self._pid, self._children, environ)
        own = () if any(each.text == PROCESS for each in plan.probes) else (Spec(PROCESS, make_process),)
        probes = [each.make(world, each.text) for each in (*own, *plan.probes)]
        self._rounds = Rounds(probes, self._loop, plan.timeout, self._judge)
        self._rounds.begin()

    def _judge(self, reason: str) -> float:
        """Act on the outcome of a round; return the interval to the next one."""
        verdict = self._health.judge(reason)
        self._say(verdict, reason)
        if verdict is Verdict.READY:
            self._loop.clear_timer(("grace", ""))
        elif verdict is Verdict.WAIT:
            return min(self._plan.interval, START_INTERVAL)
        elif verdict is Verdict.FAILED:
            self._failed(reason)
        return self._plan.interval

    def _say(self, verdict: Verdict, reason: str) -> None:
        name, pid, voice = self._plan.name, self._pid, self._voice
        if verdict is Verdict.READY:
            voice.report(events.GuardReady(name, pid, round((self._loop.now() - self._began) * 1_000_000)))
            voice.ready(f"process {pid} passes")
        elif verdict is Verdict.RECOVERED:
            voice.report(events.GuardRecovered(name, pid))
        if reason:
            voice.status(self._why(reason))
        else:
            voice.status(f"process {pid} passes")
            voice.ping()

    def _why(self, reason: str) -> str:
        """Return the STATUS of a program that does not pass."""
        if not self._health.is_ready:
            return f"starting, process {self._pid}: {reason}"
        return f"process {self._pid} fails ({self._health.failures} of {self._health.limit}): {reason}"

    def _failed(self, reason: str) -> None:
        is_watched = self._voice.is_watched
        self._voice.report(events.GuardFailed(self._plan.name, self._pid, self._health.failures, reason, is_watched))
        if is_watched:  # the overlord ends us with SIGABRT; should the program pass before that, it stays
            self._voice.trigger(self._why(reason))
        else:
            self._end(Outcome(exits.UNHEALTHY), signal.SIGTERM, self._plan.stop_grace)

    def _not_ready(self) -> None:
        plan, why = self._plan, self._health.reason or "the first answer is still missing"
        self._voice.report(events.GuardNotReady(plan.name, self._pid, why, round(plan.start_grace * 1_000_000)))
        self._end(Outcome(exits.TIMED_OUT), signal.SIGTERM, plan.stop_grace)

    # Ending

    def _on_signal(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            self._look_after()
        elif not self._pid:
            if signum in STOPS:
                self._outcome, self._is_over = Outcome(exits.OK, is_stop=True), True
        elif signum == signal.SIGABRT:
            self._end(Outcome(wait_status=signum), signum, ABORT_GRACE)
        elif signum == signal.SIGINT and self._outcome is not None:  # Ctrl-C once more
            self._kill()
        elif signum in STOPS:
            self._voice.stopping(f"stopping {self._plan.name}: {signal.Signals(signum).name}")
            self._voice.extend(self._plan.stop_grace + KILL_PATIENCE + 1)
            self._end(Outcome(is_stop=True), signum, self._plan.stop_grace)
        elif self._children.is_running(self._pid):
            kill(self._pid, signum)

    def _end(self, outcome: Outcome, signum: int, grace: float) -> None:
        """Begin the end, once: ask the program and its group to end, and kill what is left when the grace is over."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        if self._rounds is not None:
            self._rounds.cancel()
        self._loop.clear_timer(("grace", ""))
        self._loop.set_timer(("kill", ""), grace, self._kill)
        if self._children.is_running(self._pid):
            signal_group(self._pid, signum)
        self._look_after()

    def _look_after(self) -> None:
        """Reap; notice the end of the program, and that nothing is left of it."""
        self._children.reap()
        if not self._pid or self._children.is_running(self._pid):
            return
        if (status := self._children.take_status(self._pid)) is not None:
            self._ended(status)
        self._is_over = self._is_over or not self._children.left()

    def _ended(self, status: int) -> None:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = None if number is not None else os.waitstatus_to_exitcode(status)
        self._voice.report(events.GuardEnded(self._plan.name, self._pid, code, number and _signal(number)))
        for pid in self._children.left():
            kill(pid, signal.SIGTERM)
        self._end(Outcome(wait_status=status), signal.SIGTERM, min(REST_GRACE, self._plan.stop_grace))
        if self._outcome is not None and self._outcome.status is None and not self._outcome.wait_status:
            self._outcome = self._outcome.replace(wait_status=status)

    def _kill(self) -> None:
        """The grace is over."""
        was_running = self._children.is_running(self._pid)
        end_all(self._children.left, KILL_PATIENCE, self._children.reap)
        self._look_after()
        if was_running and self._outcome is not None and self._outcome.is_stop:
            self._outcome = self._outcome.replace(status=exits.TIMED_OUT)
        self._is_over = True


def die_like(wait_status: int) -> int:
    """End as the program has ended: return its exit status, or die of its signal. As process 1 nobody dies: 128 + n."""
    if not os.WIFSIGNALED(wait_status):
        return os.waitstatus_to_exitcode(wait_status)
    signum = os.WTERMSIG(wait_status)
    die_of(signum)
    return 128 + signum


def _forwarded() -> list[signal.Signals]:
    """Return what is passed on. A SIGHUP that is ignored stays so, for both (nohup(1))."""
    return [signum for signum in FORWARDED if signal.getsignal(signum) is not signal.SIG_IGN]


def _signal(number: int) -> int:
    """Return the number with its name, if it has one."""
    try:
        return signal.Signals(number)
    except ValueError:  # a real-time signal
        return number


def _not_started(program: str, error: OSError) -> HaftaError:
    status = {errno.ENOENT: exits.NOT_FOUND, errno.EACCES: exits.PERMISSION, errno.EPERM: exits.PERMISSION}
    hints = {
        errno.ENOENT: "give its path, or look at $PATH; for a script, look at its first line, too",
        errno.EACCES: "look at its mode and its owner (chmod +x)",
        errno.ENOEXEC: "a script needs a first line such as #!/bin/sh",
    }
    number = error.errno or 0
    problem = f"cannot run {program}: {error.strerror or error}"
    return HaftaError(problem, hints.get(number, "fix that and start again"), status=status.get(number, exits.SYSTEM))
