"""Running local nodes again, before what was interrupted is dealt with.

Rules, continuing those of resume.py.

19. The nodes on the stack that are process-local belonged to the process that died. They run again, in their order,
    before anything else does: the rollback function that comes next may need what they make. Durable nodes do not.
20. A local node runs until it succeeds, judged by its policy as usual, with nothing below it on the stack. What it
    names is not followed. Its mark on the stack becomes the one of this run.
21. A rollback that names a node that has already run again goes on there. Any other way out (another
    node, the previous node, EXIT) is a failure to rerun: the call fails.
22. A failure to rerun decides nothing about what was interrupted: the record stays, and the next call tries again.

Invariant: what was put off is as it was when the last local node has succeeded, but for the marks on the stack.
"""

from __future__ import annotations

from hafta.engine.machine import FRESH, OVER, Phase
from hafta.engine.words import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.engine.machine import Machine
    from hafta.engine.node import Node
    from hafta.engine.words import Verdict

#: What is put off, of a machine.
_STANDING = (
    "phase", "node", "attempt", "mark", "kind", "to", "reason", "failing", "delay", "then", "deaths", "clean", "_row",
)  # fmt: skip


class Rerun:
    """The local nodes that are run again, and what is put off until they have."""

    __slots__ = ("_at", "_nodes", "_standing", "attempt", "deaths", "mark", "node", "phase", "stack")

    def __init__(self, machine: Machine, nodes: list[Node], deaths: int) -> None:
        self.phase = machine.phase
        self.node = machine.node  # the one that was interrupted
        self.attempt = machine.attempt
        self.mark = machine.mark
        self.stack = machine.stack
        self.deaths = deaths  # processes that died of this in a row
        self._nodes = nodes
        self._at = 0
        self._standing = {name: getattr(machine, name) for name in _STANDING}

    def run(self, machine: Machine) -> None:
        """Begin with the node whose turn it is."""
        machine.node, machine.mark, machine.stack = self._nodes[self._at], FRESH, {}
        machine.attempt, machine.since, machine.clean, machine.delay = 0, None, False, 0.0
        machine.forget_row(ended=True)
        machine.phase = Phase.NORMAL

    def leave(self, machine: Machine, to: Node | Verdict) -> None:
        """Go on with the next local node, with what was put off, or fail (rules 20 and 21)."""
        done = self._nodes[: self._at]
        if machine.kind is Kind.NORMAL_SUCCESS:
            self.stack[machine.node] = machine.mark
            self._at += 1
        elif to in done:
            self._at = done.index(to)  # type: ignore[arg-type]  # EXIT is not among them
        else:
            machine.phase = Phase.FAILED
            return
        if self._at < len(self._nodes):
            self.run(machine)
        else:
            self._restore(machine)

    def _restore(self, machine: Machine) -> None:
        standing: dict[str, Any] = self._standing
        for name, value in standing.items():
            setattr(machine, name, value)
        machine.stack, machine.since, machine.rerun = self.stack, None, None


def begin(machine: Machine, deaths: int) -> None:
    """Run the local nodes of the stack first, if there are any and the call is not over.

    `deaths`: processes that died of this in a row.
    """
    local = [node for node in machine.stack if not node.durable]
    if local and machine.phase not in OVER:
        machine.rerun = Rerun(machine, local, deaths)
        machine.rerun.run(machine)
