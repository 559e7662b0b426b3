"""Where a process that died had been, and beginning a machine there.

Rules, continuing those of machine.py:

12. Resuming counts the death as one more failure in a row (unless the process was asked to stop) and asks the policy
    with INTERRUPTED. By default that is as NORMAL_FAIL.
13. A death in a rollback function: that function has begun to run, so ROLL_BACK_CURRENT runs it again, with the
    checkpoint that it had reached, and every other verdict leaves it as failed (as after ROLLBACK_FAIL, rule 5).
14. A death while unwinding: what follows was settled. The function runs again; after LIMIT deaths in it, it is left as
    failed and the unwinding goes on. So no function that kills its process is run for ever.
15. A death between nodes interrupts nothing: the next node begins, with its count of failures.
"""

from __future__ import annotations

from hafta.engine.default import LIMIT
from hafta.engine.machine import Machine, Phase
from hafta.engine.words import ROLL_BACK_PREVIOUS, Verdict
from hafta.errors import IllegalMove
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.engine.node import Node


class Place(Record):
    """Where a call stands."""

    node: Node
    phase: Phase  # NORMAL, ROLLBACK, UNWIND, or IDLE for "between nodes"
    attempt: int = 0
    checkpoint: int = 0
    state: dict[str, Any] | None = None
    stack: tuple[tuple[Node, int, dict[str, Any] | None], ...] = ()
    then: Verdict = ROLL_BACK_PREVIOUS  # in UNWIND: what follows
    deaths: int = 0  # in UNWIND: how many processes have died in it


def resume(machine: Machine, place: Place, reason: object, *, counted: bool = True, at: float = 0.0) -> None:
    """Begin where a process that died had been. Raises IllegalMove for a machine that has begun already."""
    _restore(machine, place)
    if place.phase is Phase.IDLE:
        machine.phase = Phase.NORMAL
        return
    if counted:
        machine.attempt += 1
    machine.interrupt(reason, at, undoing=place.phase is not Phase.NORMAL)
    if place.phase is Phase.UNWIND:
        machine.unwind_again(place.then, given_up=place.deaths + counted >= LIMIT)


def enter_again(machine: Machine, place: Place) -> None:
    """Begin with the normal function of a node in which an inner sequence was interrupted: it is not rolled back."""
    _restore(machine, place)
    machine.phase = Phase.NORMAL


def _restore(machine: Machine, place: Place) -> None:
    if machine.phase is not Phase.IDLE:
        raise IllegalMove(f"cannot resume at {place.node}: the sequence {machine.phase.value}", "make another call")
    machine.restore(place.node, place.attempt, place.checkpoint, place.state)
    for node, checkpoint, state in place.stack:
        machine.stack[node] = (checkpoint, state)
