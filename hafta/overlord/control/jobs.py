"""Jobs: what has been asked of units and is not over yet, and who waits for it.

Rules, as systemd has them
1. A start is over when its unit is up, or rests and nobody waits to start it: "done" after success, else what failed.
   A unit that is started again by Restart= has failed first.
2. A stop is over when its unit rests.
3. A reload is over when its unit has left the state in which it reloads.
4. A newer job of the same unit that wants the opposite cancels an older one.
5. Nobody needs to wait. A client that has gone is forgotten; its jobs go on.
"""

from __future__ import annotations

from hafta.overlord.control.properties import active_state
from hafta.overlord.table import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.overlord.director import Director
    from hafta.overlord.runner import Runner

_STOPS = frozenset(("stop",))


class Job:
    """One job. `result` is empty as long as it is not over; `why` is the unit's own result."""

    def __init__(self, unit: str, kind: str) -> None:
        self.unit = unit
        self.kind = kind
        self.result = ""
        self.why = ""
        self.begun = False  # the unit has been seen in the state in which it reloads

    def end(self, result: str, why: str = "") -> None:
        """Note how it ended."""
        self.result, self.why = self.result or result, self.why or why

    def describe(self) -> dict[str, Any]:
        """Return it as the wire has it."""
        return {"unit": self.unit, "job": self.kind, "result": self.result or "queued", "why": self.why}


class Jobs:
    """All jobs that are not over, by unit."""

    def __init__(self, manager: Director) -> None:
        self._manager = manager
        self._pending: dict[str, list[Job]] = {}
        self._waiting: list[tuple[list[Job], Callable[[], None]]] = []
        manager.history.listeners.append(self._noted)

    @property
    def count(self) -> int:
        """How many are not over."""
        return sum(map(len, self._pending.values()))

    def add(self, unit: str, kind: str) -> Job:
        """Note a job."""
        job = Job(unit, kind)
        for other in self._pending.get(unit, ()):
            if (other.kind in _STOPS) is not (kind in _STOPS):
                other.end("canceled")
        self._pending.setdefault(unit, []).append(job)
        return job

    def wait(self, jobs: list[Job], ended: Callable[[], None]) -> None:
        """Call back when all of these are over."""
        self._waiting.append((jobs, ended))

    def look(self) -> None:
        """See which jobs are over."""
        for name in list(self._pending):
            if runner := self._manager.runners.get(name):
                self._see(runner)
            else:  # an instance for one connection, which is forgotten at its end
                for job in self._pending.pop(name):
                    job.end("done" if job.kind in _STOPS else "canceled")
        ready = [(jobs, ended) for jobs, ended in self._waiting if all(job.result for job in jobs)]
        self._waiting = [each for each in self._waiting if each not in ready]
        for _, ended in ready:
            ended()

    def cancel_all(self) -> None:
        """End all jobs: the overlord stops."""
        for jobs in self._pending.values():
            for job in jobs:
                if job.kind not in _STOPS:
                    job.end("canceled")

    def _noted(self, runner: Runner, _before: State) -> None:
        if runner.name in self._pending:
            self._see(runner)

    def _see(self, runner: Runner) -> None:
        for job in self._pending[runner.name]:
            if not job.result:
                self._judge(job, runner)
        left = [job for job in self._pending[runner.name] if not job.result]
        if left:
            self._pending[runner.name] = left
        else:
            del self._pending[runner.name]

    def _judge(self, job: Job, runner: Runner) -> None:
        state = active_state(runner)
        result = runner.machine.result
        if job.kind == "reload":
            if state == "reloading":
                job.begun = True
            elif job.begun or state != "active":
                self._reloaded(job, runner)
        elif runner.state is State.AUTO_RESTART and job.kind not in _STOPS:
            job.end("failed", result)
        elif self._manager.is_pending(runner.name) or state in {"activating", "deactivating"}:
            return
        elif job.kind in _STOPS:
            job.end("done" if state in {"inactive", "failed"} else "canceled")
        elif state in {"active", "reloading"}:
            job.end("done")
        else:
            self._rested(job, runner)

    def _reloaded(self, job: Job, runner: Runner) -> None:
        """End a reload. One that failed says no more: the unit's own result is that of its run."""
        good = active_state(runner) == "active" and runner.machine.reload_result == "success"
        job.end("done" if good else "failed", runner.machine.result)

    def _rested(self, job: Job, runner: Runner) -> None:
        """End a start whose unit rests, and is not going to be started."""
        result = runner.machine.result
        if result in {"dependency", "assert"}:
            job.end(result)
        elif result != "success":
            job.end("failed", result)
        else:
            job.end("canceled" if runner.machine.stop_asked else "done")
