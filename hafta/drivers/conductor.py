"""What both drivers do around each function: what escapes it becomes a failure, and the observers are called.

The drivers themselves (blocking.py, aio.py) are loops over the machine's phases that differ only in awaiting.
"""

from __future__ import annotations

import sys

from hafta.drivers.frames import let_go
from hafta.drivers.observer import Observers
from hafta.drivers.run import ENDED
from hafta.engine.machine import Machine, Phase
from hafta.engine.words import Kind
from hafta.errors import HaftaError, IllegalMove
from hafta.result import SequenceFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from hafta.drivers.observer import Observer
    from hafta.drivers.run import Run
    from hafta.engine.node import Node
    from hafta.engine.shape import Shape
    from hafta.engine.words import PolicyEvent
    from hafta.runtime import Runtime


# As module names these cost a third of what they cost as attributes of their class.
_NORMAL, _ASK, _UNWOUND = Phase.NORMAL, Phase.ASK, Phase.UNWOUND
_NORMAL_FAIL, _ROLLBACK_FAIL, _ORPHANED = Kind.NORMAL_FAIL, Kind.ROLLBACK_FAIL, Kind.ORPHANED

#: What may be a mistake in the program, or hold one, or the result of an inner sequence.
_LINKED = (ExceptionGroup, HaftaError)


def stand_in(_run: Run, _checkpoint: int) -> None:
    """Be the rollback function of a node that has none: succeed, naming its own node."""


class Conductor:
    """One call in progress."""

    __slots__ = ("_handled", "_now", "_released", "machine", "observers", "run", "runtime", "shape")

    def __init__(self, shape: Shape, runtime: Runtime, data: Any, run_class: type[Run]) -> None:
        self.shape = shape
        self.runtime = runtime
        self.machine = Machine(shape.targets)
        self.run = run_class(shape, self.machine, runtime, data)
        self.observers = Observers(())
        self._now = runtime.now
        self._released = 0  # failures of which the frames have been let go
        self._handled = sys.exception()

    def observe(self, observers: Iterable[Observer]) -> None:
        """Call these observers from now on."""
        self.observers = Observers(observers)
        self.run.ending = self.observers.ended

    def entering(self) -> Node:
        """Prepare the normal function that is about to run, and call the observers."""
        machine = self.machine
        node = machine.node
        now = self._now()
        machine.arrive(now)
        self.run.deadline = None if node.timeout is None else now + node.timeout
        if not node.plain and (admit := getattr(node.policy_function, "admit", None)) is not None:
            admit(now)  # an open circuit breaker raises: this attempt fails before it has begun
        for see in self.observers.entering:
            see(machine)
        return node

    def undoing(self) -> Callable[..., Any]:
        """Show the observers that a rollback function is about to run; return it."""
        machine = self.machine
        node, now = machine.node, self._now()
        machine.arrive(now)
        self.run.deadline = None if node.rollback_timeout is None else now + node.rollback_timeout
        for see in self.observers.undoing:
            see(machine)
        return node.rollback_function or stand_in

    def failed(self, error: BaseException) -> None:
        """End the function with the exception that escaped it. Raises it where that is a mistake in the program."""
        self.run.deadline = None  # its policy and the next function have their own
        reason: object = error
        if isinstance(error, _LINKED):
            mistake = _mistake(error)
            if mistake is not None:
                raise mistake
            reason = error.result if isinstance(error, SequenceFailed) else error
        machine = self.machine
        machine.fail(reason, self._now())
        for see in self.observers.failed:
            see(machine)

    def ended(self, answer: Any) -> None:
        """End the function with what it returned."""
        self.run.deadline = None
        machine = self.machine
        phase = machine.phase
        if phase is _ASK or phase is _UNWOUND:
            self._has_ended(answer)
            return
        if answer is None:
            if phase is _NORMAL:
                hint = "return the next node, EXIT, or run.fail(reason)"
                raise IllegalMove(f"node {machine.node} of sequence {self.shape.name} returned nothing", hint)
            answer = machine.node
        elif hasattr(answer, "__await__"):
            raise _is_asynchronous(machine.node, answer)
        try:
            for see in self.observers.ended:
                see(machine)
        except Exception as error:
            self.failed(error)
        else:
            machine.succeed(answer)

    def _has_ended(self, answer: Any) -> None:
        """Go on after run.success() or run.fail(), which the function has called itself."""
        machine = self.machine
        if answer is not None and answer is not ENDED:
            machine.succeed(answer)  # it ends again: an illegal move
        if machine.kind is _NORMAL_FAIL or machine.kind is _ROLLBACK_FAIL:
            for see in self.observers.failed:
                see(machine)

    def release(self) -> None:
        """Let go of the frames of what has failed since the last time: another attempt begins."""
        machine = self.machine
        number, self._released = machine.failed - self._released, machine.failed
        if number == 1:
            let_go(machine.newest_reason, self._handled)
        elif number:
            for failure in machine.history[-number:]:
                let_go(failure.reason, self._handled)

    def policy(self) -> Callable[..., Any] | None:
        """Show the observers that the policy is about to be asked; return it, or None for the default one."""
        machine = self.machine
        for see in self.observers.asking:
            see(machine)
        if machine.kind is _ORPHANED:
            return self.shape.orphaned_function
        node = machine.node
        if node.policy_timeout is not None:
            self.run.deadline = self._now() + node.policy_timeout
        return node.policy_function

    def event(self) -> PolicyEvent:
        """Return what the policy is to be asked."""
        return self.machine.event(self._now())

    def moved(self) -> None:
        """Tell the observers where control has gone."""
        self.run.deadline = None
        for see in self.observers.moved:
            see(self.machine)

    def go_on(self) -> None:
        """Carry out what was settled before the unwinding."""
        self.machine.go_on()
        self.moved()

    def describe(self) -> str:
        """Return where the call stands, for STATUS."""
        machine = self.machine
        rolling = " rolling back" if machine.phase in {Phase.ROLLBACK, Phase.UNWIND} else ""
        attempt = f", {machine.attempt} failed attempts" if machine.attempt else ""
        return f"{self.shape.name}:{rolling} node {machine.node}{attempt}, {machine.failed} failures in this call"


def _mistake(error: BaseException) -> IllegalMove | None:
    """Return the mistake in the program that this is, or that is in it: one of a task of a TaskGroup."""
    if isinstance(error, IllegalMove):
        return error
    members = error.exceptions if isinstance(error, ExceptionGroup) else ()
    return next(filter(None, map(_mistake, members)), None)


def _is_asynchronous(node: Node, answer: Any) -> IllegalMove:
    """Close a coroutine that nobody awaits, and return the mistake that it is."""
    close = getattr(answer, "close", None)
    if close is not None:
        close()
    return IllegalMove(f"node {node} is asynchronous", "call the sequence with `await sequence.call_async()`")
