"""The steps of a call, for tests: each question to a policy and what followed, and failures that a test asked for."""

from __future__ import annotations

from hafta.drivers.observer import Observer
from hafta.drivers.rollbacks import where
from hafta.engine.words import Kind
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from hafta.engine.machine import Machine

    class Watcher(Protocol):
        """The runtime of a test."""

        def entering(self, node: str, function: str) -> None:
            """See a function ("normal" or "rollback") that is about to run; what it raises is its failure."""

        def step(self, step: Step) -> None:
            """See a step."""


_SUCCESSES = frozenset({Kind.NORMAL_SUCCESS, Kind.ROLLBACK_SUCCESS})


class Step(Frozen):
    """One policy event and what followed from it."""

    sequence: str  # its name
    node: str  # its name
    kind: Kind  # what happened
    attempt: int  # the node's consecutive failures
    checkpoint: int  # the last one that the node had set; 0: none
    reason: Any  # on failure
    next: str  # the node that is the current one now, or how the call ended: "done", "failed", "panicked"


class Steps(Observer):
    """Shows the runtime of a test each step of a call."""

    sees_every_step = True

    def __init__(self, sequence: str, watcher: Watcher) -> None:
        self._sequence = sequence
        self._watcher = watcher
        self._asked: tuple[str, Kind, int, int, Any] | None = None

    def entering(self, machine: Machine) -> None:
        """Show the normal function that is about to run."""
        self._watcher.entering(machine.node.name, "normal")

    def undoing(self, machine: Machine) -> None:
        """Show the rollback function that is about to run."""
        self._watcher.entering(machine.node.name, "rollback")

    def asking(self, machine: Machine) -> None:
        """Note what the policy is asked about."""
        reason = None if machine.kind in _SUCCESSES else machine.reason
        self._asked = machine.node.name, machine.kind, machine.attempt, machine.checkpoint, reason

    def moved(self, machine: Machine) -> None:
        """Show the step, now that it is known what followed."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._watcher.step(Step(self._sequence, *asked, where(machine)))
