"""Resuming: what a process that died was doing, whether its death counts, and beginning a machine there.

Rules, continuing those of machine.py.

12. A function that had begun and has not ended is a failure of its node: the death counts as one more in a row, and the
    policy is asked with INTERRUPTED. By default that is as NORMAL_FAIL.
13. A death in a rollback function: what it had begun to undo is still to be undone. So it runs again, with the
    checkpoint that it had reached, whatever the verdict (rule 4): in place, or while unwinding. Panic is the exception.
14. A death while unwinding: what follows was settled, and no policy is asked. The function runs again; after LIMIT
    deaths in it, it is left as failed and the unwinding goes on. So no function that kills its process runs for ever.
15. A death before a function had begun interrupts nothing and does not count: that function begins, and no policy is
    asked.
16. A function in which an inner sequence was interrupted is entered again, not undone: the inner sequence goes on when
    it is called again, and the death counts there. A death before it is called counts here; after LIMIT of those in a
    row the function is interrupted like any other.
17. A stop (somebody asked the process to end) is resumed like a death, but never counts.
18. Processes that die while local nodes are run again (rule 19) count in the interrupted node, too. After LIMIT in a
    row that node is given up for the previous one, whatever its policy would say: its rollback function runs on the
    way if it is owed one.

Invariant: nothing here depends on anything but its arguments: where a process died decides where the next one begins.
"""

from __future__ import annotations

from hafta.engine import rerun
from hafta.engine.default import LIMIT
from hafta.engine.machine import Machine, Phase
from hafta.engine.words import ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, Kind, Verdict
from hafta.errors import IllegalMove
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hafta.engine.machine import Mark
    from hafta.engine.node import Node

# As module names these cost a third of what they cost as attributes of their class.
_NORMAL, _ROLLBACK = Phase.NORMAL, Phase.ROLLBACK
FUNCTIONS = frozenset({Phase.NORMAL, Phase.ROLLBACK, Phase.UNWIND})


class Doing(Frozen):
    """What goes on in a sequence, as a record says it."""

    function: Phase = Phase.NORMAL  # NORMAL, ROLLBACK or UNWIND; DONE: the call has ended
    begun: bool = False  # whether that function had begun; else it is the next one
    then: Verdict | None = None  # in UNWIND: what follows it
    deaths: int = 0  # in UNWIND: processes that died in it
    stopped: bool = False  # whether the process had been asked to stop
    reruns: int | None = None  # while local nodes run again: processes that died of that in a row
    entries: int | None = None  # an inner sequence waits to be called: processes that died before they called it


#: What a normal function that runs is recorded as, and the next one.
RUNS, NEXT = Doing(Phase.NORMAL, True), Doing()
UNDOES, UNDOES_NEXT = Doing(Phase.ROLLBACK, True), Doing(Phase.ROLLBACK)
ENDED = Doing(Phase.DONE)


class Place(Frozen):
    """Where a call of a sequence stands."""

    node: Node
    doing: Doing
    attempt: int = 0
    checkpoint: int = 0
    state: dict[str, Any] | None = None
    stack: tuple[tuple[Node, int, dict[str, Any] | None], ...] = ()


def resume(machine: Machine, place: Place, reason: object, *, at: float = 0.0, nested: bool = False) -> Doing:
    """Begin where a process died, whose death is counted already; `nested`: an inner sequence was interrupted there.

    Returns what is to be recorded as going on until the first move. If its `entries` is a number, the inner sequence
    waits to be called. Raises IllegalMove for a machine that has begun already.
    """
    if machine.phase is not Phase.IDLE:
        raise IllegalMove(f"cannot resume at {place.node} in a call that has started", "make another call")
    doing = place.doing
    _restore(machine, place.node, place.attempt, (place.checkpoint, place.state), place.stack)
    machine.deaths = doing.deaths
    if (doing.reruns or 0) >= LIMIT:
        return _give_up(machine, doing, reason, at)
    waits = nested and (doing.entries or 0) < LIMIT and doing.deaths < LIMIT
    _begin(machine, doing, reason, at, again=waits)
    rerun.begin(machine, doing.reruns or 0)
    return doing.replace(stopped=False, reruns=None, entries=(doing.entries or 0) if waits else None)


def count(place: Place, *, nested: bool) -> Place:
    """Count the death of the process, where it counts (rules 12 and 14 to 18)."""
    doing = place.doing
    if doing.stopped:
        return place
    if doing.reruns is not None:
        return place.replace(attempt=place.attempt + 1, doing=doing.replace(reruns=doing.reruns + 1))
    if nested and doing.entries is None:
        return place.replace(doing=doing.replace(entries=0))  # it counts in the inner sequence
    if nested:
        doing = doing.replace(entries=(doing.entries or 0) + 1)
    if doing.function is Phase.UNWIND:
        return place.replace(doing=doing.replace(deaths=doing.deaths + 1))
    return place.replace(attempt=place.attempt + doing.begun, doing=doing)


def orphan(machine: Machine, place: Place, reason: object) -> None:
    """Have the orphaned function asked about a record of another version of the program; its node may be gone."""
    _restore(machine, place.node, place.attempt, (place.checkpoint, place.state), place.stack)
    machine.kind = Kind.ORPHANED
    machine.reason = reason
    machine.clean = True
    machine.owed = rerun.begin
    machine.phase = Phase.ASK


def next_of(machine: Machine) -> Doing:
    """Return what is next where no function runs, once local nodes have run again: what a record says between two."""
    phase = machine.phase if machine.rerun is None else machine.rerun.phase
    if phase is _NORMAL:
        return NEXT
    if phase is _ROLLBACK:
        return UNDOES_NEXT
    if phase in {Phase.UNWIND, Phase.UNWOUND}:
        return Doing(Phase.UNWIND, begun=True, then=machine.then, deaths=machine.deaths)
    return ENDED


def _restore(
    machine: Machine,
    node: Node,
    attempt: int,
    mark: Mark,
    stack: Iterable[tuple[Node, int, dict[str, Any] | None]],
) -> None:
    machine.node, machine.attempt, machine.mark = node, attempt, mark
    machine.forget_row()
    for visited, checkpoint, state in stack:
        machine.stack[visited] = (checkpoint, state)


def _begin(machine: Machine, doing: Doing, reason: object, at: float, *, again: bool) -> None:
    """Set the phase; `again`: enter the function once more (rule 16)."""
    asked = doing.begun and not again
    if doing.function is Phase.NORMAL and not asked:
        machine.phase = Phase.NORMAL
        return
    _interrupt(machine, reason, at)
    if doing.function is Phase.UNWIND:
        _unwind_again(machine, doing)
    elif not asked:
        machine.decide(ROLL_BACK_CURRENT)


def _give_up(machine: Machine, doing: Doing, reason: object, at: float) -> Doing:
    """Leave the node for the previous one (rule 18), and have local nodes rerun when its rollback is over."""
    _interrupt(machine, reason, at)
    if doing.function is Phase.UNWIND:
        _unwind_again(machine, doing)
    else:
        machine.clean = doing.function is Phase.NORMAL and not doing.begun
        machine.decide(ROLL_BACK_PREVIOUS)
    following = next_of(machine)
    if machine.phase is Phase.ROLLBACK:
        rerun.begin(machine, 0)
    else:
        machine.owed = rerun.begin
    return following


def _interrupt(machine: Machine, reason: object, at: float) -> None:
    """Have the policy asked about the death of a process."""
    machine.kind = Kind.INTERRUPTED
    machine.failing = machine.note(machine.kind, reason, at)
    machine.reason = reason
    machine.phase = Phase.ASK


def _unwind_again(machine: Machine, doing: Doing) -> None:
    """Run the rollback function that was unwinding, or leave it as failed (rule 14)."""
    machine.then = doing.then or ROLL_BACK_PREVIOUS
    machine.phase = Phase.UNWOUND if doing.deaths >= LIMIT else Phase.UNWIND
