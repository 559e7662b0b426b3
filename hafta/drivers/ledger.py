"""The ledger of a durable call: every move of the machine that matters is recorded before it is carried out.

Invariant: at any moment the newest record says what is to be undone if the process dies now. So a normal function is on
record before it begins, a checkpoint when run.checkpoint() returns, a rollback function before it begins, and the way
to the next node only when nothing of the one before is left to undo. docs/durable.md says what of it is synced.

A book is the record of one outermost call; a ledger is one sequence's part of it, below those of the outer ones.
"""

from __future__ import annotations

import os
import time

from hafta.engine.machine import Phase
from hafta.errors import StoreError
from hafta.stores import codec
from hafta.stores.codec import Level, Position, Visit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.machine import Machine
    from hafta.runtime import Runtime
    from hafta.sequence import Sequence
    from hafta.stores.protocol import Claim

    OnError = Callable[[StoreError], bool]

#: Kinds of StoreError that are mistakes of the program: whether to go on without durability is not asked.
MISTAKES = frozenset({"value", "too-large", "name", "busy"})

BETWEEN, NORMAL, ROLLBACK, UNWIND, ENDED = "between", "normal", "rollback", "unwind", "ended"
STOPPED, TAKING_UP = "stopped ", "taking-up "  # before the word of what was going on
#: Before the name of what the caller keeps, among the values of a state: no keyword argument begins so.
KEPT = "\0"


class Book:
    """The record of one call and all that it calls: the claim, and what to do when it cannot be written."""

    def __init__(
        self,
        claim: Claim,
        runtime: Runtime,
        names: tuple[str, str],
        *,
        power: bool,
        go_on: OnError,
        keep: dict[str, Any] | None = None,
    ) -> None:
        self.claim = claim
        self.power = power
        self.keep = keep  # the caller's own values, recorded with every record
        self.fatal: StoreError | None = None  # why the call cannot go on
        self._names = names  # sequence and instance
        self._runtime = runtime
        self._go_on = go_on
        self._in_trouble = False
        self._frame = b""
        self._boot = boot_id()
        self._pid = os.getpid()

    def turn(self, levels: tuple[Level, ...], *, sync: bool) -> None:
        """Record a transition."""
        innermost = levels[-1]
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._frame = codec.frame(Position(levels, time.time(), now, self._boot, self._pid))
        self.write(innermost.checkpoint, innermost.state, sync=sync, frame=self._frame)

    def write(self, checkpoint: int, state: dict[str, Any], *, sync: bool, frame: bytes | None = None) -> None:
        """Record a checkpoint. Raises StoreError if it cannot be, unless the program wants to go on without."""
        if self.keep:
            state = {**state, **{KEPT + name: value for name, value in self.keep.items()}}
        try:
            if frame is not None:
                self.claim.enter(frame)
            self.claim.write(codec.body(checkpoint, state, self.claim.capacity - len(self._frame)), sync)
        except StoreError as error:
            self._trouble(error)
        else:
            if self._in_trouble:
                self._in_trouble = False
                self._tell("the store works again", "what is recorded now is current")

    def end(self) -> None:
        """Record that there is nothing to resume."""
        try:
            self.claim.clear(self.power)
        except StoreError as error:
            self._trouble(error)

    def restore(self, position: Position) -> Position:
        """Give the caller back what it kept; return the position without it."""
        *outer, inner = position.levels
        kept = {name.removeprefix(KEPT): value for name, value in inner.state.items() if name.startswith(KEPT)}
        if self.keep is not None:
            self.keep.update(kept)
        state = {name: value for name, value in inner.state.items() if not name.startswith(KEPT)}
        return position.replace(levels=(*outer, inner.replace(state=state)))

    def tell_incidents(self) -> None:
        """Report what the store met and could go on from."""
        for incident in self.claim.incidents:
            self._tell(f"{incident.kind}: {incident.text}", "it went on")
        self.claim.incidents.clear()

    def _trouble(self, error: StoreError) -> None:
        if error.kind in MISTAKES or not self._go_on(error):
            self.fatal = error
            raise error
        if not self._in_trouble:
            self._in_trouble = True
            self._tell(error.message, "the sequence goes on without; a crash resumes at an older record")

    def _tell(self, what: str, action: str) -> None:
        from hafta.journal.events import StoreTrouble

        sequence, instance = self._names
        path = str(getattr(self.claim, "path", "")) or "of the memory"
        self._runtime.report(StoreTrouble(sequence, instance, path, what, action))


class Ledger:
    """What one sequence records of itself."""

    def __init__(self, book: Book, sequence: Sequence, machine: Machine, outer: tuple[Level, ...] = ()) -> None:
        self.book = book
        self.pending: tuple[Level, ...] = ()  # inner sequences that were interrupted inside of the current node
        self.position: Position | None = None  # what was resumed
        self.instance = ""
        self.deaths = 0  # in the unwinding that goes on
        self.silent = False  # while nodes are taken up, what they record is not what was interrupted
        self.keep = False  # whether the record outlives the call
        self._sequence = sequence
        self._machine = machine
        self._outer = outer
        self._nodes = tuple(sequence.nodes)

    def running(self) -> None:
        """Record that the normal function of the current node is about to run."""
        self._turn(NORMAL, sync=self.book.power)

    def undoing(self) -> None:
        """Record that the rollback function of the current node is about to run."""
        machine = self._machine
        if machine.phase is Phase.UNWIND:
            then = machine.then
            self._turn(f"{UNWIND} {self.deaths} {then.act.name} {then.to or ''}".rstrip(), sync=self.book.power)
        else:
            self._turn(ROLLBACK, sync=self.book.power)

    def between(self) -> None:
        """Record that nothing is left to undo of the node before, and which one is next."""
        self.deaths = 0
        if self._machine.phase is Phase.NORMAL:
            self._turn(BETWEEN, sync=False)

    def checkpoint(self, value: int, state: dict[str, Any], sync: bool) -> None:  # by position: the hot path
        """Record a checkpoint."""
        if not self.silent:
            self.book.write(value, state, sync=sync or self.book.power)

    def taking_up(self, interrupted: str) -> None:
        """Record that nodes are about to be taken up, before what was interrupted is dealt with."""
        self._turn(TAKING_UP + interrupted, sync=self.book.power)
        self.silent = True

    def stopped(self) -> None:
        """Record that somebody asked the process to stop: what it was doing is to be undone, but is no failure."""
        phase = self._machine.phase
        word = {Phase.ROLLBACK: ROLLBACK, Phase.UNWIND: ROLLBACK, Phase.UNWOUND: ROLLBACK}.get(phase, NORMAL)
        self._turn(STOPPED + word, sync=self.book.power)

    def level(self, phase: str) -> Level:
        """Return the record of this sequence."""
        machine = self._machine
        visits = (Visit(node.name, int(at), dict(state or ())) for node, (at, state) in machine.stack.items())
        return Level(
            self._sequence.name, self._sequence.version, self._nodes, machine.node.name, phase, machine.attempt,
            int(machine.checkpoint), dict(machine.state or ()), tuple(visits),
        )  # fmt: skip

    def levels(self) -> tuple[Level, ...]:
        """Return the records of this sequence, in its normal function, and of those that it runs inside of."""
        return (*self._outer, self.level(NORMAL))

    def ended(self) -> None:
        """Record that this sequence has ended: nothing to resume, or the outer node goes on."""
        if self._outer:
            outer = self._outer[-1]
            self.book.turn((*self._outer[:-1], outer), sync=self.book.power)
        elif self.book.keep:
            name, version, node = self._sequence.name, self._sequence.version, self._machine.node.name
            self.book.turn((Level(name, version, self._nodes, node, ENDED),), sync=self.book.power)
        else:
            self.book.end()

    def left_out(self) -> str:
        """Return why a node failed that ended without resuming the inner sequence that was interrupted in it."""
        left, self.pending = self.pending[0], ()
        return f"the inner sequence {left.sequence} was interrupted in node {left.node}, and has not been called again"

    def _turn(self, phase: str, *, sync: bool) -> None:
        if not self.silent:
            self.book.turn((*self._outer, self.level(phase)), sync=sync)


def boot_id() -> str:
    """Return the id of this boot of the machine; empty where the sandbox hides it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:  # hidden by ProcSubset=pid
        return ""
