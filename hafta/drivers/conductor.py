"""What both drivers do around each function: errors become failures, rollbacks become journal entries.

The drivers themselves (blocking.py, aio.py) are loops over the machine's phases that differ only in awaiting.
"""

from __future__ import annotations

import sys

from hafta.drivers.probe import Step
from hafta.drivers.release import let_go
from hafta.drivers.rollback import Rollback
from hafta.drivers.run import ENDED, Run
from hafta.engine.machine import Machine, Phase
from hafta.engine.words import Kind, describe
from hafta.errors import IllegalMove
from hafta.journal.events import SequenceFailed as Failed
from hafta.result import Result, SequenceFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.drivers.ledger import Ledger
    from hafta.drivers.probe import Probe
    from hafta.engine.node import Node
    from hafta.engine.words import PolicyEvent
    from hafta.runtime import Runtime
    from hafta.sequence import Sequence

_SUCCESSES = frozenset({Kind.NORMAL_SUCCESS, Kind.ROLLBACK_SUCCESS})
_OVER = {Phase.DONE: "done", Phase.FAILED: "failed", Phase.PANICKED: "panicked"}


def stand_in(_run: Run, _checkpoint: int) -> None:
    """Be the rollback function of a node that has none: succeed, naming the own node."""


class Conductor:
    """One call in progress."""

    def __init__(
        self,
        sequence: Sequence,
        runtime: Runtime,
        data: Any,
        run_class: type[Run] = Run,
        machine: Machine | None = None,
    ) -> None:
        self.machine = machine or Machine(sequence.targets)
        self.runtime = runtime
        self.sequence = sequence
        self.ledger: Ledger | None = None
        self._now = runtime.now
        self.run = run_class(sequence, self.machine, runtime, data)
        self.probe: Probe | None = runtime.probe
        self.careful = runtime.probe is not None  # whether somebody is to be told of every step
        self.unobserved = runtime.quiet and runtime.probe is None
        self._sequence = sequence.name
        self._started = runtime.now()
        self.rollback: Rollback | None = None  # until it is reported
        self.released = 0  # failures of which the frames have been let go
        self.owes = False  # whether nodes are to be taken up after the unwinding that goes on
        self._handled = sys.exception()

    def record_with(self, ledger: Ledger) -> None:
        """Record every step from now on."""
        self.ledger = ledger
        self.careful, self.unobserved = True, False
        self.run.record_with(ledger)

    def entering(self, node: Node) -> None:
        """Prepare a normal function that has a timeout, a policy that may ask for times, a probe or a ledger."""
        now = self._now()
        if self.machine.since is None:
            self.machine.since = now
        self.run._deadline = None if node.timeout is None else now + node.timeout  # noqa: SLF001 - the driver's own
        if self.probe is not None:
            self.probe.entering(self._sequence, node.name, "normal")
        if self.ledger is not None:
            self.ledger.running()

    def rolling_back(self) -> Callable[[Run, int], Any]:
        """Note that a rollback begins; return its function."""
        machine = self.machine
        if machine.since is None:
            machine.since = self._now()
        if not self.runtime.quiet:
            self.rollback = Rollback(machine, self._now())
        if self.probe is not None:
            self.probe.entering(self._sequence, machine.node.name, "rollback")
        if self.ledger is not None:
            self.ledger.undoing()
        return machine.node.rollback_function or stand_in

    def failed(self, error: Exception) -> None:
        """End the function with the exception that escaped it."""
        self._end_time()
        mistake = _mistake(error)
        if mistake is not None:
            raise mistake  # a mistake in the program is not rolled back
        if self.ledger is not None:
            self.ledger.failing()
        self.machine.fail(error.result if isinstance(error, SequenceFailed) else error, self._now())
        if self.rollback is not None:
            self.rollback.ended(self.machine, self._now())

    def ended(self, answer: Any) -> None:
        """End the function with what it returned."""
        self._end_time()
        machine = self.machine
        phase = machine.phase
        if phase is Phase.ASK or phase is Phase.UNWOUND:  # it has called run.success or run.fail
            if answer is not None and answer is not ENDED:
                machine.succeed(answer)  # ... and now ends again: an illegal move
            if self.ledger is not None:
                self.ledger.pending = ()
        elif self.ledger is not None and self.ledger.pending:
            machine.fail(self.ledger.left_out(), self._now())
        elif answer is None and phase is not Phase.NORMAL:
            machine.succeed(machine.node)
        elif answer is None:
            hint = "return the next node, EXIT, or run.fail(reason)"
            raise IllegalMove(f"node {machine.node} of sequence {self._sequence} returned nothing", hint)
        else:
            _refuse_coroutine(machine.node, answer)
            machine.succeed(answer)
        if self.rollback is not None:
            self.rollback.ended(machine, self._now())

    def _end_time(self) -> None:
        """Stop the clock of the node: its policy, its rollback function and the next node are not timed by it."""
        self.run._deadline = None  # noqa: SLF001 - the driver's own

    def release(self) -> None:
        """Let go of the frames of what has failed since the last time: another attempt begins."""
        machine = self.machine
        number, self.released = machine.failed - self.released, machine.failed
        if number == 1:
            let_go(machine.newest_reason, self._handled)
        else:
            for failure in machine.history[-number:]:
                let_go(failure.reason, self._handled)

    def take_delay(self) -> float:
        """Return the seconds that the verdict wants waited, once."""
        delay, self.machine.delay = self.machine.delay, 0.0
        return delay

    def event(self) -> PolicyEvent:
        """Return what the policy is to be asked."""
        return self.machine.event(self._now())

    def asked(self) -> Step:
        """Return what the probe will be told of the question that the policy is about to answer."""
        machine = self.machine
        reason = None if machine.kind in _SUCCESSES else machine.reason
        node = machine.node.name
        return Step(self._sequence, node, machine.kind, machine.attempt, machine.checkpoint, reason, node)

    def decided(self, asked: Step | None) -> None:
        """Tell the probe what followed, and the journal of the rollback that this was about."""
        if asked is not None and self.probe is not None:
            self.probe.step(asked.replace(next=self._next()))
        self.moved()

    def moved(self) -> None:
        """Record and report, now that it is known where control goes."""
        if self.ledger is not None:
            self.ledger.moved()
        self.settle()

    def settle(self) -> None:
        """Report the rollback that has ended, if anybody listens, now that it is known where control goes."""
        rollback, self.rollback = self.rollback, None
        if rollback is not None:
            self.runtime.report(rollback.event(self._sequence, self._next()))

    def owed(self) -> list[Node]:
        """Return the nodes that are to be taken up now, which could not be before the unwinding."""
        from hafta.drivers.resume import owed

        return owed(self)

    def taking_up(self, node: Node) -> Conductor:
        """Return the conductor of this node alone, which ends when the node has succeeded."""
        from hafta.engine.place import Alone

        inner = Conductor(self.sequence, self.runtime, None, machine=Alone(dict(self.sequence.targets)))
        inner.run = self.run
        inner.machine.share(self.machine)
        inner.careful = True  # the fast path would run on into the node that it names
        self.run.follow(inner.machine)
        inner.machine.start(node)
        return inner

    def taken_up(self, nodes: list[Node], at: int, inner: Conductor) -> int:
        """Return which of these nodes comes next; -1 if this one failed: so the call ends, and the record stays.

        A rollback that names one of the nodes before goes on with that one.
        """
        machine = inner.machine
        self.run.follow(self.machine)
        self.machine.failed = machine.failed
        if machine.phase is Phase.DONE and machine.kind is Kind.NORMAL_SUCCESS:
            self.machine.stack[nodes[at]] = machine.mark
            return at + 1
        left_for = getattr(machine, "left_for", None)
        if left_for in nodes[:at]:
            return nodes.index(left_for)
        if machine.phase is Phase.DONE:
            machine.phase = Phase.FAILED
        self.machine = machine
        if self.ledger is not None:
            self.ledger.keep = True
        return -1

    def taken_up_all(self) -> None:
        """Record again: the nodes are taken up, and what was interrupted is dealt with now."""
        if self.ledger is not None:
            self.ledger.taken_up()

    def result(self) -> Result:
        """Return how the call ended. Reports a failure; panics if that was the verdict."""
        machine = self.machine
        if machine.phase is Phase.PANICKED:
            self.run.panic(machine.reason if machine.reason is not None else "its policy said so")
        took = self._now() - self._started
        history = tuple(machine.history)
        if machine.phase is Phase.DONE:
            return Result(self._sequence, ok=True, history=history, failures=self.machine.failed, duration=took)
        failure = machine.failure
        assert failure is not None  # a sequence fails after a failure
        self.runtime.report(Failed(self._sequence, failure.node, describe(failure.reason), failure.attempt))
        return Result(
            self._sequence, ok=False, node=failure.node, reason=failure.reason, attempt=failure.attempt,
            history=history, failures=self.machine.failed, duration=took,
        )  # fmt: skip

    def describe(self) -> str:
        """Return where the call stands, for STATUS."""
        machine = self.machine
        rolling = " rolling back" if machine.phase in {Phase.ROLLBACK, Phase.UNWIND} else ""
        attempt = f", {machine.attempt} failed attempts" if machine.attempt else ""
        return f"{self._sequence}:{rolling} node {machine.node}{attempt}, {self.machine.failed} failures in this call"

    def _next(self) -> str:
        return _OVER.get(self.machine.phase) or self.machine.node.name


def _mistake(error: Exception) -> IllegalMove | None:
    """Return the mistake in the program that this is, or that is in it: one of a task of a TaskGroup."""
    if isinstance(error, IllegalMove):
        return error
    members = error.exceptions if isinstance(error, ExceptionGroup) else ()
    return next(filter(None, map(_mistake, members)), None)


def _refuse_coroutine(node: Node, answer: Any) -> None:
    if hasattr(answer, "__await__"):
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        raise IllegalMove(f"node {node} is asynchronous", "call the sequence with `await sequence.call_async()`")
