"""Journal entries of rollbacks: noted when one begins, reported when it is known where control goes.

And of recovery. After two failures in a row of a node, or more, the sequence has recovered when that node ends well, or
one that was not on the way to it: then control has come further than before. After resuming it is the same. Until then
each step is looked at; before and after, a plain node that succeeds is on its fast path.
"""

from __future__ import annotations

from hafta.drivers.observer import Observer, Observers
from hafta.engine.machine import Phase
from hafta.engine.words import Kind, describe
from hafta.errors import PLAIN, class_of
from hafta.journal.events import (  # now: a failure may be that no file can be opened
    Recovered,
    RollbackFailed,
    RolledBack,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.engine.machine import Machine
    from hafta.engine.node import Node
    from hafta.runtime import Runtime

_NONE = Observers(())
# As module names these cost a third of what they cost as attributes of their class.
_NORMAL, _UNWIND, _NORMAL_FAIL, _ROLLBACK_FAIL = Phase.NORMAL, Phase.UNWIND, Kind.NORMAL_FAIL, Kind.ROLLBACK_FAIL
_RUNS = (Phase.NORMAL, Phase.ROLLBACK, Phase.UNWIND)
_OVER = {Phase.DONE: "done", Phase.FAILED: "failed", Phase.PANICKED: "panicked"}


class Rollbacks(Observer):
    """Reports each rollback function that has run."""

    __slots__ = ("_began", "_codes", "_failed", "_first", "_now", "_row", "_runtime", "_sequence", "_took", "observers")

    def __init__(self, sequence: str, runtime: Runtime) -> None:
        self._sequence = sequence
        self._runtime = runtime
        self._now = runtime.now
        #: Of the rollback that is not reported yet: node, checkpoint, attempt, reason, whether it unwinds, since when.
        self._began: tuple[Node, int, int, Any, bool, float] | None = None
        self._codes: dict[Node, tuple[str, int, str] | None] = {}  # where their functions are
        self._took = 0.0
        self._failed = False
        self._first = runtime.now()  # when the newest row of failures began; it may have begun in another process
        #: The failures in a row from which the sequence has not recovered: nodes before that, how many, since when.
        self._row: tuple[frozenset[Node], int, float] | None = None
        self.observers = _NONE  # all of the call, once it has begun

    def resumed(self, machine: Machine) -> None:
        """Look out for the first node that ends well, in a call that resumes."""
        self._look_out(frozenset(machine.stack), 0, self._now())

    def _look_out(self, before: frozenset[Node], failures: int, since: float) -> None:
        self._row = before, failures, since
        self.observers.look_closer(True)

    def undoing(self, machine: Machine) -> None:
        """Note what begins, and why."""
        unwinds = machine.phase is _UNWIND
        self._began = machine.node, machine.mark[0], machine.attempt, machine.reason, unwinds, self._now()
        self._failed = False

    def ended(self, machine: Machine) -> None:
        """Note how long it took; report that a row of failures is over."""
        if self._began is not None:
            self._took = self._now() - self._began[5]
        elif self._row is not None and machine.phase is _NORMAL and machine.rerun is None:
            before, failures, since = self._row
            if machine.node not in before:
                self._row = None
                self.observers.look_closer(False)
                usec = round((self._now() - since) * 1_000_000)
                self._runtime.report(Recovered(self._sequence, machine.node.name, failures, usec))

    def failed(self, machine: Machine) -> None:
        """Note that it failed, and with what; how long the row of failures is."""
        attempt = machine.attempt
        if attempt > 1 and machine.kind is _NORMAL_FAIL and machine.rerun is None:
            self._count(machine, attempt)
        if self._began is not None:
            node, checkpoint, attempt, _, unwinds, since = self._began
            self._began = node, checkpoint, attempt, machine.newest_reason, unwinds, since
            self._took = self._now() - since
            self._failed = machine.kind is _ROLLBACK_FAIL

    def _count(self, machine: Machine, attempt: int) -> None:
        if self._row is not None and self._row[1]:
            before, failures, since = self._row
            self._row = before & frozenset(machine.stack), failures + (2 if attempt == 2 else 1), since
            return
        self._look_out(frozenset(machine.stack), attempt, self._first)

    def moved(self, machine: Machine) -> None:
        """Report it, if one has run."""
        if self._began is None:
            return
        (node, checkpoint, attempt, reason, unwinds, since), self._began = self._began, None
        if attempt == 1:
            self._first = since
        usec = int(self._took * 1_000_000)
        if node not in self._codes:
            self._codes[node] = _code(node.normal_function)
        # By position: of a frozen value that is a third of the price, and a storm has many of these.
        event = (RollbackFailed if self._failed else RolledBack)(
            self._sequence,
            node.name,
            checkpoint,
            describe(reason),
            attempt,
            where(machine),
            usec,
            unwinds or None,
            self._codes[node],
            PLAIN.get(reason.__class__) or class_of(reason),
        )
        self._runtime.report(event)


def where(machine: Machine) -> str:
    """Return the node that is the current one, or how the call ended."""
    phase = machine.phase
    if phase in _RUNS:  # by identity, first: a member of an Enum hashes slowly
        return machine.node.name
    return _OVER.get(phase) or machine.node.name


def _code(function: Any) -> tuple[str, int, str] | None:
    """Return where a node function is: CODE_FILE, CODE_LINE and CODE_FUNC of the journal."""
    code = getattr(function, "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno, code.co_qualname)
