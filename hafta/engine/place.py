"""Where a process that died had been, and beginning a machine there.

Rules, continuing those of machine.py. Counting the death is the caller's part: a place has the counts that include it.

12. What is resumed in a function that had begun is a failure: the policy is asked with INTERRUPTED. By default that is
    as NORMAL_FAIL.
13. A death in a rollback function: what it had begun to undo is still to be undone, so that it runs again, with the
    checkpoint that it had reached, whatever the verdict (rule 4): in place, or while unwinding. Panic is the exception.
14. A death while unwinding: what follows was settled. The function runs again; after LIMIT deaths in it, it is left as
    failed and the unwinding goes on. So no function that kills its process is run for ever.
15. A death before a function had begun interrupts nothing: that function begins, and no policy is asked.
16. A function is re-entered, not undone, when what was interrupted is a sequence that it had called.
17. A place that is given up is left for the previous node, whatever its policy would say: its rollback function runs
    on the way, if it is owed one.
"""

from __future__ import annotations

from hafta.engine.default import LIMIT
from hafta.engine.machine import Machine, Phase
from hafta.engine.words import ROLL_BACK_PREVIOUS, Verdict
from hafta.errors import IllegalMove
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.engine.node import Node


class Place(Record):
    """Where a call stands."""

    node: Node
    phase: Phase  # NORMAL, ROLLBACK or UNWIND
    begun: bool = True  # whether the function of that phase had begun
    attempt: int = 0
    checkpoint: int = 0
    state: dict[str, Any] | None = None
    stack: tuple[tuple[Node, int, dict[str, Any] | None], ...] = ()
    then: Verdict = ROLL_BACK_PREVIOUS  # in UNWIND: what follows
    deaths: int = 0  # in UNWIND: how many processes have died in it


def resume(machine: Machine, place: Place, reason: object, *, at: float = 0.0, again: bool = False) -> None:
    """Begin where a process that died had been; `again`: re-enter the function (rule 16).

    Raises IllegalMove for a machine that has begun already.
    """
    _restore(machine, place)
    asked = place.begun and not again
    if place.phase is Phase.NORMAL and not asked:
        machine.phase = Phase.NORMAL
        return
    machine.interrupt(reason, at)
    if place.phase is Phase.UNWIND:
        machine.unwind_again(place.then, given_up=place.deaths >= LIMIT)
    elif not asked:
        machine.roll_back_again()


def give_up(machine: Machine, place: Place, reason: object, *, at: float = 0.0) -> None:
    """Leave this place for the previous node (rule 17). Raises IllegalMove for a machine that has begun already."""
    if place.phase is Phase.UNWIND:
        resume(machine, place, reason, at=at)
        return
    _restore(machine, place)
    machine.interrupt(reason, at, clean=place.phase is Phase.NORMAL and not place.begun)
    machine.decide(ROLL_BACK_PREVIOUS)


def _restore(machine: Machine, place: Place) -> None:
    if machine.phase is not Phase.IDLE:
        raise IllegalMove(f"cannot resume at {place.node}: the sequence {machine.phase.value}", "make another call")
    machine.restore(place.node, place.attempt, place.checkpoint, place.state)
    for node, checkpoint, state in place.stack:
        machine.stack[node] = (checkpoint, state)


class Alone(Machine):
    """A machine for one node: it is done when control would leave the node, for `left_for` if that is a node."""

    __slots__ = ("left_for",)

    left_for: Node | None

    def __init__(self, targets: Mapping[Any, Node | Verdict]) -> None:
        super().__init__(targets)
        self.left_for = None

    def _enter(self, node: Node) -> None:
        if self.phase is Phase.IDLE or node is self.node:
            super()._enter(node)
        else:
            self.left_for = node
            self.phase = Phase.DONE
